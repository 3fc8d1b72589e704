"""Protocols: everything that affects a number, as values."""
