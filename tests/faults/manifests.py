"""Changes a manifest that ships, as a person or a program may by mistake, and plans it: refused in lines, never broken.

Not Hypothesis: what has to be found are faults of real manifests changed a little, each named by a seed that anyone can
run again, as all of this harness are; its strategies would make documents that are refused by their first key.
"""

import contextlib
import io
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from synthgen.cli import call
from synthgen.core import resources

SLOW = 2.0  # seconds of CPU in which a manifest has to be refused
_HANGS = 20.0
_SAYS = ("error: ", "warning: ")
_LONGEST = 90

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2.5, 1e308, -1e308, float("nan"), float("inf"), 10**30, -(10**30), 2**63,
    "", " ", "yes", "1e5", "0x10", "\x00", "\x1b[2J", "\u202e", "é" * 300, "x" * 100_000, "../x", "a/b/c", "{label}",
    "{nobody}", "{", "$HOME", "%s", "*", "`id`", "-", "--help", "file:///x", "http://127.0.0.1:9/x", "org/name",
    [], [[]], {}, {"a": {}}, [None], ["a", "a"], {"": 1}, {1: 2}, {"é": []}, list(range(500)),
)  # fmt: skip
"""Values of which any may stand where another is meant."""
_LETTERS = (":", "{", "}", "[", "]", "\t", " ", "-", "#", "&a ", "*a", "!!python/object:os.system ", "\0", "|", ">",
            "'", '"', "%", "@", "\u2028", "\ud800", "?", ",", "<<: ", "0", "e", "---\n", "...\n")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """A manifest that was changed, and what came of it.

    Attributes:
        manifest: The one that ships.
        change: What was done to it.
        outcome: ``refused`` (exit code 2), ``planned`` (0), or what is wrong with how it ended.
        seconds: Of CPU.
        where: Names the case.
    """

    manifest: str
    change: str
    outcome: str
    seconds: float
    where: str

    @property
    def bad(self) -> bool:
        """Whether it ended otherwise than it has to."""
        return self.outcome not in ("refused", "planned")


def cases(root: Path, seed: int, numbers: Sequence[int]) -> Iterator[Case]:
    """Each case of a number, as it is done; a case is a function of the seed and its number.

    Args:
        root: A folder for what is written.
        seed: What decides the cases.
        numbers: Which.
    """
    root.mkdir(parents=True, exist_ok=True)
    texts = {name: Path(str(resources.find("manifests", name))).read_text("utf-8") for name in _names()}
    for name in texts:
        _plan(name)  # what is imported once counts for no case
    for number in numbers:
        rng = random.Random(f"{seed} {number}")
        name, change = _names()[number % len(texts)], rng.choice(list(CHANGES))
        text = texts[name]
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            text = CHANGES[change](text, rng)
        path = root / f"{number}.yaml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        outcome, seconds = _plan(str(path))
        yield Case(name, change, outcome, seconds, f"{name}, {change}, seed {seed}, number {number}: {outcome}")
        path.unlink()


def _names() -> list[str]:
    return resources.names("manifests")


def _plan(manifest: str) -> tuple[str, float]:
    """How a command that plans a manifest ends, and the seconds of CPU that it takes."""
    said, began, code = io.StringIO(), time.process_time(), -1
    try:
        with _in_time(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            code = call(["plan", manifest])
    except TimeoutError:
        return "hangs", _HANGS
    except BaseException as error:  # noqa: BLE001 - this is what is looked for
        return f"traceback of {type(error).__name__}: {str(error)[:_LONGEST]}", time.process_time() - began
    seconds = time.process_time() - began
    return _wrong(code, said.getvalue(), seconds) or ("refused" if code else "planned"), seconds


def _wrong(code: int, said: str, seconds: float) -> str:
    """What is wrong with how a command ended; empty for nothing."""
    odd = [line for line in said.splitlines() if not line.startswith(_SAYS)]
    if code not in (0, 2):
        return f"exit code {code}: {said[:_LONGEST].strip()}"
    if odd:
        return f"a line that is no fault's: {odd[0][:_LONGEST]}"
    if code and not said.strip():
        return "says nothing"
    return f"takes {seconds:.1f} s" if code and seconds > SLOW else ""


@contextlib.contextmanager
def _in_time() -> Iterator[None]:
    """End what takes too much CPU."""

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, _HANGS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


# Changes of the document: each place, a key or an item, is as likely as any other.


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in ((*path, key), *_places(value[key], (*path, key)))]


def _of_the_document(change: Callable[[Any, Any, random.Random], None]) -> Callable[[str, random.Random], str]:
    def changed(text: str, rng: random.Random) -> str:
        try:
            document = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError):
            return text
        if places := _places(document):
            *above, last = rng.choice(places)
            holder = document
            for key in above:
                holder = holder[key]
            change(holder, last, rng)
        return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)

    return changed


def _another_value(holder: Any, key: Any, rng: random.Random) -> None:
    holder[key] = rng.choice(ODD)


def _gone(holder: Any, key: Any, _: random.Random) -> None:
    del holder[key]


def _mistyped(holder: Any, key: Any, rng: random.Random) -> None:
    if isinstance(holder, dict):
        place = rng.randrange(len(str(key)) + 1)
        holder[f"{str(key)[:place]}{rng.choice('xe_-')}{str(key)[place + 1 :]}"] = holder.pop(key)
    else:
        holder.append(holder[key])


def _one_more(holder: Any, _: Any, rng: random.Random) -> None:
    if isinstance(holder, dict):
        holder[rng.choice(("unknown", "", "model", 1, None, True))] = rng.choice(ODD)
    else:
        holder.insert(rng.randrange(len(holder) + 1), rng.choice(ODD))


def _wrapped(holder: Any, key: Any, rng: random.Random) -> None:
    holder[key] = rng.choice(([holder[key]], {"a": holder[key]}, str(holder[key]), [holder[key]] * 3))


def _moved(holder: Any, key: Any, rng: random.Random) -> None:
    other = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    holder[key], holder[other] = holder[other], holder[key]


# Changes of the text, after which it may be no YAML any more.


def _letter(text: str, rng: random.Random) -> str:
    place = rng.randrange(len(text) + 1)
    return text[:place] + rng.choice(_LETTERS) + text[place + rng.randrange(2) :]


def _without_letters(text: str, rng: random.Random) -> str:
    place = rng.randrange(len(text) + 1)
    return text[:place] + text[place + rng.randrange(1, 9) :]


def _line_twice(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    place = rng.randrange(len(lines))
    return "".join([*lines[:place], lines[place], *lines[place:]])


def _without_a_line(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    del lines[rng.randrange(len(lines))]
    return "".join(lines)


def _indented(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    place = rng.randrange(len(lines))
    lines[place] = rng.choice(("  ", "\t", " ")) + lines[place] if rng.random() < 0.5 else lines[place].lstrip()
    return "".join(lines)


def _cut_off(text: str, rng: random.Random) -> str:
    return text[: rng.randrange(len(text) + 1)]


CHANGES: dict[str, Callable[[str, random.Random], str]] = {
    "another value": _of_the_document(_another_value),
    "gone": _of_the_document(_gone),
    "mistyped": _of_the_document(_mistyped),
    "one more": _of_the_document(_one_more),
    "wrapped": _of_the_document(_wrapped),
    "moved": _of_the_document(_moved),
    "a letter": _letter,
    "letters gone": _without_letters,
    "a line twice": _line_twice,
    "a line gone": _without_a_line,
    "indented": _indented,
    "cut off": _cut_off,
}
"""What is done to a manifest, by its name in the table."""
