"""Processes: workers that decode, those that torchrun starts, and commands on other machines."""
