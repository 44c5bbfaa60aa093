"""Strict YAML documents: no duplicate keys, no Python, and every fault as ``path: message``.

Not strictyaml or ruamel.yaml: neither gives duplicate keys, the path of each fault and a suggestion together.
"""

import difflib
from collections.abc import Hashable, Iterable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from synthgen.errors import Fault, ManifestError, one_line

_MAX_BYTES = 16 * 1024 * 1024  # of a file; what of it is YAML is looked at closer
_MAX_TEXT = 4 * 1024 * 1024  # characters that PyYAML reads in a few seconds
_MAX_NODES = 50_000  # keys and values, each alias counted as all that it stands for
_TOO_LONG = "is this the right file? Names of many images go into a file of their own, as `real.exclude.file`"
_MAX_NUMBER = 400  # characters of a number: Python refuses to print more than 4,300 digits
# What PyYAML raises of a tag that does not fit its value, and of nesting that no manifest has.
_ILL_FITTING = (ValueError, LookupError, AttributeError, TypeError, ArithmeticError, RecursionError)
Model = TypeVar("Model", bound="Strict")


class Strict(BaseModel):
    """A part of a document: unknown keys refused, no coercion, finite numbers, frozen once read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, str_min_length=0)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, except that a key given twice is a fault, and one that is another number than it seems.

    So is a document of more values than a person writes, or that aliases and merges make so many of: what is small and
    takes hours is no manifest. Not PyYAML's loader in C, which deep nesting crashes.
    """

    any_number = False
    any_length = False
    _nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Read a node and count it."""
        self._nodes += 1
        if self._nodes > _MAX_NODES and not self.any_length:
            raise ManifestError(Fault(f"more than {_MAX_NODES:,} keys and values; {_TOO_LONG}"))
        return super().compose_node(parent, index)

    def get_single_node(self) -> yaml.Node | None:
        """The document, refused where its aliases stand for too much."""
        node = super().get_single_node()
        if node is not None:
            _expanded(node, {}, _MAX_NODES + (self._nodes if self.any_length else 0))
        return node

    def construct_number(self, node: yaml.ScalarNode) -> Any:
        """Build a number of reasonable length."""
        if len(str(node.value)) > _MAX_NUMBER:
            said = f"a number of {len(node.value):,} characters; put it in quotes if it is a text"
            raise ManifestError(Fault.at(f"line {node.start_mark.line + 1}", said, "out_of_range"))
        return (self.construct_yaml_int if node.tag.endswith(":int") else self.construct_yaml_float)(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Build a mapping and refuse a second occurrence of a key, naming its line."""
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if isinstance(key, Hashable) and key in seen:
                said = f"`{key}` is given twice (first in line {seen[key]})"
                raise ManifestError(Fault.at(f"line {line}", said, "duplicate"))
            number = isinstance(key, int) and not isinstance(key, bool)
            if number and not self.any_number and not _is_decimal(key_node.value, key):
                said = f"`{key_node.value}` is the number {key} to YAML; put it in quotes"
                raise ManifestError(Fault.at(f"line {line}", said, "wrong_type"))
            if isinstance(key, Hashable):
                seen[key] = line
        return super().construct_mapping(node, deep=deep)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_number)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_number)


def _expanded(node: yaml.Node, sizes: dict[int, int], most: int) -> int:
    """How many nodes a node is, each alias within it counted as all that it stands for.

    Args:
        node: The node.
        sizes: What is known of others, by their ``id()``.
        most: How many it may be.

    Raises:
        ManifestError: They are too many, or it stands for itself.
    """
    line = f"line {node.start_mark.line + 1}"
    if id(node) in sizes:
        if not sizes[id(node)]:
            raise ManifestError(Fault.at(line, "an alias that stands for itself", "invalid"))
        return sizes[id(node)]
    sizes[id(node)] = 0
    parts = [one for pair in node.value for one in pair] if isinstance(node, yaml.MappingNode) else node.value
    size = 1 + (0 if isinstance(node, yaml.ScalarNode) else sum(_expanded(one, sizes, most) for one in parts))
    if size > most:
        said = f"its aliases stand for more than {most:,} keys and values"
        raise ManifestError(Fault.at(line, said, "out_of_range"))
    sizes[id(node)] = size
    return size


class _KeptLoader(_Loader):
    """The same with any number as a key, and of any length: what earlier versions have kept opens as they have read it.

    What its aliases stand for beyond what is written is limited all the same.
    """

    any_number = True
    any_length = True


def _is_decimal(written: str, number: int) -> bool:
    """Whether a number is what its digits say to people: not for ``010``, which is 8 to YAML, and ``1:30``."""
    try:
        return int(written) == number
    except ValueError:
        return False


def parse(text: str, where: str, *, kept: bool = False) -> dict[str, Any]:
    """The mapping that a YAML text holds.

    Args:
        text: The document.
        where: What faults call the document: a file's name.
        kept: Whether a run or dataset keeps it, and nobody has just written it: a key such as ``010`` is then the 8
            that it is to YAML, and it may be as long as a file may be.

    Raises:
        ManifestError: It is not YAML, has a key twice or one that is another number than its digits say, or its top is
            not a mapping.
    """
    if len(text) > _MAX_TEXT and not kept:
        said = f"more than {_MAX_TEXT >> 20} MiB of YAML; {_TOO_LONG}"
        raise ManifestError(Fault.at(where, said, "unreadable"))
    try:
        document = yaml.load(text, _KeptLoader if kept else _Loader)  # noqa: S506 - both are a SafeLoader
    except ManifestError as error:
        raise ManifestError(*(fault.in_file(where) for fault in error.faults)) from None
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}" if error.problem_mark else "somewhere"
        fault = Fault.at(line, f"not valid YAML: {error.problem}", "syntax")
        raise ManifestError(fault.in_file(where)) from None
    except yaml.YAMLError as error:
        raise ManifestError(Fault.at(where, f"not valid YAML: {one_line(error)}", "syntax")) from None
    except _ILL_FITTING as error:
        raise ManifestError(Fault.at(where, f"not valid YAML: {error}", "syntax")) from None
    if not isinstance(document, dict):
        said = f"expected `key: value` lines, found {_described(document)}"
        raise ManifestError(Fault.at(where, said, "wrong_type"))
    return document


def read_text(path: Path) -> str:
    """The text of a UTF-8 file of reasonable size.

    Raises:
        ManifestError: It can't be read, is larger than 16 MiB, or is not UTF-8.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ManifestError(Fault.at(str(path), "larger than 16 MiB; is this the right file?", "unreadable"))
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ManifestError(Fault.at(str(path), not_utf8(error), "unreadable")) from None
    except OSError as error:
        kind = "not_found" if isinstance(error, FileNotFoundError) else "unreadable"
        raise ManifestError(Fault.at(str(path), str(error.strerror or error), kind)) from None


def not_utf8(error: UnicodeDecodeError) -> str:
    """What to say of a text that is in another encoding: the first line with a byte that UTF-8 has not, and that line.

    Encodings of one byte a letter take any byte, so which one it is can't be told; the line as Latin-1 is shown.
    """
    before, content = error.object[: error.start], error.object
    line = content[before.rfind(b"\n") + 1 :].split(b"\n", 1)[0].decode("latin-1").strip()
    shown = "".join(letter if letter.isprintable() else " " for letter in line[:60])
    return (
        f"line {before.count(chr(10).encode()) + 1}: not UTF-8 text; in Latin-1 it is `{shown}`; save the file as UTF-8"
    )


def validate(model: type[Model], document: object, prefix: str = "") -> tuple[Model | None, list[Fault]]:
    """Check a parsed document against a model; return it, or ``None`` and every fault at once."""
    try:
        return model.model_validate(document), []
    except ValidationError as error:
        return None, [_fault(model, detail, prefix) for detail in error.errors()]


def sound(model: type[Model], document: object) -> dict[str, Any]:
    """What of a document is right taken alone, by field; what is at fault, or needed and missing, is left out."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        key = field.alias or name
        if not isinstance(document, dict) or key not in document:
            if not field.is_required():
                found[name] = field.get_default(call_default_factory=True)
            continue
        try:
            found[name] = _adapters(model)[name].validate_python(document[key], strict=True)
        except ValidationError:
            continue
    return found


@cache
def _adapters(model: type[Model]) -> dict[str, TypeAdapter[Any]]:
    """What checks each field of a model alone."""
    kinds: dict[str, Any] = {
        name: Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
        for name, field in model.model_fields.items()
    }
    return {name: TypeAdapter(kind) for name, kind in kinds.items()}


def near(word: object, known: Iterable[object]) -> str:
    """A suggestion for a mistyped word, or what there is to choose from."""
    choices = [str(choice) for choice in known]
    close = difflib.get_close_matches(str(word), choices, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"there are: {', '.join(choices)}" if choices else "there are none"


def path_of(location: Iterable[object], prefix: str = "") -> str:
    """A place in a document, as it is written in faults: ``generate[0].settings.height``."""
    path = prefix
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part != "[key]":
            path += f".{part}" if path else str(part)
    return path


# pydantic's own names of what can be wrong with a value, as kinds of faults; others end in `_type` or are `invalid`.
_KINDS = {
    "extra_forbidden": "unknown_key",
    "missing": "missing",
    "literal_error": "not_found",
    "enum": "not_found",
    **dict.fromkeys(
        ("greater_than", "greater_than_equal", "less_than", "less_than_equal", "too_short", "too_long",
         "string_too_short", "string_too_long", "finite_number"),
        "out_of_range",
    ),
}  # fmt: skip


def _fault(model: type[BaseModel], detail: Any, prefix: str) -> Fault:
    location, what, given = detail["loc"], detail["type"], detail["input"]
    path = path_of(location, prefix) or "top"
    kind = _KINDS.get(what, "wrong_type" if what.endswith("_type") else "invalid")
    match what:
        case "extra_forbidden":
            message = f"unknown key; {near(location[-1], _fields_at(model, location[:-1]))}"
        case "missing":
            message = "missing; this key is needed"
        case "string_type":
            message = f"expected text, found {_described(given)}; put it in quotes"
        case "value_error":
            message = str(detail["ctx"]["error"])
        case _:
            said = detail["msg"].removeprefix("Input ").removeprefix("Value error, ")
            message = f"{said}, found {_described(given)}"
    return Fault.at(path, message, kind)


def _fields_at(model: type[BaseModel], location: Iterable[object]) -> list[str]:
    """The keys a model knows at a place inside it."""
    current: Any = model
    for part in location:
        if isinstance(part, str) and part in getattr(current, "model_fields", {}):
            current = _inner(current.model_fields[part].annotation)
    return [field.alias or name for name, field in getattr(current, "model_fields", {}).items()]


def _inner(annotation: Any) -> Any:
    """The model inside ``list[Model]``, ``Model | None`` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        found = _inner(part)
        if found is not None:
            return found
    return None


def _described(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
