"""Measured local fields and COSMOS susceptibility maps, from a folder you name."""
