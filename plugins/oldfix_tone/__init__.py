"""Placeholder until the stages land."""
