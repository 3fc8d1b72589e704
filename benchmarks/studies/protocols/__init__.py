"""How far each choice of a protocol changes FVD."""
