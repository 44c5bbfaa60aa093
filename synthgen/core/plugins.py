"""Plug-ins: modules of which each is one way to do a thing, found by the name that the YAML calls it.

Built-in ones are a file each in one folder. Others come with an installed package, by an entry point of the group
``synthgen.strategies``, ``synthgen.sources`` and so on, or are a Python file that a manifest names. `stevedore
<https://docs.openstack.org/stevedore/>`_ and `pluggy <https://pluggy.readthedocs.io/>`_ find installed ones alone, and
know nothing of names that a manifest gives.
"""

from __future__ import annotations

import hashlib
import inspect
import pkgutil
import re
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from synthgen.core import trust
from synthgen.core.yaml_documents import near
from synthgen.errors import Fault, InputError, one_line

KINDS = ("strategies", "sources", "scorers", "methods", "runners", "formats")
NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}")
_PAGES = "docs/plugins"
# What the code of a plug-in may raise when it is imported; anything else shows its traceback.
_IMPORT_ERRORS = (
    SyntaxError, ImportError, NameError, AttributeError, TypeError, ValueError, LookupError, OSError,
)  # fmt: skip


def singular(kind: str) -> str:
    """What one of a kind is called in messages: ``strategy`` for ``strategies``."""
    return kind.removesuffix("ies") + "y" if kind.endswith("ies") else kind.removesuffix("s")


@dataclass(frozen=True)
class PluginFile:
    """A plug-in in a Python file that a manifest names; its text travels with it to whatever process uses it.

    Attributes:
        kind: One of ``KINDS``.
        name: What the manifest calls it.
        file: The path as written there.
        path: Where it was read.
        text: Its content; empty where the file is not there.
        expected: The sha256 that a run or dataset says it had; empty where nothing says so.
        place: Where in the manifest it is named; empty for ``plugins.KIND.NAME``.
    """

    kind: str
    name: str
    file: str
    path: Path
    text: str
    expected: str = ""
    place: str = ""

    @cached_property
    def sha256(self) -> str:
        """The sha256, in hex, of its text; of a file that is not there, what it had."""
        return text_sha256(self.text) if self.text else self.expected

    @property
    def version(self) -> dict[str, str]:
        """What its code is told apart by, as :meth:`PluginFolder.versions` says it."""
        return {f"{singular(self.kind)} {self.name}": f"sha256 {self.sha256}"}

    def fault(self, message: str, kind: str) -> Fault:
        """What is wrong with it, at its place in the manifest."""
        return Fault.at(self.place or f"plugins.{self.kind}.{self.name}", f"{self.path}: {message}", kind)

    def load(self, *, asked: bool = True) -> ModuleType:
        """The module that it is, imported once a process.

        Args:
            asked: Whether it is loaded only if the user trusts it; another process of the same work has asked before.

        Raises:
            InputError: It is not there, nobody has said that it may be run, or it can't be imported.
        """
        name = f"synthgen_plugin_{self.sha256[:16]}_{re.sub(r'[^a-z0-9]', '_', self.name)}"
        if name in sys.modules:
            return sys.modules[name]
        what = f"{singular(self.kind)} `{self.name}`"
        if not self.text:
            gone = f"the code of {what} (sha256 {self.sha256[:12]}) is not here; put it there"
            raise InputError(self.fault(gone if self.expected else "is empty", "not_found"))
        if asked and not trust.trusts(self.sha256):
            raise InputError(
                self.fault(
                    f"is code ({what}) that would run with your rights; read it, then say --trust-plugins or "
                    f"{trust.VARIABLE}=1, or name the manifest that names it",
                    "untrusted",
                )
            )
        module = ModuleType(name)
        module.__file__ = str(self.path)
        sys.modules[name] = module  # before it runs: pydantic looks annotations up there
        try:
            code = compile(self.text.removeprefix("\ufeff"), str(self.path), "exec")
            exec(code, module.__dict__)  # noqa: S102 - what a plug-in is
        except _IMPORT_ERRORS as error:
            del sys.modules[name]
            line = error.lineno if isinstance(error, SyntaxError) else _line(error, str(self.path))
            said = f"line {line}: {type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}"
            raise InputError(self.fault(f"can't be imported; {said}", "invalid")) from None
        except BaseException:
            del sys.modules[name]
            raise
        return module


class FilePlugin(str):
    """The name of a plug-in, which knows the file that it stands for.

    In all else it is a plain text, so that records, digests and files hold the name. Where it is unpickled the file's
    module is imported first, so that settings of its own class, which follow it, find that class.
    """

    file: PluginFile

    def __new__(cls, file: PluginFile) -> FilePlugin:
        """The name of a file."""
        made = super().__new__(cls, file.name)
        made.file = file
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (self.file,)


def _unpickled(file: PluginFile) -> FilePlugin:
    file.load(asked=False)
    return FilePlugin(file)


def text_sha256(text: str) -> str:
    """The sha256, in hex, of a file's text."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Promise:
    """What every plug-in of a kind has.

    Attributes:
        functions: Its functions, and the parameters that each is given, as they stand in its signature.
        settings: The class that its ``Settings`` is one of; ``None`` where it has none.
        values: Other names that it has.
    """

    functions: Mapping[str, str]
    settings: type | None = None
    values: tuple[str, ...] = ()

    def broken(self, module: object) -> str:
        """What a plug-in lacks, in words; empty where it has everything."""
        kind = getattr(module, "Settings", None)
        if self.settings and not (isinstance(kind, type) and issubclass(kind, self.settings)):
            return f"has no class `Settings({self.settings.__name__})`"
        for name in self.values:
            if not hasattr(module, name):
                return f"has no `{name}`"
        for name, parameters in self.functions.items():
            function = getattr(module, name, None)
            if not callable(function):
                return f"has no function `{name}({parameters})`"
            if not takes(function, parameters):
                return f"`{name}{inspect.signature(function)}` can't be called as `{name}({parameters})`"
        return ""


@dataclass(frozen=True)
class PluginFolder:
    """The plug-ins of one kind: built-in modules of a folder, those of installed packages, those of a manifest.

    Args:
        package: The folder; its last name is the kind.
        promise: What each module has.
        separator: What a name in the YAML has where its module's has an underscore.
        files: Those that a manifest names.
    """

    package: str
    promise: Promise
    separator: str = "_"
    files: Mapping[str, PluginFile] = field(default_factory=dict)

    @property
    def kinds(self) -> str:
        """The kind as a manifest and entry points call it: ``strategies`` for ``synthgen.diffusion.strategies``."""
        return self.package.rpartition(".")[2]

    @property
    def kind(self) -> str:
        """What one of these is called in messages: ``strategy``."""
        return singular(self.kinds)

    @property
    def group(self) -> str:
        """The group of its entry points: ``synthgen.strategies``."""
        return f"synthgen.{self.kinds}"

    def built_in(self) -> list[str]:
        """The names of the modules in the folder, sorted."""
        path = import_module(self.package).__path__
        names = [module.name for module in pkgutil.iter_modules(path) if module.name[0] != "_"]
        return sorted(name.replace("_", self.separator) for name in names)

    def installed(self) -> dict[str, list[EntryPoint]]:
        """The entry points of installed packages, by name; more than one of a name only where packages clash."""
        return _entry_points(self.group, tuple(sys.path))

    def packages(self, name: str) -> list[str]:
        """The packages, with their versions, that bring a plug-in of that name."""
        return [_package(point) for point in self.installed().get(name, [])]

    def names(self) -> list[str]:
        """Every name that there is, sorted."""
        return sorted({*self.built_in(), *self.installed(), *self.files})

    def named(self, name: str) -> str:
        """The name, which knows its file where a manifest names one."""
        return FilePlugin(self.files[name]) if name in self.files else name

    def with_files(self, files: Iterable[PluginFile]) -> PluginFolder:
        """The same, with the files that a manifest names."""
        return type(self)(
            self.package, self.promise, self.separator, {one.name: one for one in files if one.kind == self.kinds}
        )

    def clash(self, file: PluginFile) -> Fault | None:
        """That a file has the name of another plug-in of its kind, or one that can be nobody's; ``None`` if not."""
        place = f"plugins.{self.kinds}.{file.name}"
        if not NAME.fullmatch(file.name):
            said = f"can't name a {self.kind}; use lower-case letters, digits, hyphens and underscores"
            return Fault.at(place, said, "invalid")
        if self.kinds == "scorers" and "-" in file.name:
            said = f"can't name a scorer, since rules could not call its columns; use {file.name.replace('-', '_')}"
            return Fault.at(place, said, "invalid")
        if file.name in self.built_in():
            other = "is built in"
        elif points := self.installed().get(file.name):
            other = f"comes with {_package(points[0])}"
        else:
            return None
        return Fault.at(place, f"a {self.kind} of that name {other}; call {file.file} something else", "conflict")

    def module(self, name: str) -> Any:
        """The plug-in of that name: a module, or the object that an entry point names.

        Raises:
            InputError: There is none, or it is not what a plug-in of this kind is; one line.
        """
        if isinstance(name, FilePlugin) or name in self.files:
            file = name.file if isinstance(name, FilePlugin) else self.files[name]
            return self._checked(file.load(), file)
        built_in, points = name in self.built_in(), self.installed().get(name, [])
        if built_in and not points:
            return import_module(f"{self.package}.{name.replace(self.separator, '_')}")
        if not points:
            raise InputError(Fault(f"no {self.kind} `{name}`; {near(name, self.names())}", kind="not_found"))
        owners = [*(["synthgen itself"] if built_in else []), *map(_package, points)]
        if len(owners) > 1:
            said = f"{self.kind} `{name}`: comes with {' and '.join(owners)}; uninstall one, or rename its entry point"
            raise InputError(Fault(said, kind="conflict"))
        try:
            return self._checked(points[0].load(), points[0])
        except _IMPORT_ERRORS as error:
            said = f"can't be imported; {type(error).__name__}: {error}"
            raise InputError(_fault_of(points[0], self.kind, said)) from None

    def chosen(self, name: str, given: object) -> Any:
        """The plug-in that a name chooses, or what stands under the name, as parsed.

        Raises:
            InputError: There is none.
        """
        return self.module(name)

    def help(self, name: str) -> str:
        """The first line of a plug-in's docstring."""
        return (self.module(name).__doc__ or "").strip().partition("\n")[0]

    def versions(self, name: str) -> dict[str, str]:
        """What its code is told apart by, for what a run pins: nothing for a built-in one, whose version is ours."""
        if isinstance(name, FilePlugin):
            return name.file.version
        if name in self.built_in() or not (points := self.installed().get(name)):
            return {}
        return {f"{self.kind} {name}": _package(points[0])}

    def import_fault(self, name: str) -> str:
        """Why an installed plug-in can't be imported, on one line; empty where it can."""
        try:
            for point in self.installed().get(name, []):
                point.load()
        except Exception as error:  # noqa: BLE001 - somebody else's code may raise anything
            return one_line(f"{type(error).__name__}: {error}")
        return ""

    def hint(self, module: object) -> str:
        """What something that is no plug-in of this kind may be meant as, ending in ``; ``; empty where unknown."""
        return ""

    def _checked(self, module: Any, origin: PluginFile | EntryPoint) -> Any:
        """The module, if it keeps the promise of its kind."""
        broken = self.promise.broken(module)
        if not broken:
            return module
        said = f"{broken}; {self.hint(module)}see {_PAGES}/{self.kind}.md"
        raise InputError(
            origin.fault(said, "invalid") if isinstance(origin, PluginFile) else _fault_of(origin, self.kind, said)
        )


@lru_cache(maxsize=32)
def _entry_points(group: str, _path: tuple[str, ...]) -> dict[str, list[EntryPoint]]:
    """The entry points of a group, by name; looked for once for what ``sys.path`` says."""
    found: dict[str, list[EntryPoint]] = {}
    for point in sorted(entry_points(group=group), key=lambda one: (one.name, _package(one))):
        others = found.setdefault(point.name, [])
        if all(_package(point) != _package(other) or point.value != other.value for other in others):
            others.append(point)
    return found


def _package(point: EntryPoint) -> str:
    """The package of an entry point, with its version."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def _fault_of(point: EntryPoint, kind: str, said: str) -> Fault:
    return Fault(f"{kind} `{point.name}` of {_package(point)} ({point.value}): {said}", kind="invalid")


def _line(error: BaseException, path: str) -> int:
    """The last line of a file that an error went through."""
    lines = [frame.lineno or 0 for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return lines[-1] if lines else 0


def takes(function: Any, parameters: str) -> bool:
    """Whether a function can be called with parameters, those after ``*`` by keyword; ``""`` for none."""
    positional, _, keywords = parameters.partition("*, ")
    try:
        inspect.signature(function).bind(
            *(None for one in positional.split(", ") if one), **dict.fromkeys(keywords.split(", ") if keywords else [])
        )
    except TypeError:
        return False
    except ValueError:  # a function of C, which does not tell
        return True
    return True
