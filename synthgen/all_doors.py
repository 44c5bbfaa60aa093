"""All the doors there are, as whoever reads a manifest hands them over."""

from synthgen import prompts, shipped
from synthgen.doors import Doors
from synthgen.methods import door as methods
from synthgen.scorers import door as scorers
from synthgen.sources import door as sources
from synthgen.strategies import door as strategies

DOORS = Doors(strategies, sources, methods, scorers, prompts.read, lambda name: shipped.find("prompts", name))
