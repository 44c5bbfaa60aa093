"""What ``publish`` says as it goes: one frozen record for each thing that happened."""

from dataclasses import dataclass
from typing import Literal

from synthgen.publish.diff import Changes
from synthgen.publish.persons import Sighting


@dataclass(frozen=True, slots=True)
class Begun:
    """A step begins: ``check`` or ``send``, over so many files and bytes."""

    step: Literal["check", "send"]
    files: int
    size: int


@dataclass(frozen=True, slots=True)
class Checked:
    """A file of the folder was read from its first byte to its last."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Compared:
    """What has to be sent and deleted, said before anything is.

    Attributes:
        changes: What would be added, deleted and left.
        commits: How many commits it takes.
        repository: In words: whether the repository exists, and who can see it.
        not_compared: Why the Hub's side is not known; empty where it is.
        identifying: What of the dataset could name a person, column by column.
        source_rows: What of the real images' own rows would be seen; empty where it has none.
    """

    changes: Changes
    commits: int
    repository: str
    not_compared: str = ""
    identifying: tuple[Sighting, ...] = ()
    source_rows: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """A file's bytes are on the Hub, where nobody sees them yet."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Committed:
    """A commit was made, on the branch itself or on a pull request."""

    commit: str
    reference: str
    operations: int


@dataclass(frozen=True, slots=True)
class Merged:
    """A filled pull request became the branch, all at once."""

    pull_request: int
    commit: str


@dataclass(frozen=True, slots=True)
class Published:
    """The Hub holds the dataset: each file was compared by its hash.

    Attributes:
        url: Where it is.
        commit: The commit that holds it.
        commits: How many commits this run made; none where the Hub held it already.
        files: How many files were compared.
        size: Their bytes.
        tag: The tag on that commit; empty where none was asked for.
    """

    url: str
    commit: str
    commits: int
    files: int
    size: int
    tag: str = ""


Event = Begun | Checked | Compared | Sent | Committed | Merged | Published
