"""The metrics: one entry each, with the function that computes it."""
