"""A study as a report: tables, plots, and sentences that follow from them."""
