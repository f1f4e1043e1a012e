"""Whether a susceptibility map can be in ppm."""

import warnings

import numpy as np

LARGEST_DEVIATION = 1.0
"""In ppm; that of a brain is about 0.03, and some 30 in ppb."""


def warn_of_ppb(volume, mask):
    """Warn where a susceptibility map varies more than one in ppm does.

    Args:
        volume: `spinet_tf.volume.Volume`, susceptibility [ppm].
        mask: `spinet_tf.volume.Volume` with bool data, on its grid.
    """
    values = volume.data[mask.data]
    values = values[np.isfinite(values)]
    deviation = np.std(values, dtype=np.float64) if values.size else 0.0
    if deviation > LARGEST_DEVIATION:
        warnings.warn(
            f"{volume.name}: the standard deviation in the mask is {deviation:.3g} ppm,"
            " of a brain about 0.03 ppm; is it in ppb?",
            stacklevel=2,
        )
