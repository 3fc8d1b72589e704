"""Figures that compare designs by a distance over training: cells, claims, documents."""
