"""Images that came out wrong get a bounded second chance, in batches that are always full."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from synthgen.diffusion.maker import MadeImages
from synthgen.errors import OutOfMemoryError
from synthgen.generate.retry import MadeSample, make, pad
from synthgen.plan import Plan
from synthgen.plan.sample import Sample


@dataclass
class Script:
    """A maker that gives each sample, time after time, what its script says, and notes every batch.

    Attributes:
        faults: By the sample's index, what it gives each time: ``nonfinite``, ``flat`` or ``black``; then a picture.
        batches: The keys, attempts and precision of each call.
    """

    faults: dict[int, list[str]] = field(default_factory=dict)
    batches: list[tuple[list[tuple[int, int, int]], bool]] = field(default_factory=list)

    def __call__(self, samples: Sequence[Sample], *, precise: bool = False) -> MadeImages:
        """Make a batch by the script."""
        self.batches.append(([(one.index, one.attempt, one.seed) for one in samples], precise))
        verdicts: dict[int, str] = {}
        for one in samples:
            if one.index not in verdicts:
                left = self.faults.get(one.index, [])
                verdicts[one.index] = left.pop(0) if left else ""
        kinds = [verdicts[one.index] for one in samples]
        pictures = {"flat": np.full((8, 8, 3), 99, np.uint8), "black": np.zeros((8, 8, 3), np.uint8)}
        picture = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
        pixels = np.stack([pictures.get(kind, picture) for kind in kinds])
        return MadeImages(pixels, np.array([kind != "nonfinite" for kind in kinds]))


Run = Callable[..., list[MadeSample]]


@pytest.fixture
def run(make_plan: Callable[..., Plan]) -> Run:
    """Makes the first samples of the small plan."""
    entry = make_plan().entries["fake"]

    def go(maker: Script, count: int = 5, batch_size: int = 2, **options: int) -> list[MadeSample]:
        samples = [entry.sample(index) for index in range(count)]
        made: Iterator[MadeSample] = make(
            samples, maker, batch_size, lambda one, attempt: entry.sample(one.index, attempt), **options
        )
        return list(made)

    return go


def test_every_sample_is_made_once_in_order(run: Run) -> None:
    """Without faults, samples come in the order they were given, each at its first attempt."""
    made = run(Script())
    assert [(one.sample.index, one.sample.attempt, one.outcomes) for one in made] == [
        (i, 0, ("made",)) for i in range(5)
    ]
    assert all(one.pixels is not None for one in made)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 4, 5, 7])
def test_every_batch_is_full(run: Run, batch_size: int) -> None:
    """The maker never sees a batch of another size, the last and the repeated ones included."""
    maker = Script({1: ["nonfinite"], 3: ["flat", "flat"], 4: ["nonfinite", "flat"]})
    assert len(run(maker, batch_size=batch_size)) == 5
    assert {len(batch) for batch, _ in maker.batches} == {batch_size}


def test_a_short_batch_is_padded_with_its_last_sample(run: Run) -> None:
    """What fills a batch up is its last sample again, and is not yielded twice."""
    maker = Script()
    made = run(maker, count=5, batch_size=4)
    assert [index for index, _, _ in maker.batches[-1][0]] == [4, 4, 4, 4]
    assert len(made) == 5


def test_pad_leaves_a_full_batch_alone(make_plan: Callable[..., Plan]) -> None:
    """A full batch is what it was."""
    samples = make_plan().entries["fake"].shard(0)
    assert pad(samples, len(samples)) == samples


def test_nonfinite_is_made_again_with_the_same_seed_precisely(run: Run) -> None:
    """NaN is a matter of precision: the seed stays, the arithmetic becomes fp32."""
    maker = Script({2: ["nonfinite"]})
    made = {one.sample.index: one for one in run(maker)}
    calls = [(one, precise) for batch, precise in maker.batches for one in set(batch) if one[0] == 2]
    assert [precise for _, precise in calls] == [False, True]
    assert calls[0][0] == calls[1][0]
    assert (made[2].outcomes, made[2].sample.attempt) == (("nonfinite", "made"), 0)


@pytest.mark.parametrize("fault", ["flat", "black"])
def test_a_blank_image_is_made_again_with_the_next_attempts_seed(run: Run, fault: str) -> None:
    """A blank image is a matter of luck: the next attempt has another seed, and usual arithmetic."""
    maker = Script({2: [fault]})
    made = {one.sample.index: one for one in run(maker)}
    calls = [(one, precise) for batch, precise in maker.batches for one in set(batch) if one[0] == 2]
    assert [(attempt, precise) for (_, attempt, _), precise in calls] == [(0, False), (1, False)]
    assert calls[0][0][2] != calls[1][0][2]
    assert (made[2].outcomes, made[2].sample.attempt) == ((fault, "made"), 1)


def test_precise_and_usual_samples_never_share_a_batch(run: Run) -> None:
    """A batch is made in one precision."""
    maker = Script({0: ["nonfinite"], 1: ["flat"]})
    run(maker, batch_size=5)
    again = [({index for index, _, _ in batch}, precise) for batch, precise in maker.batches[1:]]
    assert again == [({1}, False), ({0}, True)]


def test_nonfinite_though_precise_goes_on_to_the_next_attempt(run: Run) -> None:
    """NaN in fp32 too is no matter of precision, so the seed changes."""
    made = {one.sample.index: one for one in run(Script({1: ["nonfinite", "nonfinite"]}))}
    assert made[1].outcomes == ("nonfinite", "nonfinite", "made")
    assert made[1].sample.attempt == 1


def test_flat_in_precise_goes_on_to_the_next_attempt(run: Run) -> None:
    """A picture that is finite in fp32 but flat gets the next seed."""
    made = {one.sample.index: one for one in run(Script({1: ["nonfinite", "flat"]}))}
    assert (made[1].outcomes, made[1].sample.attempt) == (("nonfinite", "flat", "made"), 1)


@pytest.mark.parametrize("attempts", [1, 2, 4])
def test_attempts_are_bounded(run: Run, attempts: int) -> None:
    """A sample that stays blank fails after its last attempt, and every outcome is kept."""
    maker = Script({3: ["flat"] * 99})
    made = {one.sample.index: one for one in run(maker, max_attempts=attempts)}
    assert made[3].pixels is None
    assert made[3].outcomes == ("flat",) * attempts + ("failed",)
    assert made[3].sample.attempt == attempts - 1
    assert len(maker.faults[3]) == 99 - attempts


def test_precise_repeats_are_bounded_too(run: Run) -> None:
    """A sample that stays NaN fails after being made twice an attempt."""
    made = {one.sample.index: one for one in run(Script({0: ["nonfinite"] * 99}), max_attempts=3)}
    assert made[0].outcomes == ("nonfinite",) * 6 + ("failed",)


@pytest.mark.parametrize("batch_size", [2, 5])
def test_precise_repeats_have_a_batch_of_their_own(run: Run, batch_size: int) -> None:
    """One image of a batch of whatever size is made again alone, and the next batches are as large as before."""
    maker = Script({1: ["nonfinite"], 3: ["nonfinite", "flat"]})
    made = run(maker, batch_size=batch_size, redo_batch_size=1)
    assert [len(batch) for batch, precise in maker.batches if precise] == [1, 1]
    assert {len(batch) for batch, precise in maker.batches if not precise} == {batch_size}
    assert all(one.pixels is not None for one in made)


def test_a_precise_repeat_that_does_not_fit_fails_its_sample_alone(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """The batch of all others is never halved for it; the log names the sample."""
    maker = Script({1: ["nonfinite"]})

    def full(samples: Sequence[Sample], *, precise: bool = False) -> MadeImages:
        if precise:
            raise OutOfMemoryError("no memory for a batch of 1")
        return maker(samples, precise=precise)

    made = {one.sample.index: one for one in run(full, redo_batch_size=1)}
    assert made[1].outcomes == ("nonfinite", "out-of-memory", "failed")
    assert made[1].pixels is None
    assert {index for index, one in made.items() if one.outcomes == ("made",)} == {0, 2, 3, 4}
    assert made[1].sample.key in caplog.text
    maker.faults[1] = ["nonfinite"]
    with pytest.raises(OutOfMemoryError):  # as runs that began before have it
        run(full)


def test_what_an_image_was_computed_in_is_told(run: Run) -> None:
    """Where its maker says so, of that image alone."""
    maker = Script({2: ["nonfinite"]})

    def telling(samples: Sequence[Sample], *, precise: bool = False) -> MadeImages:
        names = ("vae-float32",) * len(samples) if precise else ()
        return replace(maker(samples, precise=precise), precisions=names)

    made = run(telling, redo_batch_size=1)
    assert {one.sample.index: one.precision for one in made if one.precision} == {2: "vae-float32"}


def test_repeated_samples_come_last(run: Run) -> None:
    """What is settled at once comes first and in order, what is repeated after it."""
    made = run(Script({0: ["flat"], 2: ["flat", "flat"]}))
    assert [one.sample.index for one in made] == [1, 3, 4, 0, 2]


def test_a_fault_repeats_nobody_else(run: Run) -> None:
    """Samples that came out right are made once, whatever happened beside them."""
    maker = Script({1: ["flat", "flat"]})
    run(maker, batch_size=3)
    assert all({index for index, _, _ in batch} == {1} for batch, _ in maker.batches[2:])


def test_nothing_to_make_calls_nobody(run: Run) -> None:
    """No samples, no batches."""
    maker = Script()
    assert run(maker, count=0) == []
    assert maker.batches == []
