"""Image metrics of the release: what the SpiNet-QSM authors report.

Their MATLAB scoring comes from the 2016 QSM reconstruction challenge (Langkammer et
al. 2018, doi 10.1002/mrm.26830). It runs over the whole volume and never removes a
mean, so both maps are expected to be zero outside the mask. The values cannot be
compared with those of `spinet_tf.metrics_challenge`, even where the names agree.
"""

import math

import numpy as np
from scipy.ndimage import correlate1d
from scipy.signal import oaconvolve

from spinet_tf.structural_similarity import structural_similarity

SIGMA = 1.5
LOG_RADIUS = 7
SSIM_RADIUS = 2
DYNAMIC_RANGE = 255.0


def release_metrics(reconstruction, reference):
    """RMSE, HFEN, pSNR and SSIM as the authors of SpiNet-QSM report them.

    Args:
        reconstruction: float array `(x, y, z)`, susceptibility [ppm], zero outside the
            mask.
        reference: float array `(x, y, z)`, susceptibility [ppm], zero outside the mask.

    Returns:
        dict of float: `rmse` [%], `hfen` [%], `psnr` [dB], `ssim`. A value that is not
        defined, as `rmse` and `hfen` are not for an all-zero reference, is nan; `psnr`
        of two equal maps is inf.
    """
    reconstruction = np.asarray(reconstruction, np.float64)
    reference = np.asarray(reference, np.float64)
    laplacian = _laplacian_of_gaussian()
    rescaled = _rescale_jointly(reconstruction, reference)
    return {
        "rmse": _relative_error(reconstruction, reference),
        "hfen": _relative_error(
            oaconvolve(reconstruction, laplacian, mode="same"),
            oaconvolve(reference, laplacian, mode="same"),
        ),
        "psnr": _psnr(*rescaled),
        "ssim": _ssim(*rescaled),
    }


def _relative_error(reconstruction, reference):
    """Norm of the difference over the norm of the reference [%]."""
    reference_norm = np.linalg.norm(reference)
    if reference_norm < 1e-30:
        return math.nan
    return float(100.0 * np.linalg.norm(reconstruction - reference) / reference_norm)


def _laplacian_of_gaussian():
    """Zero-sum Laplacian of a normalised Gaussian on 15^3 voxels."""
    axis = np.arange(-LOG_RADIUS, LOG_RADIUS + 1.0)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij", sparse=True)
    squared_radius = x**2 + y**2 + z**2
    gaussian = np.exp(-squared_radius / (2 * SIGMA**2))
    gaussian /= gaussian.sum()
    laplacian = gaussian * (squared_radius / SIGMA**4 - 3 / SIGMA**2)
    return laplacian - laplacian.mean()


def _rescale_jointly(reconstruction, reference):
    """Both maps on the scale 0..255; voxels that are exactly 0 (background) stay 0."""
    minimum = min(reconstruction.min(), reference.min())
    shifted = [np.where(v != 0, v - minimum, 0.0) for v in (reconstruction, reference)]
    maximum = max(v.max() for v in shifted)
    scale = DYNAMIC_RANGE / maximum if maximum > 0 else math.nan
    return [scale * v for v in shifted]


def _psnr(reconstruction, reference):
    mean_squared_error = np.mean((reconstruction - reference) ** 2)
    if mean_squared_error == 0:
        return math.inf
    return float(10 * np.log10(DYNAMIC_RANGE**2 / mean_squared_error))


def _ssim(reconstruction, reference):
    """Structural similarity (Wang et al. 2004, doi 10.1109/TIP.2003.819861).

    5^3 Gaussian window, zeros beyond the border, K = (0.01, 0.03); the mean is taken
    over the voxels where the rescaled reconstruction is not 0.
    """
    tissue = reconstruction != 0
    if not tissue.any():
        return math.nan
    constants = (0.01 * DYNAMIC_RANGE) ** 2, (0.03 * DYNAMIC_RANGE) ** 2
    maps = reconstruction, reference
    similarity = structural_similarity(*maps, _window_mean, constants)
    return float(similarity[tissue].mean())


def _window_mean(volume):
    offsets = np.arange(-SSIM_RADIUS, SSIM_RADIUS + 1.0)
    weights = np.exp(-(offsets**2) / (2 * SIGMA**2))
    weights /= weights.sum()
    for axis in range(3):
        volume = correlate1d(volume, weights, axis, mode="constant")
    return volume
