"""One dataset repository on the Hub: what it holds, and the few things that are done to it.

This is the only file that calls ``huggingface_hub.HfApi``, whose calls move between versions. Not ``upload_folder``,
which makes one commit of however many files, nor ``upload_large_folder``, whose many commits show half a dataset on
the way.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_session, get_token
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined] # no __all__

from synthgen.core.releases import __version__
from synthgen.publish import secrets
from synthgen.publish.diff import LocalFile, RemoteFile
from synthgen.publish.retry import Patience

MAIN = "main"
_KIND = "dataset"
HubClient = HfApi
Addition = CommitOperationAdd
Operation = CommitOperationAdd | CommitOperationDelete


def client() -> HubClient:
    """The Hub's client, with the environment's endpoint and login."""
    return HfApi(library_name="synthgen", library_version=__version__)


def token_of(api: HubClient) -> str | None:
    """The token that a client logs in with; ``None`` where there is none."""
    return api.token if isinstance(api.token, str) else get_token()


def addition(file: LocalFile) -> Addition:
    """The operation that adds a file; it remembers whether the file's bytes were sent."""
    operation = CommitOperationAdd(file.name, str(file.path))
    operation.upload_info.sha256 = bytes.fromhex(file.sha256)  # known: not to be read once more
    return operation


def deletion(name: str) -> Operation:
    """The operation that deletes a file."""
    return CommitOperationDelete(name, is_folder=False)


@dataclass(frozen=True, slots=True)
class RepoState:
    """A repository as it was found.

    Attributes:
        exists: Whether there is one.
        private: Whether only its owners see it.
        branches: The newest commit of each branch.
        tags: The commit of each tag.
    """

    exists: bool
    private: bool
    branches: dict[str, str]
    tags: dict[str, str]


class HubRepo:
    """A dataset repository, asked and changed with patience.

    Args:
        repo: ``ORG/NAME``.
        api: The client; it knows the endpoint and the login.
        patience: How calls are tried again.
    """

    def __init__(self, repo: str, api: HubClient, patience: Patience) -> None:
        self.repo, self._api, self._patience = repo, api, patience

    @property
    def url(self) -> str:
        """The address of its page."""
        return f"{self._api.endpoint}/datasets/{self.repo}"

    def state(self) -> RepoState:
        """The repository as it is now."""
        info = self._patience.call(f"look at {self.repo}", self._info)
        if info is None:
            return RepoState(exists=False, private=False, branches={}, tags={})
        refs = self._patience.call(f"look at {self.repo}", lambda: self._api.list_repo_refs(self.repo, repo_type=_KIND))
        return RepoState(
            exists=True,
            private=bool(info.private),
            branches={ref.name: ref.target_commit for ref in refs.branches},
            tags={ref.name: ref.target_commit for ref in refs.tags},
        )

    def _info(self) -> Any:
        try:
            return self._api.dataset_info(self.repo)
        except RepositoryNotFoundError as error:
            if error.response.status_code == 404:
                return None
            raise

    def head(self, reference: str) -> str | None:
        """The newest commit of a branch, or of a pull request by ``refs/pr/N``."""
        refs = self._patience.call(
            f"look at {self.repo}",
            lambda: self._api.list_repo_refs(self.repo, repo_type=_KIND, include_pull_requests=True),
        )
        named = {ref.name: ref.target_commit for ref in refs.branches}
        return (named | {ref.ref: ref.target_commit for ref in refs.pull_requests or ()}).get(reference)

    def tree(self, commit: str | None) -> dict[str, RemoteFile]:
        """Every file of a commit by name; none where there is no commit."""
        if commit is None:
            return {}
        return self._patience.once(f"list {self.repo}", lambda: self._listed(commit))

    def _listed(self, commit: str) -> dict[str, RemoteFile]:
        """The files of a commit.

        Raises:
            LookupError: One comes twice, as where pages lead back to the first and never end.
        """
        found: dict[str, RemoteFile] = {}
        for one in self._api.list_repo_tree(self.repo, repo_type=_KIND, revision=commit, recursive=True):
            if isinstance(one, RepoFile):
                if one.path in found:
                    raise LookupError(one.path)
                found[one.path] = RemoteFile(one.path, one.size, one.blob_id, one.lfs.sha256 if one.lfs else None)
        return found

    def card_faults(self, text: str) -> list[str]:
        """What the Hub has against a card, asked as ``DatasetCard.validate`` does, but of this client's endpoint."""

        def ask() -> list[str]:
            body = {"repoType": _KIND, "content": text}
            headers = build_hf_headers(token=self._api.token)
            response = get_session().post(f"{self._api.endpoint}/api/validate-yaml", json=body, headers=headers)
            if response.status_code == 400:
                found = response.json().get("errors") or [{"message": "invalid"}]
                return [secrets.scrub(str(fault.get("message"))) for fault in found]
            hf_raise_for_status(response)
            return []

        return [f"the Hub refuses the card: {fault}" for fault in self._patience.call("check the card", ask)]

    def create(self, *, public: bool) -> None:
        """Create the repository; nothing happens where it exists."""
        self._patience.call(
            f"create {self.repo}",
            lambda: self._api.create_repo(self.repo, repo_type=_KIND, private=not public, exist_ok=True),
        )

    def create_branch(self, branch: str, commit: str) -> None:
        """Create a branch at a commit."""
        self._patience.call(
            f"create branch {branch}",
            lambda: self._api.create_branch(self.repo, repo_type=_KIND, branch=branch, revision=commit, exist_ok=True),
        )

    def create_tag(self, tag: str, commit: str) -> None:
        """Tag a commit; a tag that is there already is left alone."""
        self._patience.call(
            f"create tag {tag}",
            lambda: self._api.create_tag(self.repo, repo_type=_KIND, tag=tag, revision=commit, exist_ok=True),
        )

    def send(self, operations: Sequence[Addition], revision: str) -> None:
        """Send files' bytes, which nobody sees until a commit names them; what the Hub holds already is not sent."""
        names = ", ".join(operation.path_in_repo for operation in operations[:3])
        self._patience.once(
            f"send {names}{' ...' if len(operations) > 3 else ''}",
            lambda: self._api.preupload_lfs_files(
                self.repo,
                additions=operations,
                repo_type=_KIND,
                revision=revision,
                free_memory=False,
                gitignore_content="",  # a .gitignore over there must not leave files out
            ),
        )

    def commit(
        self, operations: Sequence[Operation], reference: str, parent: str | None, message: str, body: str
    ) -> str:
        """Make one commit on top of ``parent``, in one try; returns its id.

        The errors of the client come out as they are: whether the commit was made is not known from them.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the Hub's advice on the card
            made = self._api.create_commit(
                self.repo,
                repo_type=_KIND,
                operations=operations,
                commit_message=message,
                commit_description=body,
                revision=reference,
                parent_commit=parent,
            )
        return str(made.oid)

    def pull_request(self, title: str, description: str) -> int:
        """The number of our open pull request of that title, opened if there is none."""

        def find_or_open() -> int:
            found = self._api.get_repo_discussions(
                self.repo, repo_type=_KIND, discussion_type="pull_request", author=self._api.whoami()["name"]
            )
            for one in found:
                if one.title == title and one.status in ("draft", "open"):
                    return int(one.num)
            opened = self._api.create_pull_request(self.repo, title, description=description, repo_type=_KIND)
            return int(opened.num)

        return self._patience.call("open a pull request", find_or_open)

    def merge(self, number: int, comment: str) -> None:
        """Merge a pull request in one try; the errors of the client come out as they are."""
        details = self._api.get_discussion_details(self.repo, number, repo_type=_KIND)
        if details.status == "draft":  # what a program opens is a draft, and drafts can't be merged
            self._api.change_discussion_status(self.repo, number, "open", repo_type=_KIND)
        self._api.merge_pull_request(self.repo, number, comment=comment, repo_type=_KIND)

    def close(self, number: int, comment: str) -> None:
        """Close a pull request that has served its purpose."""

        def close() -> None:
            try:
                self._api.change_discussion_status(self.repo, number, "closed", comment=comment, repo_type=_KIND)
            except HfHubHTTPError as error:
                if error.response.status_code not in (400, 409):  # closed already
                    raise

        self._patience.call("close the pull request", close)
