"""Reconstructs one scan: files in, files out."""

import contextlib
import dataclasses
import functools
import warnings

import numpy as np

from spinet_cli.arguments_scan import MASK_THRESHOLD
from spinet_cli.field_beside import warn_of_another_direction, warn_of_other_units
from spinet_cli.geometry import place_and_resolve
from spinet_cli.outputs import check_outputs
from spinet_cli.provenance import recorded_warnings
from spinet_cli.reconstruction_files import (
    Scan,
    describe,
    write_files,
)
from spinet_tf.atomic_write import atomic_paths, made_folder
from spinet_tf.errors import OutOfMemory
from spinet_tf.field_units import check_units, ppm_per_unit
from spinet_tf.holes import fill_holes
from spinet_tf.nifti import read_mask, read_volume
from spinet_tf.orientation import reconstruct_in_canonical_axes
from spinet_tf.padding import reconstruct_padded
from spinet_tf.referencing import read_reference
from spinet_tf.thick_slices import ThinGrid, reconstruct_thin
from spinet_tf.volume import check_field, check_same_grid


def reconstruct_scan(task, method):
    """Reconstruct a scan, write its files and say what was done.

    Args:
        task: `ScanTask`.
        method: `Method`.

    Raises:
        InputError: a file that cannot be used or written; nothing is left.
    """
    with contextlib.ExitStack() as stack:
        messages = stack.enter_context(recorded_warnings())
        if task.iterates:
            stack.enter_context(made_folder(task.iterates))
        scan = read_scan(task, method.unrolls)
        dipole_at_zero = method.details.get("DipoleAtZero", 0.0)
        result = solve_scan(task, method.solve, scan, dipole_at_zero)
        outputs = write_scan(task, scan, result, method.details, messages)
    print(f"data-consistency error  {result.data_consistency:.4f}")
    if result.left_out:
        share = f"{result.left_out:.2g} of the mask"
        print(f"field left out          {share}, where it fits nothing")
    print(f"wall time               {result.seconds:.1f} s")
    for path in outputs:
        print(f"wrote {path}")


LARGEST_MEAN = 0.5
"""Of a field in its mask, in standard deviations; a whole head's is below 0.05."""


def read_scan(task, unrolls=0):
    """Read what there is to reconstruct, and say its geometry.

    Args:
        task: `ScanTask`.
        unrolls: int, of the method. Defaults to 0, for a task without iterates.

    Returns:
        `Scan`; its field is in ppm, and as it is outside the mask too.

    Raises:
        InputError: a file that cannot be used, or could not be written.
    """
    check_outputs(task.outputs(unrolls), task.inputs())
    threshold = task.flags.mask_threshold
    field = read_volume(task.field)
    mask = read_mask(task.mask, threshold, threshold_flag=MASK_THRESHOLD)
    check_same_grid(field, mask)
    field = check_field(field, mask)
    warn_of_other_units(task)
    check_units(
        field.data[mask.data],
        *task.units,
        field.name,
        stated=task.ppm_is_stated,
        units_flag="--field-units",
    )
    ppm = field.data * np.float32(ppm_per_unit(*task.units))
    reference = read_reference(
        task.flags.reference, field, mask, threshold, MASK_THRESHOLD
    )
    _warn_of_faces(task, mask)
    _warn_of_offset(field, mask)
    _warn_of_holes(task, mask)
    field, *geometry = place_and_resolve(task.flags, field, mask, task.b0_direction)
    warn_of_another_direction(task, geometry[1])
    return Scan(dataclasses.replace(field, data=ppm), mask, *geometry, reference)


def _warn_of_faces(task, mask):
    """Warn where what lies at one face of the volume acts on the opposite one."""
    if task.flags.pad:
        return
    touched = [axis for axis in range(3) if mask.data.take([0, -1], axis).any()]
    if touched:
        axes = " and ".join("xyz"[axis] for axis in touched)
        warnings.warn(
            f"{mask.name}: the mask reaches a face of the volume along {axes}, where"
            " the convolution wraps around; give room with --pad, such as 20",
            stacklevel=2,
        )


def _warn_of_holes(task, mask):
    """Warn where an exported network looks for no sources, unlike others."""
    on_beam = getattr(task.flags, "runner", None)  # a flag of `bids` alone
    if not (task.flags.server or on_beam):
        return
    holes = np.count_nonzero(fill_holes(mask.data)) - np.count_nonzero(mask.data)
    if holes:
        warnings.warn(
            f"{mask.name}: the mask has holes, of {holes} voxels, and an exported"
            " network looks for no sources in them",
            stacklevel=2,
        )


def _warn_of_offset(field, mask):
    """Warn of a constant, which no susceptibility inside the mask explains."""
    inside = field.data[mask.data].astype(np.float64)
    share = abs(inside.mean()) / max(inside.std(), 1e-30)
    if share > LARGEST_MEAN:
        warnings.warn(
            f"{field.name}: the mean of the field in the mask is {share:.2g} of its"
            " standard deviation, that of a head's local field is near 0; an offset"
            " spoils the map, so subtract it if it is one",
            stacklevel=2,
        )


def solve_scan(task, solve, scan, dipole_at_zero):
    """Reconstruct what was read.

    Args:
        task: `ScanTask`.
        solve: callable of local field, mask, voxel size and B0 direction that gives a
            `Reconstruction`.
        scan: `Scan`.
        dipole_at_zero: float, D(0) of the network.

    Returns:
        `Reconstruction`, before its reference is subtracted.

    Raises:
        InputError: the scan cannot be reconstructed.
    """
    if task.thins_slices:
        solve = functools.partial(_solve_thin, solve, dipole_at_zero)
    return reconstruct_in_canonical_axes(
        functools.partial(reconstruct_padded, solve, *task.padding),
        scan.field.affine,
        scan.field.data,
        scan.mask.data,
        scan.voxel_size,
        scan.b0_direction,
    )


def _solve_thin(solve, dipole_at_zero, *scan):
    try:
        return reconstruct_thin(solve, *scan, dipole_at_zero)
    except OutOfMemory as error:
        if max(ThinGrid(scan[2]).parts) == 1:
            raise
        hint = "thick slices are interpolated, but not with --keep-slices"
        raise OutOfMemory(f"{error}; {hint}") from error


def write_scan(task, scan, result, method_details, messages):
    """Write the files of a scan, all or none.

    Args:
        task: `ScanTask`.
        scan: `Scan`.
        result: `Reconstruction`, before its reference is subtracted.
        method_details: dict for the sidecar, what is particular to the method.
        messages: list of str, the warnings; it may grow.

    Returns:
        list of paths.

    Raises:
        InputError: a file cannot be written.
    """
    outputs = task.outputs(len(result.unrolls))
    details = describe(task, method_details, scan, result)
    if "SolverTolerance" in method_details:
        _warn_of_loose_solves(result, method_details["SolverTolerance"])
    with atomic_paths(outputs) as paths:
        write_files(paths, task, scan, result, details, messages)
    return outputs


def _warn_of_loose_solves(result, tolerance):
    loose = [
        unroll.relative_residual
        for unroll in result.unrolls
        if unroll.relative_residual > tolerance
    ]
    if loose:
        warnings.warn(
            f"{len(loose)} of {len(result.unrolls)} solves stopped at the limit of "
            f"iterations with a residual of up to {max(loose):.1e}, above the "
            f"tolerance of {tolerance:g}",
            stacklevel=2,
        )
