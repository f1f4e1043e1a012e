"""What a reconstruction gives, by whatever front end or method."""

from typing import NamedTuple

import numpy as np


class UnrollReport(NamedTuple):
    """What one unroll did.

    Attributes:
        susceptibility: float32 `(x, y, z)` [ppm], chi_k in the mask, else 0; None from
            an exported network that was not asked for it.
        iterations: int, of the solver.
        relative_residual: float, of the solver.
        seconds: float; None from an exported network.
    """

    susceptibility: np.ndarray | None
    iterations: int
    relative_residual: float
    seconds: float | None


class Reconstruction(NamedTuple):
    """A susceptibility map and how it came about.

    Attributes:
        susceptibility: float32 `(x, y, z)` [ppm], zero outside the mask.
        data_consistency: float, ||mask (Phi chi - y)|| / ||mask y||.
        unrolls: list of `UnrollReport`; empty for a method without any.
        seconds: float, wall time.
        left_out: float, share of the mask's voxels that were left out, as nothing
            explains their field (`spinet_tf.outliers`); where none is looked for None,
            and 0 from an exported network.
    """

    susceptibility: np.ndarray
    data_consistency: float
    unrolls: list
    seconds: float
    left_out: float | None = None

    def with_maps(self, change):
        """The same with each map changed.

        Args:
            change: callable, one float32 `(x, y, z)` [ppm] to another.

        Returns:
            A `Reconstruction`.
        """
        unrolls = [
            unroll
            if unroll.susceptibility is None  # a server sends them only when asked to
            else unroll._replace(susceptibility=change(unroll.susceptibility))
            for unroll in self.unrolls
        ]
        susceptibility = change(self.susceptibility)
        return self._replace(susceptibility=susceptibility, unrolls=unrolls)


def data_consistency_error(residual, local_field, mask):
    """||mask (Phi chi - y)|| / ||mask y||.

    Args:
        residual: float array, Phi chi - y [ppm].
        local_field: like `residual`, y [ppm].
        mask: like `residual`, 0 or 1.

    Returns:
        A float; 0 where the field is zero.
    """
    inside = np.asarray(mask) != 0
    field = np.asarray(local_field)[inside].astype(np.float64)
    norm = np.linalg.norm(field)
    error = np.linalg.norm(np.asarray(residual)[inside].astype(np.float64))
    return float(error / norm) if norm else 0.0
