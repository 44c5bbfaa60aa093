"""Metrics, intervals and comparisons, each a pure function of predictions."""
