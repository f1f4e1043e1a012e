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
    input_paths,
    output_paths,
    write_files,
)
from spinet_tf.atomic_write import atomic_paths, made_folder
from spinet_tf.field_units import check_units, ppm_per_unit
from spinet_tf.nifti import read_mask, read_volume
from spinet_tf.orientation import reconstruct_in_canonical_axes
from spinet_tf.referencing import read_reference
from spinet_tf.volume import check_field, check_same_grid


def reconstruct_scan(arguments, method):
    """Reconstruct a scan, write its files and say what was done.

    Args:
        arguments: the parsed flags of `spinet-qsm reconstruct`, with one field.
        method: `Method`.

    Raises:
        InputError: a file that cannot be used or written; nothing is left.
    """
    with contextlib.ExitStack() as stack:
        messages = stack.enter_context(recorded_warnings())
        outputs = output_paths(arguments, method.unrolls)
        if arguments.iterates:
            stack.enter_context(made_folder(arguments.iterates))
        check_outputs(outputs, input_paths(arguments))
        scan = _read(arguments)
        result = reconstruct_in_canonical_axes(
            method.solve,
            scan.field.affine,
            scan.field.data,
            scan.mask.data,
            scan.voxel_size,
            scan.b0_direction,
        )
        details = describe(arguments, method.details, scan, result)
        if "SolverTolerance" in method.details:
            _warn_of_loose_solves(result, method.details["SolverTolerance"])
        with atomic_paths(outputs) as paths:
            write_files(paths, arguments, scan, result, details, messages)
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


def _read(arguments):
    """The local field in ppm, as it is outside the mask too, and what goes with it."""
    units = (arguments.field_units, arguments.b0, arguments.te)
    threshold = arguments.mask_threshold
    field = read_volume(arguments.field)
    mask = read_mask(arguments.mask, threshold)
    check_same_grid(field, mask)
    field = check_field(field, mask)
    check_units(field.data[mask.data], *units, field.name)
    ppm = field.data * np.float32(ppm_per_unit(*units))
    reference = read_reference(arguments.reference, field, mask, threshold)
    geometry = resolve_geometry(arguments, field)
    return Scan(dataclasses.replace(field, data=ppm), mask, *geometry, reference)
