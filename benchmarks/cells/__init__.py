"""Measured cells: what a cell needs, how it is run, and where it is kept."""
