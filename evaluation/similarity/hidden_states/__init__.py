"""How alike the frames of noised clips are in the hidden states of a network."""
