"""Lets ``python -m synthgen`` be the command."""

from synthgen.commands import main

main()
