"""What a study trains and compares: arms, trials, seeds, and what rules images out."""
