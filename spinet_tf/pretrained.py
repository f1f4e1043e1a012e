"""The network that ships with the package; `weights/README.md` is its model card."""

from pathlib import Path

PRETRAINED = Path(__file__).parent / "weights" / "pretrained.keras"
"""Path of the shipped network's `.keras` file."""
