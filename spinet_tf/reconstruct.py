"""Local field in, susceptibility out: what every front end calls."""

import functools
import math
import time

import numpy as np
import tensorflow as tf

from spinet_tf.available_memory import Memory, check_fits_in_memory, memory_taken
from spinet_tf.copies import folded
from spinet_tf.denoising_plan import choose_tiles
from spinet_tf.dipole_kernel import dipole_kernel
from spinet_tf.dipole_operator import filter_volume
from spinet_tf.errors import InputError
from spinet_tf.holes import fill_holes
from spinet_tf.outliers import share_left_out
from spinet_tf.reconstruction import (
    Reconstruction,
    UnrollReport,
    data_consistency_error,
)
from spinet_tf.reconstruction_memory import check_memory, format_size
from spinet_tf.scan_geometry import (
    check_scan,
    normalise_b0_direction,
    without_gaps,
)
from spinet_tf.tiled_denoiser import TiledDenoiser

CLASSICAL_BYTES_PER_VOXEL = 50  # measured


class Reconstructor:
    """A model made ready for inference; volumes of any size share its traces.

    Args:
        model: `SpiNetQSM`; it is not changed.
        precision: "float32", or "bfloat16" for a CNN in bfloat16 with the physics in
            float32. Defaults to "float32".
        memory_limit: bytes that this process may take, itself included. Defaults to
            None: what the machine has left.
        whole_volume: bool, whether the CNN always runs on the whole volume, as exported
            graphs do. Defaults to False: only where the mask can change its answer,
            if that is less work or if the memory asks for it.

    Raises:
        ValueError: an unknown precision.
    """

    def __init__(
        self, model, precision="float32", memory_limit=None, whole_volume=False
    ):
        self.precision = precision
        self.memory = Memory(memory_limit)
        self._kept = 0  # memory that volumes have left, but for the results
        self._before_all = None  # memory when the first volume came
        self.whole_volume = whole_volume
        self.model = folded(model, precision)
        volume = tf.TensorSpec((None, None, None, None, 1), tf.float32)
        vector = tf.TensorSpec((None, 3), tf.float32)
        inputs = {
            "local_field": volume,
            "mask": volume,
            "sources": volume,
            "voxel_size": vector,
            "b0_direction": vector,
        }
        self._prepare = _graph(self.model.prepare, inputs)
        problem = tf.nest.map_structure(
            lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype),
            self._prepare.get_concrete_function().structured_outputs,
        )
        susceptibility, trust = problem.start, problem.mask
        self._denoise = _graph(self.model.denoise, susceptibility)
        outside = -self.model.chi_mean / self.model.chi_std
        self._tiled = TiledDenoiser(self.model.denoiser, outside)
        self._fit = _graph(
            self.model.fit_data, problem, susceptibility, susceptibility, trust
        )
        self._predict_field = _graph(self.model.dipole, volume, problem.kernel)

    def __call__(self, local_field, mask, voxel_size, b0_direction, progress=None):
        """Reconstruct one volume.

        Args:
            local_field: float32 `(x, y, z)` [ppm]; outside the mask NaN and infinity
                count as 0.
            mask: `(x, y, z)`, 0 or 1; an empty one gives zeros. With `fill_outside`
                sources may be in its holes too (`spinet_tf.holes`).
            voxel_size: three floats [mm].
            b0_direction: three floats, in voxel axes.
            progress: callable `(unroll, UnrollReport)`, called after each unroll,
                counted from 1. Defaults to none.

        Returns:
            A `Reconstruction`.

        Raises:
            InputError: an argument is something else, the volume does not fit in
                memory, or the result is not finite.
        """
        check_scan(local_field, mask, voxel_size, b0_direction)
        before, held = self._find_memory(), 0
        check_memory(np.shape(local_field), self.model, self.precision, self.memory)
        try:
            result = self._reconstruct(
                local_field, mask, voxel_size, b0_direction, progress
            )
            held = sum(unroll.susceptibility.nbytes for unroll in result.unrolls)
            return result
        finally:
            # What was needed in between is free by now, unlike what TensorFlow keeps.
            self._kept += memory_taken() - before - held

    def _reconstruct(self, local_field, mask, voxel_size, b0_direction, progress):
        start = time.monotonic()
        sources = fill_holes(mask) if self.model.fill_outside else mask
        denoise = self._denoise_where(sources)
        field, mask, sources = (
            np.asarray(volume, np.float32)[np.newaxis, ..., np.newaxis]
            for volume in (without_gaps(local_field), mask, sources)
        )
        problem = self._prepare(
            {
                "local_field": field,
                "mask": mask,
                "sources": sources,
                "voxel_size": np.asarray([voxel_size], np.float32),
                "b0_direction": np.asarray(
                    [normalise_b0_direction(b0_direction)], np.float32
                ),
            }
        )
        susceptibility, trust = problem.start, problem.mask
        reports = []
        for k in range(1, self.model.unrolls + 1):
            unroll_start = time.monotonic()
            denoised = denoise(susceptibility)
            unroll = self._fit(problem, susceptibility, denoised, trust)
            susceptibility, trust = unroll.susceptibility, unroll.trust
            masked = problem.mask * susceptibility[..., :1]
            reports.append(
                UnrollReport(
                    masked[0, ..., 0].numpy(),
                    int(unroll.iterations[0]),
                    float(unroll.relative_residual[0]),
                    time.monotonic() - unroll_start,
                )
            )
            if not math.isfinite(reports[-1].relative_residual):
                raise InputError(
                    f"model: its result is not finite in unroll {k}; are the weights "
                    "and the field's unit right?"
                )
            if progress:
                progress(k, reports[-1])
        predicted = self._predict_field(masked, problem.kernel).numpy()
        return Reconstruction(
            reports[-1].susceptibility,
            data_consistency_error(predicted - field, field, mask),
            reports,
            time.monotonic() - start,
            float(share_left_out(trust, problem.mask)[0])
            if self.model.leaves_out
            else None,
        )

    def _find_memory(self):
        """Set what the next volume may take; returns what the process has."""
        taken = memory_taken()
        if self._before_all is None:
            self._before_all = taken
        # Some may have been given back since.
        reusable = max(min(self._kept, taken - self._before_all), 0)
        self.memory = self.memory._replace(reusable=reusable)
        return taken

    def _denoise_where(self, mask):
        """`model.denoise`, for what is zero outside a mask."""
        if self.whole_volume:
            return self._denoise
        mask = np.asarray(mask) != 0
        tiles = choose_tiles(mask, self.model, self.precision, self.memory)
        if tiles is None:
            return self._denoise
        network = functools.partial(self._tiled, tiles=tiles)
        return functools.partial(self.model.denoise, network=network)


def _graph(function, *signature):
    """`tf.function`, of one trace for all sizes: that of a solve takes a second."""
    # AutoGraph has nothing to convert here, which takes it a second.
    return tf.function(function, input_signature=signature, autograph=False)


def reconstruct_classical(method, local_field, mask, voxel_size, b0_direction):
    """Reconstruct one volume by a method without a network.

    Args:
        method: callable of local field, mask and the half spectrum of D, as in
            `spinet_tf.classical`.
        local_field: float32 `(x, y, z)` [ppm].
        mask: `(x, y, z)`, 0 or 1.
        voxel_size: three floats [mm].
        b0_direction: three floats, in voxel axes.

    Returns:
        A `Reconstruction` without unrolls.

    Raises:
        InputError: an argument is something else, the volume does not fit in memory,
            or the result is not finite.
    """
    check_scan(local_field, mask, voxel_size, b0_direction)
    matrix_size = np.shape(local_field)
    check_fits_in_memory(
        CLASSICAL_BYTES_PER_VOXEL * math.prod(matrix_size),
        f"field: reconstructing {format_size(matrix_size)} voxels",
    )
    start = time.monotonic()
    kernel = dipole_kernel(
        matrix_size,
        np.asarray([voxel_size], np.float32),
        np.asarray([normalise_b0_direction(b0_direction)], np.float32),
    )
    with np.errstate(all="ignore"):
        susceptibility = method(local_field, mask, kernel[0].numpy())
        susceptibility = np.asarray(susceptibility, np.float32)
    if not np.isfinite(susceptibility).all():
        raise InputError("field: its values are too large, the map is not finite")
    volume = susceptibility[np.newaxis, ..., np.newaxis]
    predicted = filter_volume(volume, kernel).numpy()[0, ..., 0]
    return Reconstruction(
        susceptibility,
        data_consistency_error(predicted - local_field, local_field, mask),
        [],
        time.monotonic() - start,
    )
