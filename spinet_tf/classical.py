"""Two classical dipole inversions, each one division in k-space.

They need no training and take a second: a base line for the network, and a check that
field, mask and B0 direction are what they should be. `kernel` is the half spectrum of
the unit dipole, `(x, y, z // 2 + 1)` and unshifted, as a real DFT of the field has it.
"""

import numpy as np
from scipy import fft

from spinet_tf.errors import InputError


def tkd(local_field, mask, kernel, threshold=0.2):
    """Thresholded k-space division.

    The field's spectrum is divided by D, but nowhere by less than the threshold: where
    |D| is smaller it is replaced by +-threshold with the sign of D (+ for D = 0). The
    result is not rescaled, so it underestimates susceptibility the more the higher the
    threshold. Where D(0) = 0 the mean, which the field does not tell, is set to 0.

    Args:
        local_field: float `(x, y, z)`, local field [ppm].
        mask: array `(x, y, z)`, the brain where it is greater than 0.
        kernel: float `(x, y, z // 2 + 1)`, half spectrum of the unit dipole.
        threshold: float, smallest |D| to divide by. Defaults to 0.2: of values from
            0.1 to 0.3 the one of least demeaned NRMSE, within 1% of the best, for
            `spinet_tf.phantom.digital_head` with white field noise of 0.002 ppm.
            Half as much noise asks for 0.14, twice as much for 0.3.

    Returns:
        float32 `(x, y, z)`, susceptibility [ppm], 0 outside the mask.

    Raises:
        InputError: if the shapes do not fit together or the threshold is not positive.

    Reference:
        Shmueli et al., Magn Reson Med 2009;62:1510-1522, doi 10.1002/mrm.22135.
    """
    if not threshold > 0:
        raise InputError(f"threshold: expected a number above 0, got {threshold}")
    kernel = np.asarray(kernel)
    sign = np.where(kernel < 0, -1, 1)
    divisor = sign * np.maximum(np.abs(kernel), threshold)
    gain = (1 / divisor).astype(np.float32)
    gain[..., 0, 0, 0] *= kernel[..., 0, 0, 0] != 0
    return _filter(local_field, mask, gain)


def tikhonov(local_field, mask, kernel, weight=0.008):
    """Tikhonov-regularised inversion in closed form.

    The susceptibility that minimises ||Phi chi - y||^2 + weight * ||chi||^2, with Phi
    the convolution with the unit dipole: F^-1 [D / (D^2 + weight) F y].

    Args:
        local_field: float `(x, y, z)`, local field [ppm].
        mask: array `(x, y, z)`, the brain where it is greater than 0.
        kernel: float `(x, y, z // 2 + 1)`, half spectrum of the unit dipole.
        weight: float, of the penalty on the susceptibility. Defaults to 0.008, chosen
            like the threshold of `tkd` from values between 0.003 and 0.02. Half as
            much noise asks for 0.003, twice as much for 0.02.

    Returns:
        float32 `(x, y, z)`, susceptibility [ppm], 0 outside the mask.

    Raises:
        InputError: if the shapes do not fit together or the weight is not positive.

    Reference:
        Kressler et al., IEEE Trans Med Imaging 2010;29:273-281,
        doi 10.1109/TMI.2009.2023787.
    """
    if not weight > 0:
        raise InputError(f"weight: expected a number above 0, got {weight}")
    kernel = np.asarray(kernel)
    return _filter(local_field, mask, kernel / (np.square(kernel) + weight))


def _filter(local_field, mask, gain):
    """The masked field times `gain` in k-space, masked again."""
    shape = np.shape(local_field)
    if np.shape(mask) != shape:
        raise InputError(
            f"mask: expected the local field's shape {shape}, got {np.shape(mask)}"
        )
    half = (*shape[:2], shape[2] // 2 + 1)
    if gain.shape != half:
        raise InputError(f"kernel: expected the half spectrum {half}, got {gain.shape}")
    mask = np.asarray(mask) > 0
    spectrum = fft.rfftn(np.where(mask, local_field, 0).astype(np.float32))
    susceptibility = fft.irfftn(spectrum * gain.astype(np.float32), s=shape)
    return np.where(mask, susceptibility, 0).astype(np.float32)


CLASSICAL_METHODS = {"tkd": tkd, "tikhonov": tikhonov}
