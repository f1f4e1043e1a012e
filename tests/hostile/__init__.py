"""Broken and hostile inputs; `python -m tests.hostile` runs them all."""
