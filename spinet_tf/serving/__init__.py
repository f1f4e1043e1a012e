"""SpiNet-QSM in formats that other programs run."""
