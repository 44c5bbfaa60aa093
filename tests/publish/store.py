"""What the tests' Hub remembers: repositories, their commits, branches, tags and pull requests, and stored objects."""

import hashlib
from dataclasses import dataclass, field

GITATTRIBUTES = b"*.tar filter=lfs diff=lfs merge=lfs -text\n"
Snapshot = dict[str, str]


@dataclass(frozen=True)
class File:
    """A file of a commit: a small one with its content, a large one by its sha256 alone."""

    size: int
    blob: str
    content: bytes = b""
    sha256: str = ""


@dataclass(frozen=True)
class Commit:
    """A whole tree, what it came from, and what was said of it."""

    tree: dict[str, File]
    title: str
    body: str
    parent: str | None


@dataclass
class PullRequest:
    """A pull request towards main."""

    title: str
    base: str
    status: str = "draft"


@dataclass
class Repository:
    """One dataset repository; a new one has a first commit with .gitattributes, as the Hub makes it."""

    private: bool
    commits: dict[str, Commit] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    requests: dict[int, PullRequest] = field(default_factory=dict)
    seen: list[Snapshot] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.commit("main", {".gitattributes": small(GITATTRIBUTES)}, "initial commit", "")

    def commit(self, reference: str, tree: dict[str, File], title: str, body: str) -> str:
        """Add a commit to a branch or pull request."""
        parent = self.references.get(reference)
        facts = [
            str(len(self.commits)),
            reference,
            title,
            *(f"{name} {one.blob}" for name, one in sorted(tree.items())),
        ]
        name = hashlib.sha1("\n".join(facts).encode()).hexdigest()
        self.commits[name] = Commit(tree, title, body, parent)
        self.references[reference] = name
        return name

    def resolve(self, revision: str) -> str | None:
        """The commit that a branch, tag, pull request or commit id stands for."""
        if revision in self.commits:
            return revision
        return self.references.get(revision) or self.tags.get(revision)

    def snapshot(self, revision: str = "main") -> Snapshot:
        """Every file and its hash, .gitattributes left out."""
        tree = self.commits[self.resolve(revision) or ""].tree
        return {name: one.sha256 or one.blob for name, one in tree.items() if name != ".gitattributes"}

    def count(self, reference: str = "main") -> int:
        """How many commits a branch has, the first left out."""
        found, name = -1, self.references.get(reference)
        while name is not None:
            found, name = found + 1, self.commits[name].parent
        return found

    def observe(self) -> None:
        """Remember what someone who looks at main now would see."""
        now = self.snapshot()
        if not self.seen or self.seen[-1] != now:
            self.seen.append(now)


def small(content: bytes) -> File:
    """A file that git keeps itself, under its blob id."""
    return File(len(content), hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(), content)


def large(sha256: str, size: int) -> File:
    """A file that git keeps as an LFS pointer."""
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
    return File(size, small(pointer).blob, sha256=sha256)
