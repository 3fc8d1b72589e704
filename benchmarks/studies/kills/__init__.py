"""Measurements that are killed at random moments, and what becomes of them."""
