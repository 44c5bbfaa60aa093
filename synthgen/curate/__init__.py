"""Curation: scores every image, judges it by rules, and keeps a row with a reason for each one that is rejected."""

from synthgen.curate.curation import Curated, Judged, curate, prepare
from synthgen.curate.parity import Parity
from synthgen.curate.scoring import Scored

__all__ = ["Curated", "Judged", "Parity", "Scored", "curate", "prepare"]
