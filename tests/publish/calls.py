"""The calls of the tests' Hub, one function each: what a request means for what the Hub remembers."""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from store import File, PullRequest, Repository, large, small

if TYPE_CHECKING:
    from hub import Hub

TOKEN = "hf_" + "TestOnly" * 5
LFS_SUFFIXES = (".tar", ".parquet", ".png")
NOW = "2026-01-01T00:00:00.000Z"


class RefusalError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str, code: str = "", body: Any = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.body = status, message, code, body


@dataclass
class Request:
    """A request taken apart."""

    hub: "Hub"
    parts: dict[str, str]
    body: bytes
    query: dict[str, str]
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    @property
    def ours(self) -> bool:
        """Whether it comes with the login."""
        return self.headers.get("authorization", self.headers.get("Authorization")) == f"Bearer {TOKEN}"

    def needs_login(self) -> None:
        """Refuse it without the login."""
        if not self.ours:
            raise RefusalError(401, "Invalid credentials in Authorization header")

    def repository(self, *, write: bool = False) -> Repository:
        """The repository meant, where whoever asks may see it."""
        found = self.hub.repositories.get(self.parts["repo"])
        if write:
            self.needs_login()
        if found is None or (found.private and not self.ours):
            raise RefusalError(404 if self.ours else 401, "Repository not found", "RepoNotFound")
        return found

    def commit(self, repository: Repository) -> str:
        """The commit meant."""
        found = repository.resolve(self.parts.get("rev") or "main")
        if found is None:
            raise RefusalError(404, f"Invalid rev id: {self.parts.get('rev')}", "RevisionNotFound")
        return found


def _whoami(request: Request) -> Any:
    request.needs_login()
    return {"name": "tester", "type": "user", "auth": {"accessToken": {"role": "write"}}}


def _create(request: Request) -> Any:
    request.needs_login()
    asked = request.json
    repo = f"{asked['organization']}/{asked['name']}"
    if repo in request.hub.repositories:
        raise RefusalError(
            409, "You already created this dataset repo", body={"url": f"{request.hub.endpoint}/datasets/{repo}"}
        )
    request.hub.repositories[repo] = Repository(private=asked.get("visibility") == "private")
    return {"url": f"{request.hub.endpoint}/datasets/{repo}"}


def _validate(request: Request) -> Any:
    if request.hub.card_faults:
        errors = [{"message": fault} for fault in request.hub.card_faults]
        raise RefusalError(400, "invalid", body={"errors": errors, "warnings": []})
    return {"errors": [], "warnings": []}


def _info(request: Request) -> Any:
    repository = request.repository()
    sha = request.commit(repository)
    siblings = [{"rfilename": name} for name in repository.commits[sha].tree]
    facts = {"id": request.parts["repo"], "sha": sha, "private": repository.private, "siblings": siblings}
    return facts | {"gated": False, "disabled": False, "tags": [], "lastModified": NOW, "downloads": 0, "likes": 0}


def _entry(name: str, one: File) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "file", "path": name, "size": one.size, "oid": one.blob}
    if one.sha256:
        found["lfs"] = {"oid": one.sha256, "size": one.size, "pointerSize": 130}
    return found


def _tree(request: Request) -> Any:
    repository = request.repository()
    tree = repository.commits[request.commit(repository)].tree
    prefix = f"{request.parts['path']}/" if request.parts.get("path") else ""
    below = {name: one for name, one in sorted(tree.items()) if name.startswith(prefix)}
    if prefix and not below:
        raise RefusalError(404, f"{prefix} does not exist", "EntryNotFound")
    recursive = request.query.get("recursive", "false").lower() in ("true", "1")
    parents = {folder.as_posix() for name in below for folder in PurePosixPath(name).parents}
    folders = {name for name in parents if name.startswith(prefix) and name != "."}
    if not recursive:
        folders = {name for name in folders if "/" not in name.removeprefix(prefix)}
        below = {name: one for name, one in below.items() if "/" not in name.removeprefix(prefix)}
    found = [{"type": "directory", "path": name, "oid": "0" * 40, "size": 0} for name in sorted(folders)]
    return [*found, *(_entry(name, one) for name, one in below.items())]


def _paths_info(request: Request) -> Any:
    repository = request.repository()
    tree = repository.commits[request.commit(repository)].tree
    found: list[dict[str, Any]] = []
    for name in parse_qs(request.body.decode()).get("paths", []):
        if name in tree:
            found.append(_entry(name, tree[name]))
        elif any(other.startswith(f"{name}/") for other in tree):
            found.append({"type": "directory", "path": name, "oid": "0" * 40, "size": 0})
    return found


def _refs(request: Request) -> Any:
    repository = request.repository()
    answer: dict[str, Any] = {"branches": [], "converts": [], "tags": [], "pullRequests": []}
    for name, sha in repository.references.items():
        kind, ref = ("pullRequests", name) if name.startswith("refs/") else ("branches", f"refs/heads/{name}")
        answer[kind].append({"name": name.removeprefix("refs/pr/"), "ref": ref, "targetCommit": sha})
    for name, sha in repository.tags.items():
        answer["tags"].append({"name": name, "ref": f"refs/tags/{name}", "targetCommit": sha})
    return answer


def _preupload(request: Request) -> Any:
    repository = request.repository(write=True)
    tree = repository.commits[request.commit(repository)].tree
    files = []
    for one in request.json["files"]:
        held = tree.get(one["path"])
        mode = "lfs" if one["path"].endswith(LFS_SUFFIXES) else "regular"
        oid = (held.sha256 or held.blob) if held else None
        files.append({"path": one["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
    return {"files": files}


def _batch(request: Request) -> Any:
    request.repository(write=True)
    hub, objects = request.hub, []
    for one in request.json["objects"]:
        sha256, size, answer = one["oid"], one["size"], dict(one)
        if sha256 not in hub.objects:
            base = f"{hub.endpoint}/storage/{sha256}"
            upload: dict[str, Any] = {"href": base}
            if hub.multipart_above is not None and size > hub.multipart_above:
                chunk = hub.multipart_above
                parts = {f"{number:05d}": f"{base}/{number}" for number in range(1, -(-size // chunk) + 1)}
                upload = {"href": f"{base}/complete", "header": {"chunk_size": str(chunk), **parts}}
            verify = {"href": f"{hub.endpoint}/datasets/{request.parts['repo']}.git/info/lfs/objects/verify"}
            answer["actions"] = {"upload": upload, "verify": verify}
        objects.append(answer)
    return {"transfer": "basic", "objects": objects}


def _keep(request: Request, content: bytes) -> Any:
    sha256 = request.parts["sha256"]
    if hashlib.sha256(content).hexdigest() != sha256:
        raise RefusalError(400, "The sha256 you specified did not match what was received")
    request.hub.objects[sha256] = content
    request.hub.stored.append(sha256)
    return {}


def _store(request: Request) -> Any:
    return _keep(request, request.body)


def _store_part(request: Request) -> Any:
    request.hub.parts.setdefault(request.parts["sha256"], {})[int(request.parts["number"])] = request.body
    return 200, b"", {"ETag": f'"{hashlib.md5(request.body).hexdigest()}"'}


def _complete(request: Request) -> Any:
    parts = request.hub.parts.pop(request.parts["sha256"], {})
    for one in request.json["parts"]:
        if one["etag"].strip('"') != hashlib.md5(parts.get(one["partNumber"], b"")).hexdigest():
            raise RefusalError(400, "One or more of the specified parts could not be found: the ETag does not match")
    return _keep(request, b"".join(parts[number] for number in sorted(parts)))


def _verify(request: Request) -> Any:
    asked = request.json
    if len(request.hub.objects.get(asked["oid"], b"")) != asked["size"]:
        raise RefusalError(404, "Object does not exist")
    return {}


def _commit(request: Request) -> Any:
    repository = request.repository(write=True)
    if request.hub.before_commit:
        step, request.hub.before_commit = request.hub.before_commit, None
        step()
    reference = request.parts["rev"]
    head = repository.references.get(reference)
    if head is None:
        raise RefusalError(404, f"Invalid rev id: {reference}", "RevisionNotFound")
    lines = [json.loads(line) for line in request.body.splitlines()]
    header = lines[0]["value"]
    if header.get("parentCommit", head) != head:
        raise RefusalError(412, "A commit has happened since. Please refresh and try again.")
    tree = dict(repository.commits[head].tree)
    for line in lines[1:]:
        value = line["value"]
        if line["key"] == "file":
            tree[value["path"]] = small(base64.b64decode(value["content"]))
        elif line["key"] == "lfsFile":
            if value["oid"] not in request.hub.objects:
                raise RefusalError(400, "Your push was rejected: an LFS pointer pointed to a file that does not exist")
            tree[value["path"]] = large(value["oid"], value["size"])
        elif line["key"] == "deletedFile":
            if tree.pop(value["path"], None) is None:
                raise RefusalError(404, "A file with this name doesn't exist", "EntryNotFound")
        else:
            raise RefusalError(400, f"no operation {line['key']}")
    sha = repository.commit(reference, tree, header["summary"], header["description"])
    return {
        "commitUrl": f"{request.hub.endpoint}/datasets/{request.parts['repo']}/commit/{sha}",
        "commitOid": sha,
        "success": True,
    }


def _resolve(request: Request) -> Any:
    repository = request.repository()
    sha = request.commit(repository)
    one = repository.commits[sha].tree.get(request.parts["path"])
    if one is None:
        raise RefusalError(404, "Entry not found", "EntryNotFound")
    content, etag = request.hub.content(one), one.sha256 or one.blob
    headers = {"X-Repo-Commit": sha, "ETag": f'"{etag}"', "Accept-Ranges": "bytes"}
    headers |= {"Content-Type": "application/octet-stream"}
    if one.sha256:
        headers |= {"X-Linked-Size": str(one.size), "X-Linked-Etag": f'"{etag}"'}
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", request.headers.get("Range", "")))
    if not wanted:
        return 200, content, headers
    first, last = int(wanted[1]), min(int(wanted[2] or len(content) - 1), len(content) - 1)
    if first >= len(content):
        return 416, b"", {"Content-Range": f"bytes */{len(content)}"}
    headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
    return 206, content[first : last + 1], headers


def _branch(request: Request) -> Any:
    repository = request.repository(write=True)
    start = repository.resolve(request.json.get("startingPoint") or "main")
    if request.parts["branch"] in repository.references:
        raise RefusalError(409, "Reference already exists")
    if start is None:
        raise RefusalError(404, "Invalid rev id", "RevisionNotFound")
    repository.references[request.parts["branch"]] = start
    return {}


def _tag(request: Request) -> Any:
    repository = request.repository(write=True)
    if request.json["tag"] in repository.tags:
        raise RefusalError(409, "Tag reference exists already")
    repository.tags[request.json["tag"]] = request.commit(repository)
    return {}


def _discussion(repo: str, number: int, one: PullRequest) -> dict[str, Any]:
    facts = {"num": number, "title": one.title, "status": one.status, "author": {"name": "tester"}, "createdAt": NOW}
    changes = {"base": "refs/heads/main"}
    extra = {"isPullRequest": True, "repo": {"name": repo, "type": "dataset"}, "events": [], "changes": changes}
    return facts | extra | {"filesWithConflicts": []}


def _discussions(request: Request) -> Any:
    repository = request.repository()
    found = [_discussion(request.parts["repo"], number, one) for number, one in repository.requests.items()]
    return {"count": len(found), "start": 0, "discussions": found}


def _open(request: Request) -> Any:
    repository = request.repository(write=True)
    number = len(repository.requests) + 1
    repository.requests[number] = PullRequest(request.json["title"], repository.references["main"])
    repository.references[f"refs/pr/{number}"] = repository.references["main"]
    return {"num": number}


def _details(request: Request) -> Any:
    number = int(request.parts["number"])
    return _discussion(request.parts["repo"], number, request.repository().requests[number])


def _status(request: Request) -> Any:
    one = request.repository(write=True).requests[int(request.parts["number"])]
    one.status = request.json["status"]
    event = {"id": "1", "type": "status-change", "createdAt": NOW, "author": {"name": "tester"}}
    return {"newStatus": event | {"data": {"status": one.status}}}


def _merge(request: Request) -> Any:
    repository, number = request.repository(write=True), int(request.parts["number"])
    one = repository.requests[number]
    if one.status != "open":
        raise RefusalError(400, f"This pull request is {one.status}")
    if one.base != repository.references["main"]:
        raise RefusalError(409, "This pull request has conflicts")
    tree = repository.commits[repository.references[f"refs/pr/{number}"]].tree
    repository.commit("main", tree, f"{one.title} (#{number})", "")
    one.status = "merged"
    return {}


_API = r"/api/datasets/(?P<repo>[^/]+/[^/]+)"
_LFS = r"/datasets/(?P<repo>[^/]+/[^/]+)\.git/info/lfs/objects"
CALLS: tuple[tuple[str, str, Callable[[Request], Any]], ...] = (
    ("GET", r"/api/whoami-v2", _whoami),
    ("POST", r"/api/repos/create", _create),
    ("POST", r"/api/validate-yaml", _validate),
    ("GET", _API, _info),
    ("GET", _API + r"/revision/(?P<rev>[^/]+)", _info),
    ("GET", _API + r"/tree/(?P<rev>[^/]+)(?:/(?P<path>.+))?", _tree),
    ("POST", _API + r"/paths-info/(?P<rev>[^/]+)", _paths_info),
    ("GET", _API + r"/refs", _refs),
    ("POST", _API + r"/preupload/(?P<rev>[^/]+)", _preupload),
    ("POST", _API + r"/commit/(?P<rev>[^/]+)", _commit),
    ("POST", _API + r"/branch/(?P<branch>[^/]+)", _branch),
    ("POST", _API + r"/tag/(?P<rev>[^/]+)", _tag),
    ("GET", _API + r"/discussions", _discussions),
    ("POST", _API + r"/discussions", _open),
    ("GET", _API + r"/discussions/(?P<number>\d+)", _details),
    ("POST", _API + r"/discussions/(?P<number>\d+)/status", _status),
    ("POST", _API + r"/discussions/(?P<number>\d+)/merge", _merge),
    ("POST", _LFS + r"/batch", _batch),
    ("POST", _LFS + r"/verify", _verify),
    ("PUT", r"/storage/(?P<sha256>[0-9a-f]{64})", _store),
    ("PUT", r"/storage/(?P<sha256>[0-9a-f]{64})/(?P<number>\d+)", _store_part),
    ("POST", r"/storage/(?P<sha256>[0-9a-f]{64})/complete", _complete),
    ("GET|HEAD", r"/datasets/(?P<repo>[^/]+/[^/]+)/resolve/(?P<rev>[^/]+)/(?P<path>.+)", _resolve),
)
