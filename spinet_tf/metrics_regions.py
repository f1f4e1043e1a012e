"""Errors and statistics per brain region, as the QSM-CI benchmark scores them.

The segmentation follows the labels of `REGION_NAMES`. QSM-CI takes nuclei and
calcification outside the mask too; here they count inside it.
"""

import math

import numpy as np
from scipy.ndimage import binary_dilation

from spinet_tf.box import bounding_box, whole
from spinet_tf.metrics_challenge import TINY, demeaned_nrmse, inside_mask, linear_fit

REGION_NAMES = {
    1: "caudate nucleus",
    2: "globus pallidus",
    3: "putamen",
    4: "red nucleus",
    5: "dentate nucleus",
    6: "substantia nigra",
    7: "thalamus",
    8: "white matter",
    9: "grey matter",
    10: "cerebrospinal fluid",
    11: "blood",
    13: "bone",
    14: "air",
    15: "muscle",
    16: "calcification",
}
DEEP_GREY_MATTER = (1, 2, 3, 4, 5, 6)
TISSUE = (7, 8, 9)
BLOOD = 11
CALCIFICATION = 16
MINIMUM_REGION_VOXELS = 10


def region_errors(reconstruction, reference, mask, segmentation):
    """Errors in tissue, blood, the deep grey nuclei and around a calcification.

    Args:
        reconstruction: float array `(x, y, z)`, susceptibility [ppm].
        reference: float array `(x, y, z)`, susceptibility [ppm], finite in the mask.
        mask: array `(x, y, z)`, the brain where it is greater than 0.
        segmentation: integer array `(x, y, z)` of the labels in `REGION_NAMES`; what
            lies outside the mask does not count.

    Returns:
        dict of float: the detrended `nrmse_tissue`, `nrmse_blood` and `nrmse_dgm` [%],
        `dgm_linearity` (|1 - slope| of the means of the deep grey nuclei),
        `calc_moment_dev` [ppm voxels] and `calc_streak` of the calcification. A value
        that is not defined, as where a region is missing, is nan.
    """
    mask = np.asarray(mask) > 0
    reconstruction, reference = inside_mask(reconstruction, reference, mask)
    labels = np.rint(np.where(mask, segmentation, 0)).astype(int)

    def detrended_nrmse(region):
        return demeaned_nrmse(reconstruction[region], reference[region])[1]

    # Veins are thin: their surroundings, where the blooming is, count as well.
    blood = binary_dilation(labels == BLOOD, np.ones((3, 3, 3)))
    moment_deviation, streak = _calcification(reconstruction, reference, labels)
    return {
        "nrmse_tissue": detrended_nrmse(np.isin(labels, TISSUE)),
        "nrmse_blood": detrended_nrmse(blood),
        "nrmse_dgm": detrended_nrmse(np.isin(labels, DEEP_GREY_MATTER)),
        "dgm_linearity": _dgm_linearity(reconstruction, reference, labels),
        "calc_moment_dev": moment_deviation,
        "calc_streak": streak,
    }


def region_statistics(reconstruction, reference, mask, segmentation):
    """Mean and standard deviation of both maps in each region of the segmentation.

    Args:
        reconstruction: float array `(x, y, z)`, susceptibility [ppm].
        reference: float array `(x, y, z)`, susceptibility [ppm], finite in the mask.
        mask: array `(x, y, z)`, the brain where it is greater than 0.
        segmentation: integer array `(x, y, z)`; 0 is no region.

    Returns:
        list of dict, one for each label with at least 10 voxels in the mask, by label:
        `label`, `name`, `voxels`, and [ppm] `reconstruction_mean`,
        `reconstruction_std`, `reference_mean`, `reference_std`.
    """
    mask = np.asarray(mask) > 0
    reconstruction, reference = inside_mask(reconstruction, reference, mask)
    labels = np.rint(np.where(mask, segmentation, 0)).astype(int)
    regions = []
    for label in np.unique(labels[labels != 0]).tolist():
        region = labels == label
        if region.sum() < MINIMUM_REGION_VOXELS:
            continue
        regions.append(
            {
                "label": label,
                "name": REGION_NAMES.get(label, f"label {label}"),
                "voxels": int(region.sum()),
                "reconstruction_mean": float(reconstruction[region].mean()),
                "reconstruction_std": float(reconstruction[region].std()),
                "reference_mean": float(reference[region].mean()),
                "reference_std": float(reference[region].std()),
            }
        )
    return regions


def regions_side_by_side(results):
    """The regions of several evaluations against one reference.

    Args:
        results: list of what `spinet_tf.evaluate.evaluate` returned.

    Returns:
        list, by label, of pairs: a region's statistics in the first evaluation that has
        it, and in each evaluation, a list with None where it is missing.
    """
    by_label = [{r["label"]: r for r in result["regions"]} for result in results]
    labels = sorted(set().union(*by_label))
    rows = [[regions.get(label) for regions in by_label] for label in labels]
    return [(next(filter(None, row)), row) for row in rows]


def _dgm_linearity(reconstruction, reference, labels):
    """|1 - slope| of the mean susceptibilities of the deep grey nuclei."""
    regions = [labels == label for label in DEEP_GREY_MATTER]
    regions = [region for region in regions if region.any()]
    if len(regions) < 2:
        return math.nan
    reference_means = np.array([reference[region].mean() for region in regions])
    if np.ptp(reference_means) ** 2 < TINY:
        return math.nan
    means = np.array([reconstruction[region].mean() for region in regions])
    return float(abs(1 - linear_fit(reference_means, means)[0]))


def _calcification(reconstruction, reference, labels):
    """Deviation of the moment [ppm voxels], and the streaks around the calcification.

    In a box 3 voxels around the labelled calcification it is found again as what is
    more diamagnetic than everything in the next 8 voxels. The streaks are the residual
    of a linear fit in the next 4 voxels over the calcification's mean susceptibility.
    """
    calcification = labels == CALCIFICATION
    if not calcification.any():
        return math.nan, math.nan
    moment = reference[calcification].sum()
    near = _box_around(calcification, 3)
    rim = _box_around(calcification, 7) & ~near
    surroundings = _box_around(calcification, 11) & ~near

    thresholds = -np.arange(351) * 0.01
    clear = thresholds[thresholds <= reconstruction[surroundings].min(initial=np.inf)]
    threshold = clear[0] if clear.size else -3.5
    found = reconstruction[near & (reconstruction < threshold)]
    if found.size == 0:
        return float(abs(moment)), math.nan
    deviation = float(abs(moment - found.sum()))
    if rim.sum() < 2:
        return deviation, math.nan
    slope, intercept = linear_fit(reference[rim], reconstruction[rim])
    residual = reconstruction[rim] - slope * reference[rim] - intercept
    return deviation, float(residual.std() / abs(found.mean()))


def _box_around(region, margin):
    """The region's bounding box grown by a number of voxels, inside the volume."""
    box = np.zeros(region.shape, bool)
    grown = bounding_box(region).dilated(margin)
    box[whole(region.shape).intersection(grown).slices] = True
    return box
