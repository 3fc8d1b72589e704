"""Tables 1 to 5 of the paper."""
