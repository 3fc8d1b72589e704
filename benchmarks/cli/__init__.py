"""`latte-bench`: the command line."""
