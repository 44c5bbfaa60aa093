"""Lets ``python -m synthgen`` be the command."""

from synthgen.cli import main

main()
