"""Every strategy, source, scorer, method, runner and format that there is, for whoever reads a manifest."""

from synthgen.curate.scorers import plugins as scorers
from synthgen.diffusion.strategies import plugins as strategies
from synthgen.finetune.methods import plugins as methods
from synthgen.generate.runners import plugins as runners
from synthgen.pack.formats import plugins as formats
from synthgen.plan.manifest.settings import Extensions
from synthgen.real.sources import plugins as sources

EXTENSIONS = Extensions(strategies, sources, scorers, methods, runners, formats)
