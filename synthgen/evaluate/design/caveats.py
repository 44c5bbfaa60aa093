"""The notes of a design: what was assumed, left out, or is the same as something else."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from synthgen.evaluate.design.seeds import NOT_ALLOWED, SET_ASIDE, SLACK, TOO_FEW_PER_SOURCE, TOO_FEW_REAL, DesignInputs
from synthgen.evaluate.note import GENERATORS_SAW_ALL, SOURCES_ALL, Note
from synthgen.plan.manifest.evaluate import Strategy
from synthgen.plan.real_pools import Draw, partial_groups


def of_design(inputs: DesignInputs, draws: Sequence[Draw], left_out: Mapping[str, int]) -> Iterator[Note]:
    """The notes of a design, the gravest first.

    Args:
        inputs: What all seeds have in common.
        draws: The draw of real images of each seed.
        left_out: How many trials there can't be, by reason.
    """
    yield from _pools(inputs)
    yield from _same(inputs)
    yield from _left_out(inputs, left_out)
    yield from _draws(inputs, draws)
    yield from _tested(inputs)


def of_shortages(short: Mapping[Strategy, Sequence[float]]) -> Iterator[Note]:
    """The notes of trials that have fewer images than n x ratio, by strategy with the shares that they lack."""
    for strategy, shares in sorted(short.items()):
        yield Note(
            f"{len(shares)} trials with images of `{strategy}` have up to {100 * max(shares):.0f} % fewer of a label "
            "than n x ratio: the others were set aside or could not be made. n_train counts those there are."
        )


def of_curation(curation: Mapping[str, Any], learned: Sequence[str]) -> Iterator[Note]:
    """The notes of how synthetic images were chosen.

    Args:
        curation: What verdicts follow from; empty where nothing was judged.
        learned: The scorers among its rules that learned from real images with their labels.
    """
    if not curation:
        return
    if learned:
        yield Note(
            f"Curation by {_list(learned)} learned from real images with their labels, which may be more than a "
            "trial's classifier sees; what is gained by curated images may be those labels.",
            serious=True,
        )
    rules = ", ".join(f"`{one['reason']}` ({one['rejected']:,})" for one in curation["filters"])
    yield Note(
        f"Curation kept {curation['accepted']:,} of {curation['judged']:,} images. How many each reason rejected: "
        f"{rules or 'there was none'}."
    )


def _pools(inputs: DesignInputs) -> Iterator[Note]:
    """The notes on what generators may have seen."""
    if inputs.settings.generator_pool == "all":
        yield GENERATORS_SAW_ALL
    if inputs.settings.source_pool == "all" and any(image.source_id for image in inputs.synthetic):
        known = {source.id for source in inputs.index.sources}
        unknown = sum(bool(image.source_id) and image.source_id not in known for image in inputs.synthetic)
        yield SOURCES_ALL
        if unknown:
            yield Note(
                f"{unknown} synthetic images are made from real images that are not in the index; whether these are "
                "test images can't be told.",
                serious=True,
            )
    yield from _unknown(inputs)


def _unknown(inputs: DesignInputs) -> Iterator[Note]:
    """The notes on generators of which nobody knows what they saw."""
    images, nested = inputs.synthetic, inputs.settings.generator_pool == "n"
    blind = sorted({image.strategy for image in images if image.pool is None})
    if blind and nested:
        yield Note(
            f"generator_pool: all is assumed of {_list(blind)}: what real images its generator saw is unknown, and "
            "they may be test images.",
            serious=True,
        )
    based = sorted({image.strategy for image in images if image.saw_more})
    if based:
        yield Note(
            f"What real images the base model of {_list(based)} saw is unknown, and they may be test images: a model "
            "that learned from the web may have seen public atlases. evaluate.model_saw says what is known.",
            serious=True,
        )


def _same(inputs: DesignInputs) -> Iterator[Note]:
    """The notes on trainings that serve two arms, or differ by less than their names do."""
    settings = inputs.settings
    equal = settings.protocol == "equal-steps"
    if equal and "real-step-matched" in settings.arms:
        yield Note(
            "real-step-matched: in protocol equal-steps `real` has the optimizer steps of every other arm, so it is "
            "the same training; it is designed once, as `real`."
        )
    if equal and "real-duplicated" in settings.arms:
        yield Note(
            "real-duplicated: at equal optimizer steps it differs from `real` only in how often a pass over its images "
            "starts anew; a difference from `real` is chance."
        )
    if "permuted-labels" in settings.arms:
        yield Note(
            "permuted-labels: the images of real+synthetic, with labels permuted within each skin tone; what it gains "
            "over `real`, and what real+synthetic does not gain over it, is not what the images show."
        )
    fractions = [ratio for ratio in sorted(settings.ratios) if not isinstance(ratio, int)]
    none = [n for n in sorted(settings.n_real) if any(not round(n * ratio) for ratio in fractions)]
    if fractions and "real-duplicated" in settings.arms:
        yield Note(f"real-duplicated: is not designed at {_list(fractions)}, since no image is duplicated in part.")
    if none:
        yield Note(f"n = {_list(none)} is left out where the ratio comes to less than half an image a label.")
    if "substitute" in settings.arms:
        yield Note(
            "substitute: n_real is the fixed total a label and ratio the share of it that is synthetic; with share 0 "
            "it is the same training as `real` of that n, and is designed once, as `real`."
        )
        odd = [n for n in sorted(settings.n_real) if n % 2]
        if odd:
            yield Note(f"substitute: there is no half of {_list(odd)}; only all images are replaced there.")
    if not equal:
        yield Note(
            "protocol: sagers2023. Steps follow the number of images, so arms with more images train longer; "
            "`real-step-matched` is the control."
        )
        if settings.generator_pool == "n":
            yield Note(
                "protocol: sagers2023. In that study generators saw all training images; that is generator_pool: all."
            )


def _left_out(inputs: DesignInputs, left_out: Mapping[str, int]) -> Iterator[Note]:
    """The notes on trials there can't be."""
    if TOO_FEW_REAL in left_out:
        counts = Counter(source.label for source in inputs.index.usable("train"))
        label = min(inputs.labels, key=lambda label: counts[label])
        yield Note(
            f"real-more: {left_out[TOO_FEW_REAL]} trials are left out: n x (1 + ratio) real images are more than the "
            f"{counts[label]} training images of `{label}`."
        )
    if NOT_ALLOWED in left_out:
        yield Note(
            f"{left_out[NOT_ALLOWED]} trials are left out: the generator of their entry saw, or starts from, real "
            f"images beyond the trial's own ({_nested(inputs)})."
        )
    if TOO_FEW_PER_SOURCE in left_out:
        most = sorted(inputs.most_per_source.items())
        have = ", ".join(f"`{strategy}` ({count})" for strategy, count in most)
        yield Note(
            f"{left_out[TOO_FEW_PER_SOURCE]} trials are left out: their ratio asks for more images of each real image "
            f"than the entry has: {have}."
        )
    if SET_ASIDE in left_out:
        yield Note(
            f"{left_out[SET_ASIDE]} trials are left out: more than {100 * SLACK:.0f} % of the synthetic images that "
            "they should have were set aside or could not be made."
        )


def _draws(inputs: DesignInputs, draws: Sequence[Draw]) -> Iterator[Note]:
    """The notes on how independent the draws are."""
    if len(draws) < 5:
        yield Note(f"{len(draws)} seeds: at least five are advised; intervals over fewer say little of other draws.")
    largest = max(inputs.settings.n_real)
    short = [label for label in inputs.labels if len(draws[0].order[label]) < 2 * largest]
    if short and len(draws) > 1:
        yield Note(
            f"Draws of n = {largest} are more than half of the training images of {_list(short)}; seeds share many of "
            "them, and intervals hold for these images more than for others."
        )
    train = inputs.index.usable("train")
    cuts = [partial_groups(train, one, n) for one in draws for n in sorted(inputs.settings.n_real)]
    if any(cuts):
        yield Note(
            f"Groups are drawn whole except where n was reached inside one: {sum(cuts)} in {len(cuts)} draws; the rest "
            "of such a group trains nothing there."
        )


def _tested(inputs: DesignInputs) -> Iterator[Note]:
    """The notes on what the images held out can't show."""
    validated = {source.label for source in inputs.held("validation")}
    missing = [label for label in inputs.labels if label not in validated]
    if missing:
        yield Note(f"No validation image shows {_list(missing)}; what is tuned on validation ignores that.")
    if inputs.settings.validation == "n":
        counts = Counter(source.label for source in inputs.held("validation"))
        sizes = sorted({min(counts.values()), max(counts.values())}) if counts else [0]
        each = " to ".join(f"{size:,}" for size in sizes)
        yield Note(f"A trial is tuned on n validation images a label, drawn with its seed, of the {each} there are.")
    unknown = sum(source.tone == 0 for source in inputs.held("test"))
    if unknown == len(inputs.held("test")):
        yield Note("No test image has a known skin tone: this study can't say for whom the synthetic images help.")
    elif unknown:
        known = f"{unknown} of {len(inputs.held('test'))} test images have no known skin tone"
        yield Note(f"{known}; tables by tone lack them.")


def _nested(inputs: DesignInputs) -> str:
    """The settings by which trials nest."""
    settings = inputs.settings
    pools = {"generator_pool": settings.generator_pool, "source_pool": settings.source_pool}
    return ", ".join(f"{name}: n" for name, pool in pools.items() if pool == "n")


def _list(names: Iterable[object]) -> str:
    return ", ".join(f"`{name}`" for name in names)
