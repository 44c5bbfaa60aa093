"""A verb that was asked for, as something to iterate over: it gives its receipts as it goes."""

import warnings
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Event_co = TypeVar("Event_co", covariant=True)
Result_co = TypeVar("Result_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a study begins.

    Attributes:
        verb: What it does.
        total: How much there is of it in all, ``unit`` by ``unit``; 0 where nobody knows.
        done: How much of that was done before.
        unit: What is counted.
    """

    verb: str
    total: int = 0
    done: int = 0
    unit: str = "images"


class Task(Iterator[Event_co], Generic[Event_co, Result_co]):
    """A verb at work: iterate over it for its receipts, or call :meth:`result`; nothing is done before.

    What is yielded is safely on disk. Leave off at any time: the same call goes on where this one was left. It can be
    iterated over once; ``len()`` is how many receipts come, where that is known, so a progress bar has a total.

    Args:
        stage: What it does, and how much there is of it.
        steps: Does it, yields receipts, and returns the result.
        length: How many receipts come; ``None`` where nobody knows.
        job: What there is to do, as the verb's ``prepare`` found it.

    Attributes:
        stage: What it does, and how much there is of it.
        job: What there is to do, as the verb's ``prepare`` found it.
    """

    stage: Stage
    job: Any

    def __init__(
        self, stage: Stage, steps: Generator[Event_co, None, Result_co], *, length: int | None = None, job: Any = None
    ) -> None:
        self.stage = stage
        self.job = job
        self._steps = steps
        self._length = length
        self._begun = self._closed = False
        self._results = list[Result_co]()

    def __next__(self) -> Event_co:
        self._begun = True
        try:
            return next(self._steps)
        except StopIteration as end:
            if not self._results and not self._closed:
                self._results.append(end.value)
            raise
        except BaseException:
            self._closed = True  # a generator that raised ends as one that is done does, and without a result
            raise

    def __len__(self) -> int:
        if self._length is None:
            raise TypeError(f"nobody knows yet how many receipts `{self.stage.verb}` gives")
        return self._length

    def __bool__(self) -> bool:
        return True

    def result(self) -> Result_co:
        """Do all that is left, and return what came of it.

        Raises:
            SynthgenError: It could not be done; everything finished is kept.
        """
        for _ in self:
            pass
        if not self._results:
            raise RuntimeError(f"`{self.stage.verb}` was broken off; call it again to go on")
        return self._results[0]

    def close(self) -> None:
        """Leave off here; everything finished is kept."""
        self._begun = self._closed = True
        self._steps.close()

    def __repr__(self) -> str:
        counted = f", {self._length:,} receipts to come" if self._length is not None and not self._begun else ""
        state = "begun" if self._begun else "nothing is done before you iterate over it, or call .result()"
        return f"<Task {self.stage.verb}{counted}: {state}>"

    def __del__(self) -> None:
        if not getattr(self, "_begun", True):
            self._steps.close()
            message = (
                f"`{self.stage.verb}` was never iterated over, so nothing was done; loop over it or call .result()"
            )
            warnings.warn(message, RuntimeWarning, stacklevel=2, source=self)
