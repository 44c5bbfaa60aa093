"""All the doors there are, as whoever reads a manifest hands them over."""

from synthgen.core import resources
from synthgen.diffusion.strategies import door as strategies
from synthgen.finetune.methods import door as methods
from synthgen.plan.manifest import prompts
from synthgen.plan.manifest.settings import Extensions
from synthgen.real.sources import door as sources
from synthgen.scorers import door as scorers

EXTENSIONS = Extensions(
    strategies, sources, methods, scorers, prompts.read, lambda name: resources.find("prompts", name)
)
