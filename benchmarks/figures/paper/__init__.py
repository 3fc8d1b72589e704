"""Trainings at the paper's settings: their commands, and the cells that they fill."""
