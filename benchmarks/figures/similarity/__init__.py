"""Figures that look into trained networks: what is measured there, claims, documents."""
