"""Measuring: two sets of videos become results."""
