"""Strict YAML documents: no duplicate keys, no Python, and every fault as ``path: message``.

Not strictyaml or ruamel.yaml: neither gives duplicate keys, the path of each fault and a suggestion together.
"""

import difflib
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from synthgen.errors import ManifestError, one_line

_MAX_BYTES = 16 * 1024 * 1024
Model = TypeVar("Model", bound="Strict")


class Strict(BaseModel):
    """A part of a document: unknown keys refused, no coercion, finite numbers, frozen once read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, str_min_length=0)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, except that a key given twice is a fault."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Build a mapping and refuse a second occurrence of a key, naming its line."""
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if isinstance(key, Hashable) and key in seen:
                raise ManifestError(f"line {line}: `{key}` is given twice (first in line {seen[key]})")
            if isinstance(key, Hashable):
                seen[key] = line
        return super().construct_mapping(node, deep=deep)


def parse(text: str, where: str) -> dict[str, Any]:
    """Parse YAML text whose top is a mapping.

    Args:
        text: The document.
        where: What faults call the document: a file's name.

    Raises:
        ManifestError: It is not YAML, has a key twice, or its top is not a mapping.
    """
    try:
        document = yaml.load(text, _Loader)  # noqa: S506 - _Loader is a SafeLoader
    except ManifestError as error:
        raise ManifestError(*(f"{where}: {fault}" for fault in error.faults)) from None
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}" if error.problem_mark else "somewhere"
        raise ManifestError(f"{where}: {line}: not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ManifestError(f"{where}: not valid YAML: {one_line(error)}") from None
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError) as error:  # an ill-fitting !!tag
        raise ManifestError(f"{where}: not valid YAML: {error}") from None
    if not isinstance(document, dict):
        raise ManifestError(f"{where}: expected `key: value` lines, found {_kind(document)}")
    return document


def read_text(path: Path) -> str:
    """Read a UTF-8 file of reasonable size.

    Raises:
        ManifestError: It can't be read, is larger than 16 MiB, or is not UTF-8.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ManifestError(f"{path}: larger than 16 MiB; is this the right file?")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror or error}") from None


def validate(model: type[Model], document: object, prefix: str = "") -> tuple[Model | None, list[str]]:
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
        kind: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
        try:
            found[name] = TypeAdapter(kind).validate_python(document[key], strict=True)
        except ValidationError:
            continue
    return found


def near(word: object, known: Iterable[object]) -> str:
    """A suggestion for a mistyped word, or what there is to choose from."""
    choices = [str(choice) for choice in known]
    close = difflib.get_close_matches(str(word), choices, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"there are: {', '.join(choices)}" if choices else "there are none"


def path_of(location: Iterable[object], prefix: str = "") -> str:
    """Draw a place in a document: ``generate[0].settings.height``."""
    path = prefix
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part != "[key]":
            path += f".{part}" if path else str(part)
    return path


def _fault(model: type[BaseModel], detail: Any, prefix: str) -> str:
    location = detail["loc"]
    path = path_of(location, prefix) or "top"
    given = detail["input"]
    match detail["type"]:
        case "extra_forbidden":
            fields = _fields_at(model, location[:-1])
            return f"{path}: unknown key; {near(location[-1], fields)}"
        case "missing":
            return f"{path}: missing; this key is needed"
        case "string_type":
            return f"{path}: expected text, found {_kind(given)}; put it in quotes"
        case "value_error":
            return f"{path}: {detail['ctx']['error']}"
        case _:
            message = detail["msg"].removeprefix("Input ").removeprefix("Value error, ")
            return f"{path}: {message}, found {_kind(given)}"


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


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
