"""A viewer of slices for web pages, by nilearn."""

import re
import warnings

import nibabel
import nibabel.affines
import numpy as np

from spinet_tf.page import frame, paragraph

MOST_CUBES = 256**3  # 450 x 450 x 290 took nilearn 5 GB and a minute


def steps_shown(matrix_size, affine):
    """Of how many voxels along each axis the viewer shows one.

    Args:
        matrix_size: three integers.
        affine: float `(4, 4)`, voxel indices to scanner coordinates [mm].

    Returns:
        int `(3,)`.
    """
    edges = nibabel.affines.voxel_sizes(affine)
    if np.allclose(edges, edges[0], rtol=1e-3):
        return np.ones(3, int)
    box = np.abs(affine[:3, :3]) @ matrix_size  # in scanner axes
    finest = np.cbrt(np.prod(box) / MOST_CUBES)
    return np.maximum(np.ceil(finest / edges), 1).astype(int)


def slice_viewer(title, data, affine, centre, window):
    """A viewer in scanner axes: click to choose the slices.

    nilearn resamples volumes that are oblique to the scanner, and all others that are
    no cubes, to cubes of the shortest edge, nearest neighbour. Where that would be more
    than `MOST_CUBES`, not every voxel along the axes with short edges is shown.

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
    steps = steps_shown(np.shape(data), affine)
    shown = np.asarray(data, np.float32)[tuple(slice(None, None, n) for n in steps)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        html = view_img(
            nibabel.Nifti1Image(shown, affine @ np.diag([*steps, 1])),
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
