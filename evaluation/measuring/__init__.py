"""From two sets of videos to results."""
