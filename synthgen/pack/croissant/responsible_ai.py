"""The fields of Croissant's vocabulary for responsible AI, said from counts, receipts and verdicts.

What nobody has measured is said to be unmeasured. What the dataset's maker knows beyond it stands in the manifest's
``publish.responsible_ai`` and is added, never put in place of it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from synthgen.core.model_folder import BUNDLED
from synthgen.pack.card.facts import CardFacts
from synthgen.plan import skin_tones
from synthgen.runs.pseudonyms import PSEUDONYM
from synthgen.runs.verdicts import Ratio


def fields(facts: CardFacts, *, identifiers: str) -> dict[str, Any]:
    """The six ``rai:`` fields that venues ask for.

    Args:
        facts: What the card is filled from.
        identifiers: As real images are named; empty where no name could be a person's.
    """
    own = facts.plan.manifest.document.publish.responsible_ai
    return {
        "rai:dataLimitations": [*_limitations(facts), *own.limitations],
        "rai:dataBiases": [*_biases(facts), *own.biases],
        "rai:personalSensitiveInformation": [*_personal(facts, identifiers), *own.sensitive_information],
        "rai:dataUseCases": [
            "Research on training and evaluating image classifiers, on what synthetic images do for skin tones that "
            "are rare in real data, and on methods of generation.",
            "Not for diagnosis, nor for any clinical use of the images or of a model trained on them alone.",
            *own.uses,
        ],
        "rai:dataSocialImpact": " ".join(
            [
                "Images of skin tones that real collections lack can help to find and lessen unequal performance. They "
                "can also hide it, where a generator draws a condition wrongly on some tones, and they can be taken "
                "for photographs: each is marked as synthetic in its metadata and in this file.",
                *own.social_impact,
            ]
        ),
        "rai:hasSyntheticData": True,
    }


def _limitations(facts: CardFacts) -> Iterator[str]:
    yield "Labels and skin tones are what the prompt asked for. No physician has looked at the images."
    yield "A model may have failed to draw what was asked; nothing here shows that an image is clinically plausible."
    if BUNDLED in facts.plan.models:
        yield (
            f"Images of the model {BUNDLED} come from a small model that was trained on drawn skin, not on "
            "photographs: they say nothing about real disease."
        )
    failed = sum(summary.failed for summary in facts.entries.values())
    yield f"Of {facts.plan.samples} planned images {facts.images} are here and {failed} could not be made."
    if facts.judged is None:
        yield "Nothing was filtered."
    else:
        yield f"Filters rejected {facts.judged.judged - facts.judged.accepted} of {facts.judged.judged} images."
    yield f"Near-copy audit against the real images that were used: {facts.audit_text}."
    yield "Whether an image comes close to one that a model was trained on was not checked."


def _biases(facts: CardFacts) -> Iterator[str]:
    scale = facts.plan.manifest.document.skin_tones.scale
    tones = Counter[str]()
    labels = Counter[str]()
    for cell, count in facts.counts.items():
        tones[cell.tone] += count
        labels[cell.label] += count
    yield f"Images by skin tone ({scale}): {_counts(skin_tones.in_order(scale, tones), tones)}."
    yield f"Images by class: {_counts(labels, labels)}."
    yield (
        "Diffusion models repeat the biases of what they were trained on, skin tone among them; how well each tone "
        "came out is not measured here."
    )
    yield from (_parity(ratio) for ratio in (facts.judged.parity if facts.judged else ()))


def _counts(names: Iterable[str], counts: Counter[str]) -> str:
    return ", ".join(f"{name} {counts[name]}" for name in names)


def _parity(ratio: Ratio) -> str:
    compared = "no ratio" if ratio.ratio is None else f"ratio {ratio.ratio:.2f}, 95 % interval {ratio.low:.2f} to "
    compared += "" if ratio.ratio is None else f"{ratio.high:.2f}"
    return (
        f"The filter {ratio.reason or '(all rules together)'} rejected {ratio.dark_rejected} of {ratio.dark} images of "
        f"dark skin and {ratio.light_rejected} of {ratio.light} of light skin ({compared})."
    )


def _personal(facts: CardFacts, identifiers: str) -> Iterator[str]:
    if not facts.sources:
        yield "None that is known: no photograph of a person was an input of this dataset."
    else:
        yield "Health: the images show skin conditions; some were made from real images, or by a model tuned on them."
        if identifiers == PSEUDONYM:
            yield "Real images and their groups are named by salted pseudonyms; their own names are not in the dataset."
        elif identifiers:
            yield "Real images and their groups are named as in the collection that they come from."
        yield "An image that starts from a photograph can show parts of it: all that mask and strength leave."
    yield "What the diffusion models saw when they were first trained is not known here."
