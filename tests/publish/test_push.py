"""What is published is the dataset, all at once, and nothing else."""

import re
from pathlib import Path
from typing import Any

import pytest
from conftest import REPO, Publish, expected, last
from hub import Hub
from store import Repository, large, small

from synthgen import publish as publishing
from synthgen.errors import InputError, SynthgenError
from synthgen.publish import Committed, Compared, Merged, Sent

TARS = "data/train-0000{}-of-00003.tar"


def test_the_hub_holds_exactly_the_dataset(hub: Hub, publish: Publish, dataset: Path) -> None:
    """After publishing, every file of the folder is on main under its hash, and no other."""
    published = last(publish(dataset))
    assert hub[REPO].snapshot() == expected(dataset)
    assert (published.commits, published.files) == (1, len(expected(dataset)))
    assert published.commit == hub[REPO].references["main"]


def test_one_commit_shows_everything(hub: Hub, publish: Publish, dataset: Path) -> None:
    """Whoever looks at main sees an empty repository, and then the whole dataset."""
    publish(dataset)
    assert hub[REPO].seen == [{}, expected(dataset)]
    assert hub[REPO].count() == 1


def test_bytes_go_before_the_commit(hub: Hub, publish: Publish, dataset: Path) -> None:
    """Every upload comes before the one commit."""
    publish(dataset)
    kinds = [request.split()[0] for request in hub.requests if "/storage/" in request or "/commit/" in request]
    assert kinds == ["PUT"] * 5 + ["POST"]


def test_every_file_is_said(hub: Hub, publish: Publish, dataset: Path) -> None:
    """The events name each file that was sent, and the commit with its number of files."""
    events = publish(dataset)
    assert [event.path for event in events if isinstance(event, Sent)] == sorted(
        expected(dataset), key=lambda name: (name == "provenance.json", name)
    )
    assert [event.operations for event in events if isinstance(event, Committed)] == [len(expected(dataset))]


def test_a_repository_is_private_unless_asked(hub: Hub, publish: Publish, dataset: Path) -> None:
    """Without `--public` the repository that is created is private."""
    publish(dataset)
    assert hub[REPO].private


def test_a_repository_is_public_when_asked(hub: Hub, publish: Publish, dataset: Path) -> None:
    """With `--public` the repository that is created is public."""
    publish(dataset, public=True)
    assert not hub[REPO].private


@pytest.mark.parametrize("public", [True, False])
def test_visibility_is_never_changed_silently(hub: Hub, publish: Publish, dataset: Path, public: bool) -> None:
    """A repository of the other visibility is refused before anything is sent."""
    publish(dataset, public=public)
    hub.requests.clear()
    with pytest.raises(SynthgenError, match=f"^{REPO} is {'public' if public else 'private'} .*--public"):
        publish(dataset, public=not public)
    assert hub.count("P", "(commit|storage|preupload|create)") == 0
    assert hub[REPO].private is not public


def test_a_second_run_makes_no_commit(hub: Hub, publish: Publish, dataset: Path) -> None:
    """Published again unchanged, nothing is sent and nothing committed, and the hashes are compared again."""
    publish(dataset)
    hub.requests.clear()
    published = last(publish(dataset))
    assert (published.commits, published.files, hub[REPO].count()) == (0, len(expected(dataset)), 1)
    assert hub.count("PUT", "") == hub.count("POST", "(commit|preupload|create)") == 0


def test_a_smaller_dataset_leaves_no_stale_shard(hub: Hub, publish: Publish, dataset: Path, smaller: Path) -> None:
    """One commit takes the place of a larger dataset: no `-of-00003` tar stays under the card's pattern."""
    publish(dataset)
    publish(smaller)
    assert hub[REPO].seen == [{}, expected(dataset), expected(smaller)]
    assert [name for name in hub[REPO].snapshot() if name.endswith(".tar")] == [
        "data/train-00000-of-00002.tar",
        "data/train-00001-of-00002.tar",
    ]


def test_only_what_changed_is_sent(hub: Hub, publish: Publish, dataset: Path, smaller: Path) -> None:
    """What the Hub has stored once is not sent again, whichever commit it was in."""
    publish(dataset)
    publish(smaller)
    hub.stored.clear()
    publish(dataset)
    assert hub.stored == []
    assert hub[REPO].snapshot() == expected(dataset)


def test_foreign_files_are_taken_away(hub: Hub, publish: Publish, dataset: Path, tmp_path: Path) -> None:
    """Files of the repository that are not in the dataset go in the same commit, .gitattributes excepted."""
    from huggingface_hub import HfApi

    api = HfApi()
    api.create_repo(REPO, repo_type="dataset", private=True)
    api.upload_file(path_or_fileobj=b"*\n", path_in_repo=".gitignore", repo_id=REPO, repo_type="dataset")
    publish(dataset)
    assert hub[REPO].snapshot() == expected(dataset)
    assert ".gitattributes" in hub[REPO].commits[hub[REPO].references["main"]].tree


def test_somebody_elses_dataset_is_not_replaced(hub: Hub, publish: Publish, dataset: Path) -> None:
    """A repository with files that synthgen did not publish is refused, and keeps them."""
    from huggingface_hub import HfApi

    api = HfApi()
    api.create_repo(REPO, repo_type="dataset", private=True)
    api.upload_file(path_or_fileobj=b"1\n", path_in_repo="years.csv", repo_id=REPO, repo_type="dataset")
    with pytest.raises(SynthgenError, match=rf"^{REPO} .*years\.csv.*provenance\.json"):
        publish(dataset)
    assert "years.csv" in hub[REPO].snapshot()


def test_the_commit_carries_the_digests(hub: Hub, publish: Publish, dataset: Path) -> None:
    """The message begins as asked and names the dataset's and the plan's digest."""
    from synthgen.runs import dataset_folder

    publish(dataset, message="Second try")
    commit = hub[REPO].commits[hub[REPO].references["main"]]
    provenance = dataset_folder.read_provenance(dataset)
    assert commit.title.startswith("Second try (dataset ")
    assert provenance["dataset_digest"][:16] in commit.title
    assert f"plan {provenance['plan_digest']}" in commit.body


def test_a_tag_is_set_on_the_commit(hub: Hub, publish: Publish, dataset: Path) -> None:
    """`--tag` tags what was published, and a second run with the same tag is content."""
    publish(dataset, tag="v1")
    assert hub[REPO].tags == {"v1": hub[REPO].references["main"]}
    assert last(publish(dataset, tag="v1")).commits == 0


def test_a_tag_is_never_moved(hub: Hub, publish: Publish, dataset: Path, smaller: Path) -> None:
    """A tag that is on another commit is refused before anything is sent."""
    publish(dataset, tag="v1")
    hub.requests.clear()
    with pytest.raises(SynthgenError, match=rf"^{REPO} .*\bv1\b.*--tag"):
        publish(smaller, tag="v1")
    assert hub.count("P", "(commit|storage|preupload)") == 0


@pytest.mark.parametrize("tag", ["v 1", "a..b", "-v", "v1.lock", "v."])
def test_a_tag_that_git_refuses_is_bad_usage(hub: Hub, publish: Publish, dataset: Path, tag: str) -> None:
    """It is found before anything is sent, not once the dataset is public."""
    with pytest.raises(InputError, match=f"^--tag: `{re.escape(tag)}` "):
        publish(dataset, tag=tag)
    assert hub.requests == []


def test_a_tag_made_meanwhile_by_another_is_not_claimed(
    hub: Hub, publish: Publish, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dataset is said to be there, and the tag to be somebody else's."""
    from synthgen.publish.hub_repo import HubRepo

    publish(dataset)
    first = hub[REPO].references["main"]
    create = HubRepo.create_tag

    def after_another(self: HubRepo, tag: str, commit: str) -> None:
        create(self, tag, hub[REPO].commits[first].parent or first)
        create(self, tag, commit)

    monkeypatch.setattr(HubRepo, "create_tag", after_another)
    with pytest.raises(SynthgenError, match=f"^{REPO}: .* tag v2 "):
        publish(dataset, tag="v2")


def test_a_branch_is_made_and_main_left_alone(hub: Hub, publish: Publish, dataset: Path, smaller: Path) -> None:
    """`--revision` publishes on a branch of its own, made where there is none."""
    publish(dataset)
    publish(smaller, branch="small")
    assert hub[REPO].snapshot("small") == expected(smaller)
    assert hub[REPO].snapshot() == expected(dataset)


def test_a_concurrent_push_is_refused_and_kept(hub: Hub, publish: Publish, dataset: Path) -> None:
    """Somebody else's commit between our look and ours is neither overwritten nor mixed with ours."""

    def push() -> None:
        hub[REPO].commit("main", {"theirs.txt": small(b"theirs")}, "theirs", "")

    hub.before_commit = push
    with pytest.raises(SynthgenError, match=f"^{REPO}: someone else"):
        publish(dataset)
    assert list(hub[REPO].snapshot()) == ["theirs.txt"]


def test_a_large_set_goes_through_a_pull_request(hub: Hub, publish: Publish, dataset: Path) -> None:
    """More files than one commit may hold fill a pull request, and main changes once, by its merge."""
    events = publish(dataset, files_a_commit=3)
    committed = [event for event in events if isinstance(event, Committed)]
    assert [event.operations for event in committed] == [3, 3, 3, 1]
    assert {event.reference for event in committed} == {"refs/pr/1"}
    assert hub[REPO].seen == [{}, expected(dataset)]
    assert hub[REPO].requests[1].status == "merged"
    assert isinstance(events[-2], Merged)


def test_a_large_set_takes_stale_files_away(hub: Hub, publish: Publish, dataset: Path, smaller: Path) -> None:
    """Through a pull request as well, main goes from one whole dataset to the other."""
    publish(dataset)
    publish(smaller, files_a_commit=2)
    assert hub[REPO].seen == [{}, expected(dataset), expected(smaller)]


def test_a_half_filled_pull_request_is_taken_up(hub: Hub, publish: Publish, dataset: Path) -> None:
    """Stopped between two commits of a pull request, the next run fills the same one with what is missing."""
    hub.misbehave("POST", "/commit/", status=403, message="no", after=1, times=9)
    with pytest.raises(SynthgenError):
        publish(dataset, files_a_commit=3)
    hub.behave()
    assert hub[REPO].seen == [{}]
    committed = [event for event in publish(dataset, files_a_commit=3) if isinstance(event, Committed)]
    assert [event.operations for event in committed] == [3, 3, 1]
    assert hub[REPO].seen == [{}, expected(dataset)]
    assert list(hub[REPO].requests) == [1]


def test_a_push_during_a_pull_request_is_refused(hub: Hub, publish: Publish, dataset: Path) -> None:
    """Where main has moved while the pull request was filled, it is not merged."""

    def push() -> None:
        hub[REPO].commit("main", {"theirs.txt": small(b"theirs")}, "theirs", "")

    hub.before_commit = push
    with pytest.raises(SynthgenError, match=f"^{REPO}: someone else"):
        publish(dataset, files_a_commit=3)
    assert list(hub[REPO].snapshot()) == ["theirs.txt"]


def test_a_large_set_becomes_a_new_branch(hub: Hub, publish: Publish, dataset: Path, smaller: Path) -> None:
    """A new branch that takes several commits appears whole; its pull request is closed."""
    publish(dataset)
    publish(smaller, branch="small", files_a_commit=2)
    assert hub[REPO].snapshot("small") == expected(smaller)
    assert hub[REPO].snapshot() == expected(dataset)
    assert hub[REPO].requests[1].status == "closed"


def test_a_large_set_over_another_branch_is_refused(hub: Hub, publish: Publish, dataset: Path, smaller: Path) -> None:
    """A pull request can only be merged to main, so a branch that exists is not half filled."""
    publish(dataset, branch="other")
    with pytest.raises(SynthgenError, match="--revision than other"):
        publish(smaller, branch="other", files_a_commit=2)
    assert hub[REPO].snapshot("other") == expected(dataset)


def test_large_files_go_in_parts(hub: Hub, publish: Publish, dataset: Path) -> None:
    """Where the Hub asks for parts, the parts make the file."""
    hub.multipart_above = 10_000
    publish(dataset)
    assert hub.count("PUT", "/storage/[0-9a-f]+/2") > 0
    assert hub[REPO].snapshot() == expected(dataset)


def test_a_dry_run_sends_nothing(hub: Hub, publish: Publish, dataset: Path, smaller: Path) -> None:
    """A dry run says what would be added, deleted and left, and only reads."""
    publish(dataset)
    hub.requests.clear()
    (compared,) = [event for event in publish(smaller, dry_run=True) if isinstance(event, Compared)]
    names = [file.name for file in compared.changes.delete]
    assert names == [TARS.format(number) for number in range(3)]
    assert {file.name for file in compared.changes.add} >= {"README.md", "data/train-00000-of-00002.tar"}
    assert [file.name for file in compared.changes.unchanged] == ["prompts/prompts.yaml"]
    assert compared.commits == 1
    assert {request.split()[0] for request in hub.requests} == {"GET"}
    assert hub[REPO].snapshot() == expected(dataset)


def test_a_dry_run_of_a_new_repository_creates_none(hub: Hub, publish: Publish, dataset: Path) -> None:
    """A repository that would be created is said to be, and is not."""
    compared = publish(dataset, dry_run=True)[-1]
    assert compared.repository == f"{REPO} (to be created, private)"
    assert hub.repositories == {}


def test_the_manifest_names_the_repository(hub: Hub, publish: Publish, dataset: Path) -> None:
    """Without `--repo`, the dataset goes where its manifest says."""
    publish(dataset, repo="")
    assert list(hub.repositories) == [REPO]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"repo": "org/fork"}, "set `publish.repo: org/fork` in the manifest and pack again"),
        ({"branch": "small"}, "merge small into main"),
        ({}, ""),
    ],
)
@pytest.mark.usefixtures("hub")
def test_addresses_of_another_place_are_said(
    asked: Any, said: str, publish: Publish, dataset: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Who reads `croissant.json` from a fork or a branch would get the files of the repository that it names."""
    publish(dataset, dry_run=True, **asked)
    where = f"{dataset}/croissant.json: says that its files are at https://huggingface.co/datasets/{REPO}/resolve/main,"
    told = [one.getMessage() for one in caplog.records if "croissant.json" in one.getMessage()]
    assert [one.startswith(where) and said in one for one in told] == ([True] if said else [])


@pytest.mark.parametrize(
    "asked", [{"repo": "name"}, {"repo": "a/b/c"}, {"repo": "-/b"}, {"branch": "refs/pr/1"}, {"branch": "a b"}]
)
def test_a_wish_that_cannot_be_read_is_bad_usage(hub: Hub, publish: Publish, dataset: Path, asked: Any) -> None:
    """What is no ORG/NAME, or no branch, is refused before anything is read or asked."""
    with pytest.raises(InputError, match=r"--re\w+: "):
        publish(dataset, **asked)
    assert hub.requests == []


def test_what_the_hub_holds_is_compared(
    hub: Hub, publish: Publish, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is not on the Hub as it was sent is found after the commit, and not tagged."""
    commit = Repository.commit

    def spoil(self: Repository, reference: str, tree: Any, *said: str) -> str:
        if (name := TARS.format(1)) in tree:
            tree = tree | {name: large("0" * 64, tree[name].size)}
        return commit(self, reference, tree, *said)

    monkeypatch.setattr(Repository, "commit", spoil)
    with pytest.raises(SynthgenError, match=rf"^{REPO}: data/train-00001-of-00003\.tar "):
        publish(dataset, tag="v1")
    assert hub[REPO].tags == {}


def test_a_file_that_changes_meanwhile_is_not_published(
    hub: Hub, publish: Publish, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that are not those that were checked stop the publishing before the commit."""
    send = publishing.HubRepo.send

    def touch(self: Any, *arguments: Any) -> None:
        send(self, *arguments)
        (dataset / "README.md").write_text("changed")

    monkeypatch.setattr(publishing.HubRepo, "send", touch)
    with pytest.raises(SynthgenError, match=r"^README\.md: "):
        publish(dataset)
    assert hub[REPO].snapshot() == {}
