"""What a run's images rest on and no work shard holds, kept the same here and on its mirror.

These are ``run.json``, the index of real images and those kept with it, what was topped up and set aside, adapters,
copies of plug-ins and the salt of pseudonyms. On the mirror each lies under its sha256, so that none is ever written
over, and a list, which is written last, says which name it has in a run: whoever is killed in between has changed
nothing. Each list has a number and is created, never written over, so of two machines that add to one list the second
sees what the first has added; ``mirror.json`` is a copy of one of the newest, from which the newest is looked for. It
names what was taken away, too. Which side is newer follows from what both had when they last met, never from a clock:
what has changed on one side alone is taken by the other, what has changed on both is refused. Not the package fsspec's
own ``rsync``, which goes by sizes and times.
"""

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from synthgen.core import adapter_folder, atomic, locks
from synthgen.core.hashing import sha256_file
from synthgen.errors import InputError, MirrorError, PlanMismatchError
from synthgen.plan import top_ups
from synthgen.plan.manifest import plugin_files
from synthgen.runs import run_file, run_folder, set_aside
from synthgen.runs.mirror import differences, lists, removed
from synthgen.runs.mirror.lists import LISTING, List, Listing
from synthgen.runs.mirror.store import Store, retried
from synthgen.runs.own_files import own_file

HOME = ".mirror"
RUN = "run.json"
_ROUNDS = 20  # how often a list is added to that others add to meanwhile
_NAMED = 3
_RULES = ("name", "manifest", "prompts", "plugins")
_log = logging.getLogger(__name__)
_SMALL = 16 * 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")
_INDEX = re.compile(r"sources[^/]*\.parquet")
_SALT = ".pseudonyms"
_FILES = (top_ups.FILE, set_aside.FILE, _SALT)
_FOLDERS = (adapter_folder.FOLDER, plugin_files.FOLDER, "sources")


def files(root: Path) -> Iterator[str]:
    """The paths, in a run, of the files that its images rest on beside work shards; none that somebody is writing."""
    for name in (RUN, *_FILES):
        if (root / name).is_file():
            yield name
    yield from (path.name for path in sorted(root.glob("sources*.parquet")))
    for folder in _FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            inside = path.relative_to(root)
            if path.is_file() and not any(part.startswith(".") for part in inside.parts if part != ".aside"):
                yield inside.as_posix()


class State:
    """The files of a run beside its work shards, here and on its mirror.

    Args:
        store: The mirror.
        root: The run's folder.
    """

    def __init__(self, store: Store, root: Path) -> None:
        self._store, self._root = store, root
        self._seen = root / HOME / f"{hashlib.sha256(store.name.encode()).hexdigest()[:16]}.json"
        self._sent: tuple[object, ...] | None = None
        self._brought, self._said = set[str](), False

    def bring(self, *, running: bool = False) -> bool:
        """Whether the mirror has a run, which this folder then follows, as far as it is the newer of the two.

        Args:
            running: Whether images are made here now, so that the plan has to stay.

        Raises:
            PlanMismatchError: The two are of other plans, or were begun otherwise, or one file has changed on both.
            MirrorError: Something can't be had.
        """
        if lists.newest(self._store) is None:
            return False
        with self._alone():
            self._bring(lists.newest(self._store) or List(), running=running)
        return True

    def _bring(self, there: List, *, running: bool) -> None:
        listing = there.files
        if RUN not in listing:
            raise InputError(f"{self._store.name}: holds another thing than a run; give each run a place of its own")
        mine, met = self._mine(), self._memory()
        if mine == listing:
            self._remember(listing, self._document())
            return
        document = self._theirs(listing[RUN])
        follow = self._follows(document, running=running)
        before = met.files if run_file.is_run(self._root) else {}
        if run_file.is_run(self._root):
            differences.with_pins(self._document(), document, met.pins, self._store.name)  # refused before all else
            self._settle(document, met, follow=follow)
        if removed.follow(self._root, there.files, there.gone, mine, before):
            mine = self._mine()
        wanted = [
            name
            for name, sha256 in listing.items()
            if name != RUN
            and mine.get(name) != sha256
            and not (name == _SALT and name in mine)
            and not removed.stays_away(name, listing, mine, before)
        ]
        for name in wanted:
            if name in mine and before.get(name) not in (mine[name], listing[name]):
                raise PlanMismatchError(
                    f"{self._root / name}: is another one than {self._store.name}/{name}; move one of them away, "
                    "or use another --out or --mirror"
                )
        for name in wanted:
            if name not in mine or mine[name] == before.get(name):  # else ours is the newer
                self._fetch(name, listing[name])
        if follow or not run_file.is_run(self._root):
            self._adopt(document)
        else:
            self._merge_pins(document)
        left = self._left(there, mine, met)
        if left and not self._said:
            _log.warning(
                "%s: %d files that were taken away on another machine are still here (%s): they are copied to no "
                "other; remove them here too, if nobody is to have them",
                self._root, len(left), ", ".join(list(left)[:_NAMED]),
            )  # fmt: skip
            self._said = True
        self._remember({**listing, **left}, document)

    @staticmethod
    def _left(there: List, mine: Listing, met: "_Met") -> Listing:
        """What lies here and was taken away elsewhere, unchanged since: nothing is deleted, and it goes nowhere."""
        return {
            name: sha256
            for name, sha256 in mine.items()
            if name not in there.files
            and there.gone.get(name) == sha256
            and (met.files.get(name) == sha256 or not met.identity)
        }

    def _settle(self, document: Mapping[str, Any], met: "_Met", *, follow: bool) -> None:
        """Take over what the mirror's manifest says of curate, pack and publish, where it has changed there alone.

        Raises:
            PlanMismatchError: It has changed on both sides, and otherwise.
        """
        held = self._document()
        here, there = _digest(held), _digest(document)
        if there in (here, met.manifest):
            return
        if here != met.manifest:
            if met.identity and (apart := differences.rules(document, held)):
                raise PlanMismatchError(
                    f"{self._store.name}: its run is curated, packed or published otherwise by now ({apart}), and so "
                    f"is this one; run `synthgen curate {self._root} --manifest` without --mirror, with a manifest "
                    "that says what is there, or use another --mirror"
                )
            return
        if follow:
            return  # all of it is taken over
        with run_file.locked(self._root):
            held = {name: one for name, one in self._document().items() if name not in _RULES}
            run_file.check_seal(self._root)
            run_file.write(self._root, held | {name: document[name] for name in _RULES if name in document})

    def send(self) -> None:
        """Copy what is newer here to the mirror, its list last; what others have added there comes here first.

        Raises:
            PlanMismatchError: The mirror is of another plan by now.
            MirrorError: Something can't be copied.
        """
        with self._alone():
            for _ in range(_ROUNDS):
                stamp, there = self._stamp(), lists.newest(self._store)
                if there:
                    self._bring(there, running=True)
                if self._send(there or List()):
                    self._sent = stamp
                    return
        raise MirrorError(f"{self._store.name}: others write its list again and again", passing=True)

    def _send(self, there: List) -> bool:
        """Whether the mirror lists what is here now; not where another machine was the first to add to its list."""
        here = self._mine()
        left = self._left(there, here, self._memory())
        mine = {name: self._put(name, sha256, there.files) for name, sha256 in here.items() if name not in left}
        if _SALT in there.files:  # whoever packed first has chosen it
            mine[_SALT] = there.files[_SALT]
        gone = {name: sha256 for name, sha256 in {**there.gone, **there.files}.items() if name not in mine}
        if (there.files, there.gone) != (mine, gone):
            number = there.number + 1
            content = List(number, mine, gone).to_json()
            if (
                not self._store.create(lists.place(number), content)
                and self._store.read(lists.place(number)) != content
            ):
                return False
            self._store.write(LISTING, content)
        self._remember({**mine, **left}, self._document())
        return True

    def _put(self, name: str, sha256: str, listing: Listing) -> str:
        """The sha256 of a file that is on the mirror now."""
        path = self._root / name
        if path.stat().st_size > _SMALL:
            if listing.get(name) != sha256 and self._store.size(_object(sha256)) != path.stat().st_size:
                self._store.put(path, _object(sha256))
            return sha256
        content = path.read_bytes()  # which may have changed since
        sha256 = hashlib.sha256(content).hexdigest()
        if listing.get(name) != sha256:
            self._store.write(_object(sha256), content)
        return sha256

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let no other thread or process here compare and copy meanwhile."""
        home = self._root / HOME
        home.mkdir(parents=True, exist_ok=True)
        with locks.held(home / "lock"):
            yield

    @property
    def is_sent(self) -> bool:
        """Whether ``run.json`` and the salt of pseudonyms are what they were when they were last copied."""
        return self._sent is not None and self._sent == self._stamp()

    def undo(self) -> None:
        """Take away what was brought to a folder that was no run before; what it held already stays."""
        for name in (RUN, *sorted(self._brought)):  # run.json first, so that what is left is no run
            (self._root / name).unlink(missing_ok=True)
        shutil.rmtree(self._root / HOME, ignore_errors=True)

    def _stamp(self) -> tuple[object, ...]:
        status = (self._root / RUN).stat()
        return status.st_size, status.st_mtime_ns, (self._root / _SALT).is_file()

    def _mine(self) -> dict[str, str]:
        found = dict[str, str]()
        for name in files(self._root):
            status = (self._root / name).stat()
            found[name] = _sha256(self._root / name, status.st_size, status.st_mtime_ns)
        return found

    def _document(self) -> dict[str, Any]:
        return run_file.read(self._root)

    def _theirs(self, sha256: str) -> dict[str, Any]:
        """The ``run.json`` of the mirror, checked."""
        if not self._store.fetch(_object(sha256), self._root / HOME / RUN, sha256):
            raise self._changed(RUN)
        return run_file.read(self._root / HOME)

    def _follows(self, document: Mapping[str, Any], *, running: bool) -> bool:
        """Whether the mirror's run is to take the place of this one.

        Raises:
            PlanMismatchError: It is of another plan, and so is what was here when they last met.
        """
        if not run_file.is_run(self._root):
            return True
        ours, theirs, before = (
            differences.identity(self._document()),
            differences.identity(document),
            self._memory().identity,
        )
        if theirs in {ours, before}:
            return False
        if running:
            raise PlanMismatchError(
                f"{self._store.name}: follows another plan since ({self._difference(document)}); run the same command "
                "again, with the manifest as it is now"
            )
        if ours == before or not any(self._root.glob("*/**/*.tar")):
            return True
        raise PlanMismatchError(
            f"{self._store.name}: holds a run of another plan ({self._difference(document)}); use another --mirror or "
            "--out, or undo the change"
        )

    def _difference(self, document: Mapping[str, Any]) -> str:
        return differences.keys(document, self._document())

    def _adopt(self, document: dict[str, Any]) -> None:
        """Follow the mirror's run, with what is pinned here already; relative paths start where they do here."""
        self._root.mkdir(parents=True, exist_ok=True)
        with run_file.locked(self._root):
            if run_file.is_run(self._root):
                held = self._document()
                document = differences.with_pins(document, held, self._memory().pins, self._store.name)
                document = document | {"base": held.get("base", document.get("base"))}
            run_file.write(self._root, document)

    def _merge_pins(self, document: Mapping[str, Any]) -> None:
        with run_file.locked(self._root):
            held = self._document()
            merged = differences.with_pins(held, document, self._memory().pins, self._store.name)
            if merged != held:
                run_file.check_seal(self._root)
                run_file.write(self._root, merged)

    def _fetch(self, name: str, sha256: str) -> None:
        """Copy one file here.

        Raises:
            InputError: The list names what is no file of a run.
            MirrorError: It is not what the list says, or can't be had.
        """
        top = name.partition("/")[0]
        known = name in _FILES or (top in _FOLDERS and top != name) or _INDEX.fullmatch(name)
        if not known or "\\" in name:
            raise InputError(f"{self._store.name}/{LISTING}: names what is no file of a run: {name[:80]}")
        path = own_file(self._root, name)
        new = not path.exists()
        if not self._store.fetch(_object(sha256), path, sha256, mode=0o600 if name == _SALT else None):
            raise self._changed(name)
        if new:
            self._brought.add(name)

    def _changed(self, name: str) -> MirrorError:
        said = f"{self._store.name}: its {name} is not what was written; put back a copy, or use another --mirror"
        return MirrorError(said, passing=True)  # what was read may have been cut

    def _memory(self) -> "_Met":
        """What this folder and the mirror had when they last met."""
        try:
            return _Met(**json.loads(self._seen.read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return _Met("", {}, {}, "")

    def _remember(self, listing: Listing, document: Mapping[str, Any]) -> None:
        met = _Met(differences.identity(document), dict(listing), differences.pins(document), _digest(document))
        if self._memory() != met:
            atomic.write(self._seen, json.dumps(asdict(met)).encode())


@dataclass(frozen=True, slots=True)
class _Met:
    """What a folder and its mirror both had when they last met.

    Attributes:
        identity: What names the plan that they followed; empty where they never met.
        files: The sha256 of each file.
        pins: The environment that was pinned for each entry.
        manifest: The sha256 of the text of its manifest.
    """

    identity: str
    files: Listing
    pins: Mapping[str, Any]
    manifest: str = ""


def bring(state: State, root: Path, stop: Callable[[], bool]) -> bool:
    """What :meth:`State.bring` does, asked again where a fault may pass; nothing is written to a folder of others.

    Raises:
        InputError: The folder holds something else.
    """
    if not (root / HOME / RUN).is_file():  # as of who died while it was brought
        run_folder.check_ours(root)
    return retried(state.bring, stop)


def _digest(document: Mapping[str, Any]) -> str:
    """The sha256, in hex, of the text of a run's manifest."""
    return hashlib.sha256(str(document.get("manifest", "")).encode()).hexdigest()


def _object(sha256: str) -> str:
    """The name on the mirror of what has a sha256.

    Raises:
        InputError: It is none.
    """
    if not _SHA256.fullmatch(sha256):
        raise InputError(f"{LISTING}: `{sha256[:80]}` is no sha256")
    return f".state/{sha256}"


@lru_cache(maxsize=65_536)
def _sha256(path: Path, _size: int, _mtime_ns: int) -> str:
    return sha256_file(path)
