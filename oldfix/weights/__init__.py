"""Weights: cards that describe networks, and the store that finds and verifies their files."""
