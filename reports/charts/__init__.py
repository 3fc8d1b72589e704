"""Figures from data frames, drawn with matplotlib."""
