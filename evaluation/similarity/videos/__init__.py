"""How alike the frames of videos are: two sets compared, by features of a network or by pixels."""
