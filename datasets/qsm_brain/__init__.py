"""Synthetic brains for quantitative susceptibility mapping."""
