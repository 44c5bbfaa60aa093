"""Publishes a packed dataset on the Hub: checked before anything is sent, shown all at once, compared afterwards."""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from synthgen.core.hub import REPO_ID
from synthgen.core.releases import __version__
from synthgen.errors import InputError, SynthgenError, one_line
from synthgen.publish import hub_repo, persons, source_rows
from synthgen.publish.diff import Changes, compare
from synthgen.publish.errors import NO_LOGIN
from synthgen.publish.events import Begun, Checked, Committed, Compared, Event, Merged, Published, Sent
from synthgen.publish.hub_repo import MAIN, HubClient, HubRepo, RepoState
from synthgen.publish.persons import Sighting
from synthgen.publish.preflight import Preflight, repo_of
from synthgen.publish.push import CommitTexts, Push
from synthgen.publish.retry import Patience
from synthgen.runs.dataset_folder import PROVENANCE

_log = logging.getLogger(__name__)
FILES_A_COMMIT = 100  # the Hub's advice is 100 files a commit at the most; more go through a pull request
_PRIVATE = "not published publicly; take it out, publish without --public, or say that everyone may see it:"
# What git-check-ref-format allows, without its rarer characters.
_REFERENCE = re.compile(r"(?!.*(?:\.\.|\.lock(?:/|$)|\.$))[A-Za-z0-9_][\w.-]*(?:/[A-Za-z0-9_][\w.-]*)*", re.ASCII)

__all__ = [
    "FILES_A_COMMIT",
    "Begun",
    "Changes",
    "Checked",
    "Committed",
    "Compared",
    "Event",
    "Merged",
    "Patience",
    "PublishOptions",
    "Published",
    "Sent",
    "publish",
]


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """Where a dataset is published, and how.

    Attributes:
        repo: ``ORG/NAME``; empty for the manifest's ``publish.repo``.
        public: Everyone may see a repository that has to be created, or the one that exists.
        dry_run: Say what would go and send nothing.
        branch: The branch; made from main where there is none of that name.
        tag: The name of a tag for the commit; empty for none.
        message: The first words of the commit's message.
        files_a_commit: How many files one commit may add and delete; more go through a pull request.
        allow: The columns and files that may be public whatever they look like; ``source_license`` for real images of
            unknown licence.
    """

    repo: str = ""
    public: bool = False
    dry_run: bool = False
    branch: str = MAIN
    tag: str = ""
    message: str = ""
    files_a_commit: int = FILES_A_COMMIT
    allow: tuple[str, ...] = ()


def publish(
    root: Path, options: PublishOptions, api: HubClient | None = None, patience: Patience | None = None
) -> Iterator[Event]:
    """Publish a dataset folder; yields what happens as it happens.

    Args:
        root: The folder, as ``pack`` made it.
        options: What was asked.
        api: The Hub's client; by default the environment's endpoint and login.
        patience: How calls are tried again.

    Raises:
        InputError: The folder is no packed dataset, or the options can't be read.
        SynthgenError: Not published; every fault that was found, one line each.
    """
    api = api or hub_repo.client()
    token = hub_repo.token_of(api)
    patience = patience or Patience(token=token)
    preflight = Preflight(root, token)
    remote = HubRepo(_repo(root, options), api, patience)
    yield from preflight.check()
    seen = [] if preflight.faults else [one for one in _identifying(root) if one.column not in options.allow]
    if options.public:
        preflight.faults += [f"{root}: {one}; {_PRIVATE} --allow {one.column}" for one in seen]
    if not preflight.faults and (said := preflight.elsewhere(remote.repo, options.branch)):
        _log.warning("%s", said)
    with patience.bounded():
        state, not_compared = _state_and_faults(preflight, remote, options, login=token is not None)
        if preflight.faults:
            raise SynthgenError(*preflight.faults)
        changes = compare(preflight.files, remote.tree(_start(state, options)) if state else {})
        told = _describe(remote, state, options)
        rows = source_rows.seen(root)
        yield Compared(changes, _commits(changes, options), told, not_compared, tuple(seen), rows)
        if not options.dry_run and state:
            yield from _push(preflight, remote, state, options, patience)


def _identifying(root: Path) -> list[Sighting]:
    """What could name a person in a dataset, and what of it nobody has said may be shown."""
    return [*persons.find(root), *persons.unknown_licences(root)]


def _repo(root: Path, options: PublishOptions) -> str:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    repo = options.repo or repo_of(root)
    if not repo:
        raise InputError("--repo: missing; give ORG/NAME, or set `publish.repo` in the manifest before packing")
    if not REPO_ID.fullmatch(repo):
        raise InputError(f"--repo: `{repo}` is not of the form ORG/NAME")
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise InputError(f"--repo: `{repo}` is no name that the Hub takes: {one_line(error)}") from None
    if options.branch.startswith("refs/") or not _REFERENCE.fullmatch(options.branch):
        raise InputError(f"--revision: `{options.branch}` can't name a branch")
    if options.tag and not _REFERENCE.fullmatch(options.tag):
        raise InputError(f"--tag: `{options.tag}` can't name a tag; use letters, digits, dots, hyphens and underscores")
    return repo


def _state_and_faults(
    preflight: Preflight, remote: HubRepo, options: PublishOptions, *, login: bool
) -> tuple[RepoState | None, str]:
    """The repository's state, or why it is not known; adds what speaks against publishing to the faults."""
    if not login and not options.dry_run:
        preflight.faults.append(NO_LOGIN)
        return None, NO_LOGIN
    try:
        state = remote.state()
        preflight.faults += _conflicts(preflight, remote, state, options)
        if not options.dry_run and not preflight.faults:
            preflight.faults += [f"README.md: {fault}" for fault in remote.card_faults(preflight.card)]
    except SynthgenError as error:
        if not options.dry_run:
            preflight.faults += error.faults
        return None, " ".join(error.faults)
    return state, ""


def _conflicts(preflight: Preflight, remote: HubRepo, state: RepoState, options: PublishOptions) -> Iterator[str]:
    """What speaks against publishing to the repository as it is, one line each."""
    if not state.exists:
        return
    if not state.private and not options.public:
        yield f"{remote.repo} is public and --public was not given; give it, or make the repository private on the Hub"
    if state.private and options.public:
        yield f"{remote.repo} is private and --public was given; leave it out, or make the repository public on the Hub"
    start = _start(state, options)
    held = state.tags.get(options.tag)
    other_branch = options.branch != MAIN and options.branch in state.branches
    tree = remote.tree(start)
    held_files = [name for name in tree if name != "README.md" and not name.startswith(".")]
    if held_files and PROVENANCE not in tree:
        yield (
            f"{remote.repo} holds {held_files[0]} and no {PROVENANCE}, so it is no dataset of synthgen's, and "
            "publishing would delete what it holds; choose another --repo, or delete its files on the Hub"
        )
    changes = compare(preflight.files, tree)
    if held is not None and (changes or held != start):
        yield f"{remote.repo} has a tag {options.tag} on another commit ({held[:12]}); choose another --tag"
    if other_branch and len(changes) > options.files_a_commit:
        yield (
            f"{len(changes)} files are too many for one commit ({options.files_a_commit}), and only main or a new "
            f"branch can be filled over several; choose another --revision than {options.branch}"
        )


def _start(state: RepoState, options: PublishOptions) -> str | None:
    """The commit that the branch is at, or will be made from."""
    return state.branches.get(options.branch) or state.branches.get(MAIN)


def _commits(changes: Changes, options: PublishOptions) -> int:
    return -(-len(changes) // options.files_a_commit)


def _describe(remote: HubRepo, state: RepoState | None, options: PublishOptions) -> str:
    visibility = "public" if options.public else "private"
    if state is None:
        return f"{remote.repo} ({visibility})"
    return f"{remote.repo} ({visibility})" if state.exists else f"{remote.repo} (to be created, {visibility})"


def _push(
    preflight: Preflight, remote: HubRepo, state: RepoState, options: PublishOptions, patience: Patience
) -> Iterator[Event]:
    if not state.exists:
        remote.create(public=options.public)
        state = remote.state()
        if state.private == options.public:
            raise SynthgenError(
                f"{remote.repo} was created {'private' if state.private else 'public'}, and the other was asked for; "
                "nothing was sent: set its visibility on the Hub, then run the same command again"
            )
    start = _start(state, options)
    push = Push(
        remote,
        preflight.files,
        options.branch,
        start,
        exists=options.branch in state.branches,
        limit=options.files_a_commit,
        words=_commit_texts(preflight, options),
        patience=patience,
    )
    yield from push.run(compare(preflight.files, remote.tree(start)), options.tag)


def _commit_texts(preflight: Preflight, options: PublishOptions) -> CommitTexts:
    dataset, plan = preflight.digest("dataset_digest"), preflight.digest("plan_digest")
    digests = f"dataset {dataset[:16]}, plan {plan[:16]}"
    title = f"{options.message or 'Publish ' + str(preflight.provenance.get('name', 'dataset'))} ({digests})"
    return CommitTexts(title, f"Publish {digests}", f"dataset {dataset}\nplan {plan}\nsynthgen {__version__}")
