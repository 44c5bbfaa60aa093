"""What a card says of the filters that images went through."""

from typing import Any

from synthgen.card.escape import escape
from synthgen.card.facts import Facts
from synthgen.verdicts import Ratio


def filters(facts: Facts) -> dict[str, Any]:
    """The placeholders ``curated``, ``judged``, ``rejected``, ``filters`` and ``parity``; empty where all was kept."""
    judged = facts.judged
    if judged is None:
        return {"curated": False, "judged": 0, "rejected": 0, "filters": [], "parity": []}
    return {
        "curated": True,
        "judged": judged.judged,
        "rejected": judged.judged - judged.accepted,
        "filters": [
            {"reason": escape(one.reason), "rejected": one.rejected, "alone": one.alone} for one in judged.filters
        ],
        "parity": [_parity(ratio) for ratio in judged.parity],
    }


def _parity(ratio: Ratio) -> dict[str, str]:
    return {
        "reason": escape(ratio.reason) or "all rules together",
        "dark": f"{ratio.dark_rejected} of {ratio.dark}",
        "light": f"{ratio.light_rejected} of {ratio.light}",
        "ratio": "-" if ratio.ratio is None else f"{ratio.ratio:.2f}",
        "interval": f"{ratio.low:.2f} to {ratio.high:.2f}",
    }
