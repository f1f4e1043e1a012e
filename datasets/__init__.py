"""TFDS builders of the data SpiNet-QSM is trained and tested on."""
