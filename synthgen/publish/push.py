"""Brings a checked dataset to the Hub: bytes first and unseen, then everything shows at once, then it is compared."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from synthgen.errors import DamagedError, SynthgenError
from synthgen.publish import errors, hub_repo
from synthgen.publish.diff import Changes, LocalFile, compare
from synthgen.publish.events import Begun, Committed, Merged, Published, Sent
from synthgen.publish.hub_repo import MAIN, Addition, HubRepo, Operation
from synthgen.publish.retry import Patience

_FILES_AT_A_TIME = 16
_MOVED = "someone else pushed to it meanwhile, so nothing of theirs was overwritten; look at it, then run again"


@dataclass(frozen=True, slots=True)
class CommitTexts:
    """The title and text of commits and pull requests.

    Attributes:
        title: A commit's first line.
        request: A pull request's title, the same for the same dataset, so that a second run finds it.
        body: The digests in full.
    """

    title: str
    request: str
    body: str


class Push:
    """One push of one dataset to one branch.

    Args:
        remote: The repository; it exists.
        files: The dataset.
        branch: The branch.
        start: The branch's commit, or main's where the branch is to be made; the comparison was made with it.
        exists: Whether the branch exists.
        limit: How many files one commit may add and delete.
        words: What commits say.
        patience: How long to bear with a commit that gets no answer.
    """

    def __init__(
        self,
        remote: HubRepo,
        files: Sequence[LocalFile],
        branch: str,
        start: str | None,
        *,
        exists: bool,
        limit: int,
        words: CommitTexts,
        patience: Patience,
    ) -> None:
        self._remote, self._files, self._branch, self._start = remote, files, branch, start
        self._exists, self._limit, self._words, self._patience = exists, limit, words, patience
        self._additions: dict[str, Addition] = {}

    def run(self, changes: Changes, tag: str) -> Iterator[Begun | Sent | Committed | Merged | Published]:
        """Push; where nothing differs, no commit is made.

        Raises:
            SynthgenError: Not published, and why; the branch is as it was.
            DamagedError: The Hub does not hold what was sent.
        """
        commit, commits = self._start, 0
        if changes:
            yield from self._send(changes)
        if changes and len(changes) <= self._limit:
            self._make_branch(self._start)
            for event in self._fill(self._branch, self._start, len(changes)):
                commit, commits = event.commit, commits + 1
                yield event
        elif changes:
            for step in self._through_pull_request():
                commit, commits = step.commit, commits + 1
                yield step
        elif self._start is not None:
            self._make_branch(self._start)
        yield self._verified(commit, commits, tag)

    def _send(self, changes: Changes) -> Iterator[Begun | Sent]:
        yield Begun("send", len(changes.add), changes.size)
        revision = self._branch if self._exists else MAIN
        for first in range(0, len(changes.add), _FILES_AT_A_TIME):
            batch = changes.add[first : first + _FILES_AT_A_TIME]
            operations = [self._addition(file) for file in batch]
            self._remote.send(operations, revision)
            yield from (Sent(file.name, file.size) for file in batch)
        changed = [file.name for file in changes.add if not file.is_as_hashed()]
        if changed:
            raise DamagedError(*(f"{name}: changed while it was being sent; nothing was published" for name in changed))

    def _addition(self, file: LocalFile) -> Addition:
        """The operation that adds a file; one each, since it remembers what was sent."""
        if file.name not in self._additions:
            self._additions[file.name] = hub_repo.addition(file)
        return self._additions[file.name]

    def _make_branch(self, commit: str | None) -> None:
        if not self._exists and commit is not None:
            self._remote.create_branch(self._branch, commit)

    def _fill(self, reference: str, parent: str | None, limit: int, *, ours: bool = False) -> Iterator[Committed]:
        """Commit to a branch or pull request until its tree is the dataset.

        An answer that got lost says nothing of the commit, so the tree is looked at before another try.

        Args:
            reference: The branch, or ``refs/pr/N``.
            parent: Its newest commit.
            limit: How many files one commit may add and delete.
            ours: Nobody else writes to it, so a commit that was not there before is ours.
        """
        tries, done = 0, set[str]()
        while changes := compare(self._files, self._remote.tree(parent)):
            if done & {file.name for file in changes.add}:
                raise self._damage(changes)
            operations = self._operations(changes)[:limit]
            try:
                commit = self._remote.commit(operations, reference, parent, self._words.title, self._words.body)
            except errors.CAUGHT as error:
                if errors.status(error) in (409, 412):
                    raise SynthgenError(f"{self._remote.repo}: {_MOVED}") from None
                tries = self._patience.pause(tries, error, f"commit to {self._remote.repo}")
                found = self._remote.head(reference)
                if found == parent or found is None:
                    continue
                if not ours and compare(self._files, self._remote.tree(found)):
                    raise SynthgenError(f"{self._remote.repo}: {_MOVED}") from None
                commit = found
            parent, tries = commit, 0
            done |= {operation.path_in_repo for operation in operations}
            yield Committed(commit, reference, len(operations))

    def _operations(self, changes: Changes) -> list[Operation]:
        """Everything to do, additions first: on a pull request the last commit takes away what is old."""
        deletions = (hub_repo.deletion(file.name) for file in changes.delete)
        return [*map(self._addition, changes.add), *deletions]

    def _through_pull_request(self) -> Iterator[Committed | Merged]:
        """Fill a pull request over several commits, which the branch does not show, and merge it at the end."""
        title = f"{self._words.request} onto {(self._start or 'nothing')[:12]}"
        number = self._remote.pull_request(title, f"Being filled by `synthgen publish`.\n\n{self._words.body}")
        reference = f"refs/pr/{number}"
        yield from self._fill(reference, self._remote.head(reference), self._limit, ours=True)
        if self._exists:
            yield Merged(number, self._merge(number))
            return
        commit = self._remote.head(reference)
        self._make_branch(commit)
        self._remote.close(number, f"Became the branch {self._branch}.")
        yield Merged(number, str(commit))

    def _merge(self, number: int) -> str:
        """Merge, and return the branch's new commit; the branch is looked at before each try."""
        tries, merged = 0, False
        while True:
            head = self._remote.head(self._branch)
            if head is not None and head != self._start and not compare(self._files, self._remote.tree(head)):
                return head
            if head != self._start:
                raise SynthgenError(f"{self._remote.repo}: {_MOVED}")
            if merged:
                raise SynthgenError(f"{self._remote.repo}: {self._branch} does not show the merge yet; {errors.AGAIN}")
            try:
                self._remote.merge(number, self._words.body)
                merged = True
            except errors.CAUGHT as error:
                tries = self._patience.pause(tries, error, f"merge pull request {number}")

    def _verified(self, commit: str | None, commits: int, tag: str) -> Published:
        """Compare every file on the Hub with the dataset, and only then tag."""
        wrong = compare(self._files, self._remote.tree(commit))
        if wrong or commit is None:
            raise self._damage(wrong)
        if tag:
            self._remote.create_tag(tag, commit)
        if tag or not self._exists:
            self._check_names(commit, tag)
        size = sum(file.size for file in self._files)
        return Published(self._remote.url, commit, commits, len(self._files), size, tag)

    def _check_names(self, commit: str, tag: str) -> None:
        """Look whether the branch and the tag that were made are at the commit: somebody may have been faster."""
        state = self._remote.state()
        for kind, name, held in (("branch", self._branch, state.branches), ("tag", tag, state.tags)):
            if name and held.get(name) != commit:
                raise SynthgenError(
                    f"{self._remote.repo}: the dataset is there as {commit[:12]}, but somebody else made the {kind} "
                    f"{name} meanwhile; choose another name"
                )

    def _damage(self, wrong: Changes) -> DamagedError:
        """What the Hub holds and should not, file by file."""
        return DamagedError(
            *(f"{self._remote.repo}: {file.name} on the Hub is not the file that was sent" for file in wrong.add),
            *(f"{self._remote.repo}: {file.name} on the Hub is not of the dataset" for file in wrong.delete),
        )
