"""Metrics, fixed sets, rows and tables: how well the stages do, beside doing nothing.

Import what you need from the modules: `metrics` for single numbers, `evaluate` for whole tables,
`bench` for speed and memory.
"""
