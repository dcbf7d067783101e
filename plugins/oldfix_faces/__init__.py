"""Faces: find them, and refine them without making them someone else."""
