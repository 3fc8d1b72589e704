"""`latte-eval`: one module for each family of commands."""
