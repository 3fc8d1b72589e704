"""Thousands of damaged files, each given to the command that reads such files."""
