"""Real images: where they come from, and the index that freezes them."""
