"""Pixels: image files, colour, features, classifiers, near-duplicates, metrics. Knows no manifest."""
