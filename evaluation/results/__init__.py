"""Results: numbers with everything that made them, as lines of a file."""
