"""`latte`: one module for each command."""
