"""TFDS builders of the data SpiNet-QSM is trained and tested on.

Modules of a builder import their siblings relatively: while `tfds build` loads a
builder, a stand-in for another package named `datasets` hides this one.
"""
