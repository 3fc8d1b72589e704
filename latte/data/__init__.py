"""Videos: reading, choosing and preparing them."""
