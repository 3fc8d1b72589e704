"""Studies of the measures themselves, of speed and of trainings."""
