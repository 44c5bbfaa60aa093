"""A blinded reader study: images to judge for people who don't know which are photographs, and what their answers say.

Not a survey service: images of patients stay where they are, and a folder can be handed over.
"""

from synthgen.reader_study.analysis import analyse
from synthgen.reader_study.folder import write

__all__ = ["analyse", "write"]
