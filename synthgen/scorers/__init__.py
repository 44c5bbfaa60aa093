"""The scorers door: a file here is one thing to measure of an image, and its name is the ``scorer`` in a rule.

Each module has:

* a docstring whose first line is its help;
* ``Settings``, a :class:`synthgen.documents.Strict`, valid before anything runs;
* ``COLUMNS``, from the name of each column that it gives to one sentence of what that is.
"""

from synthgen.doors import Door

door = Door(__name__)
