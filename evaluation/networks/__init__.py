"""Feature networks: uint8 clips in, features out."""
