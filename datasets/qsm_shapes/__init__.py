"""Geometric susceptibility sources for quantitative susceptibility mapping."""
