"""The nine conditions by label; the order is the order of tables and pictures."""

from collections.abc import Callable

from synthgen.phantom import growths, rashes
from synthgen.phantom.skin import Skin

CONDITIONS: dict[str, Callable[[Skin], None]] = {
    "psoriasis": rashes.psoriasis,
    "basal-cell-carcinoma": growths.basal_cell_carcinoma,
    "melanoma": growths.melanoma,
    "vitiligo": rashes.vitiligo,
    "folliculitis": rashes.folliculitis,
    "tinea-corporis": rashes.tinea_corporis,
    "lichen-planus": rashes.lichen_planus,
    "squamous-cell-carcinoma": growths.squamous_cell_carcinoma,
    "healthy": growths.healthy,
}
