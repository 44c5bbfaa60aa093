"""Which layout ``pack.format: auto`` stands for: tars, or Parquet where the Hub's viewer would show a part of them.

The viewer shows all of a Parquet dataset, and of every other kind the first 5 GB
(https://huggingface.co/docs/hub/data-studio).
"""

from typing import Final

from synthgen.plan.manifest.schema import AUTO, Layout

SHOWN_OF_TARS: Final = 5_000_000_000
"""Bytes of a dataset of tars that the Hub's viewer shows."""


def chosen(layout: Layout, size: int) -> Layout:
    """The layout, where ``auto`` is Parquet for what is larger than the viewer shows of tars, and tars otherwise.

    Args:
        layout: As asked.
        size: Bytes that the images take up in tars.
    """
    if layout != AUTO:
        return layout
    return "parquet" if size > SHOWN_OF_TARS else "webdataset"


def said(layout: Layout, size: int, packed: Layout | None = None) -> str:
    """What is to be said of a layout for so many bytes; empty where nothing is.

    Args:
        layout: As asked.
        size: Bytes that the images take up.
        packed: What they have been packed in, where they have been.
    """
    shown = f"the Hub's viewer shows the first {SHOWN_OF_TARS / 1e9:.0f} GB of tars, and all of Parquet"
    if layout == AUTO:
        return f"format auto: {packed or chosen(layout, size)}, for {_amount(size)}; {shown}"
    if layout == "webdataset" and size > SHOWN_OF_TARS:
        return f"{_amount(size)} of tars: {shown}; `pack: {{format: auto}}` packs Parquet then"
    return ""


def _amount(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 10**9 else f"{size / 1e6:,.1f} MB"
