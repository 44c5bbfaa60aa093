"""The design of a study: arms, trials and seeds, and what rules images out."""
