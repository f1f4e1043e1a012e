"""A viewer of slices for web pages, by nilearn."""

import re
import warnings

import nibabel
import nibabel.affines
import numpy as np

from spinet_tf.page import frame, paragraph


def slice_viewer(title, data, affine, centre, window):
    """A viewer in scanner axes: click to choose the slices.

    A volume oblique to the scanner is resampled to its axes, nearest neighbour.

    Args:
        title: str.
        data: float `(x, y, z)`.
        affine: float64 `(4, 4)`, voxel indices to scanner coordinates [mm].
        centre: three floats, the voxel that the slices first go through.
        window: float, the value shown white; its negative is black.

    Returns:
        An element of `spinet_tf.page`; a note in its place without nilearn.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from nilearn.plotting import view_img
    except ImportError:
        return paragraph("The viewer of slices needs nilearn: pip install nilearn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        html = view_img(
            nibabel.Nifti1Image(np.asarray(data, np.float32), affine),
            bg_img=None,
            cut_coords=tuple(nibabel.affines.apply_affine(affine, centre)),
            threshold=None,
            cmap="gray",
            vmax=window,
            black_bg=True,
            resampling_interpolation="nearest",
        ).html
    # nilearn asks its web site for an icon.
    return frame(
        re.sub(r"<link\b[^>]*>", "", html), f"{title}: click to move the slices"
    )
