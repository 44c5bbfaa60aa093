"""All the doors there are, as whoever reads a manifest hands them over."""

from synthgen.core import resources
from synthgen.curate.scorers import door as scorers
from synthgen.diffusion.strategies import door as strategies
from synthgen.finetune.methods import door as methods
from synthgen.plan.manifest import prompts
from synthgen.plan.manifest.settings import Extensions
from synthgen.real.sources import door as sources

EXTENSIONS = Extensions(
    strategies, sources, methods, scorers, prompts.read, lambda name: resources.find("prompts", name)
)
