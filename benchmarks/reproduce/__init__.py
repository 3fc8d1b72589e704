"""Every runner in turn, and the report of all."""
