"""Holes in a mask, in which sources may be though the field is not known there.

A bleed or a calcification that is cut out of a mask, since there is no phase in it,
still makes most of the field around it. Were the susceptibility held to be zero there,
sources that do not exist would have to make that field.
"""

import numpy as np
from scipy.ndimage import binary_fill_holes

from spinet_tf.box import bounding_box


def fill_holes(mask):
    """A mask with the holes it encloses.

    Args:
        mask: `(x, y, z)`, 0 or 1.

    Returns:
        bool `(x, y, z)`, True also in what no path of voxels that touch by their faces
        leads out of, to a face of the volume.
    """
    filled = np.asarray(mask) != 0
    box = bounding_box(filled).slices
    filled[box] = binary_fill_holes(filled[box])
    return filled
