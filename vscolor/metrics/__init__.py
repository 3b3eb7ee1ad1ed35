"""Pure functions on frames: how near a result is to the truth, and how steady it is."""
