"""Figures 5 to 8 of the paper, and its numbers in running text."""
