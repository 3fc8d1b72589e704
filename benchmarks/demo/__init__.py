"""The whole suite in minutes, on any machine."""
