"""Judges what was made: how like real images it is."""
