"""Image metrics of the QSM challenges, defined as the QSM-CI benchmark scores them.

Everything is taken inside the mask, with both maps set to zero outside it. The values
cannot be compared with those of `spinet_tf.metrics_release`, even where the names
agree. Errors per region are in `spinet_tf.metrics_regions`.
"""

import math

import numpy as np
from scipy.ndimage import gaussian_laplace, uniform_filter

from spinet_tf.structural_similarity import structural_similarity

TINY = 1e-30


def challenge_metrics(reconstruction, reference, mask):
    """NRMSE, HFEN, correlation and XSIM as the QSM challenges define them.

    A voxel of the mask where the reconstruction is not finite counts as 0: what a
    method leaves out is an error, and `coverage` tells how much that is.

    Args:
        reconstruction: float array `(x, y, z)`, susceptibility [ppm].
        reference: float array `(x, y, z)`, susceptibility [ppm], finite in the mask.
        mask: array `(x, y, z)`, the brain where it is greater than 0.

    Returns:
        dict of float: `nrmse` [%] of the demeaned maps, `nrmse_detrend` [%] after a
        linear fit, `hfen` [%], `correlation`, `xsim`, `coverage` (fraction of the mask
        with a finite, nonzero value). A value that is not defined is nan, but 0 for
        the correlation of a constant map.
    """
    mask = np.asarray(mask) > 0
    if not mask.any():
        names = ("nrmse", "nrmse_detrend", "hfen", "correlation", "xsim", "coverage")
        return dict.fromkeys(names, math.nan)
    reconstruction, reference = inside_mask(reconstruction, reference, mask)
    nrmse, nrmse_detrend = demeaned_nrmse(reconstruction[mask], reference[mask])
    return {
        "nrmse": nrmse,
        "nrmse_detrend": nrmse_detrend,
        "hfen": _hfen(reconstruction, reference, mask),
        "correlation": _correlation(reconstruction[mask], reference[mask]),
        "xsim": _xsim(reconstruction, reference, mask),
        "coverage": float((reconstruction[mask] != 0).mean()),
    }


def inside_mask(reconstruction, reference, mask):
    """Both maps as float64, 0 outside the mask and where a reconstruction failed.

    The neighbourhood filters must not see what lies outside: a common hard edge.
    """
    reconstruction = np.asarray(reconstruction, np.float64)
    usable = mask & np.isfinite(reconstruction)
    reference = np.asarray(reference, np.float64)
    return np.where(usable, reconstruction, 0.0), np.where(mask, reference, 0.0)


def linear_fit(x, y):
    """Slope and intercept of the least-squares line y = slope * x + intercept."""
    centred = _demeaned(x)
    variance = centred @ centred
    if variance < TINY:
        return 0.0, 0.0
    slope = centred @ (y - y.mean()) / variance
    return slope, y.mean() - slope * x.mean()


def demeaned_nrmse(reconstruction, reference):
    """Error of the demeaned values [%], without and with a linear fit."""
    if reference.size == 0:
        return math.nan, math.nan
    reconstruction, reference = _demeaned(reconstruction), _demeaned(reference)
    norm = np.linalg.norm(reference)
    if norm < TINY:
        return math.nan, math.nan
    nrmse = float(100 * np.linalg.norm(reconstruction - reference) / norm)
    slope, intercept = linear_fit(reference, reconstruction)
    if abs(slope) < TINY:
        return nrmse, nrmse
    detrended = (reconstruction - intercept) / slope
    return nrmse, float(100 * np.linalg.norm(detrended - reference) / norm)


def _demeaned(values):
    centred = values - values.mean()
    # What rounding leaves of a constant is nothing.
    if np.linalg.norm(centred) <= 1e-12 * np.linalg.norm(values):
        return np.zeros_like(centred)
    return centred


def _hfen(reconstruction, reference, mask):
    """Error of the Laplacian of Gaussian of the maps [%]."""
    filtered = gaussian_laplace(reference, sigma=1.5, truncate=5.0)[mask]
    norm = np.linalg.norm(filtered)
    if norm < TINY:
        return math.nan
    error = gaussian_laplace(reconstruction, sigma=1.5, truncate=5.0)[mask] - filtered
    return float(100 * np.linalg.norm(error) / norm)


def _correlation(reconstruction, reference):
    reconstruction, reference = _demeaned(reconstruction), _demeaned(reference)
    norms = np.linalg.norm(reconstruction) * np.linalg.norm(reference)
    return float(reconstruction @ reference / norms) if norms > TINY else 0.0


def _xsim(reconstruction, reference, mask):
    """Structural similarity made for QSM (Milovic et al. 2024, doi 10.1002/mrm.30271).

    5^3 uniform windows truncated at the border of the volume, as QSM-CI has them where
    the paper's own code has Gaussian ones, with the constants (0.01 * 1 ppm)^2 and
    (0.001 * 1 ppm)^2 and no rescaling.
    """
    inside = uniform_filter(np.ones(mask.shape), 5, mode="constant")

    def window_mean(volume):
        return uniform_filter(volume, 5, mode="constant") / inside

    maps = reconstruction, reference
    similarity = structural_similarity(*maps, window_mean, (1e-4, 1e-6))
    return float(similarity[mask].mean())
