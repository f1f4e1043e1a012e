"""Reconstructs one scan: files in, files out."""

import contextlib
import dataclasses
import warnings

import numpy as np

from spinet_cli.geometry import resolve_geometry
from spinet_cli.outputs import check_outputs
from spinet_cli.provenance import recorded_warnings
from spinet_cli.reconstruction_files import (
    Scan,
    describe,
    write_files,
)
from spinet_tf.atomic_write import atomic_paths, made_folder
from spinet_tf.field_units import check_units, ppm_per_unit
from spinet_tf.nifti import read_mask, read_volume
from spinet_tf.orientation import reconstruct_in_canonical_axes
from spinet_tf.referencing import read_reference
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
        outputs = task.outputs(method.unrolls)
        if task.iterates:
            stack.enter_context(made_folder(task.iterates))
        check_outputs(outputs, task.inputs())
        scan = _read(task)
        result = reconstruct_in_canonical_axes(
            method.solve,
            scan.field.affine,
            scan.field.data,
            scan.mask.data,
            scan.voxel_size,
            scan.b0_direction,
        )
        details = describe(task, method.details, scan, result)
        if "SolverTolerance" in method.details:
            _warn_of_loose_solves(result, method.details["SolverTolerance"])
        with atomic_paths(outputs) as paths:
            write_files(paths, task, scan, result, details, messages)
    print(f"data-consistency error  {result.data_consistency:.4f}")
    print(f"wall time               {result.seconds:.1f} s")
    for path in outputs:
        print(f"wrote {path}")


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


def _read(task):
    """The local field in ppm, as it is outside the mask too, and what goes with it."""
    threshold = task.flags.mask_threshold
    field = read_volume(task.field)
    mask = read_mask(task.mask, threshold)
    check_same_grid(field, mask)
    field = check_field(field, mask)
    check_units(field.data[mask.data], *task.units, field.name)
    ppm = field.data * np.float32(ppm_per_unit(*task.units))
    reference = read_reference(task.flags.reference, field, mask, threshold)
    geometry = resolve_geometry(task.flags, field, task.b0_direction)
    return Scan(dataclasses.replace(field, data=ppm), mask, *geometry, reference)
