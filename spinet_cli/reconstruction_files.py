"""The files that `spinet-qsm reconstruct` writes."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from spinet_cli.provenance import provenance
from spinet_tf import __version__
from spinet_tf.atomic_write import write_json
from spinet_tf.figures import three_planes
from spinet_tf.nifti import write_volume
from spinet_tf.orientation import CanonicalAxes
from spinet_tf.padding import PaddedGrid
from spinet_tf.page import write_page
from spinet_tf.referencing import Reference
from spinet_tf.report import reconstruction_sections, warning_elements
from spinet_tf.residual import field_residual
from spinet_tf.volume import Volume

SAID_IN_BIDS = ("Field", "Mask", "FieldStrength")
"""`Sources` and `MagneticFieldStrength` say it there."""


class Scan(NamedTuple):
    """What is reconstructed.

    Attributes:
        field: `Volume`, the local field [ppm].
        mask: `Volume` with bool data.
        voxel_size: three floats [mm].
        b0_direction: unit vector of three floats, in voxel axes.
        reference: `Reference`.
    """

    field: Volume
    mask: Volume
    voxel_size: tuple
    b0_direction: tuple
    reference: Reference


def describe(task, method_details, scan, result):
    """The sidecar.

    Args:
        task: `ScanTask`.
        method_details: dict, what is particular to the method.
        scan: `Scan`.
        result: `Reconstruction`, before its reference is subtracted.

    Returns:
        dict.
    """
    axes = CanonicalAxes(scan.field.affine if scan.field.is_placed else None)
    details = {
        "Units": "ppm",
        "Method": task.flags.method,
        **method_details,
        "Field": task.field,
        "FieldUnits": task.units.units,
        "FieldStrength": task.units.b0,
        "EchoTime": task.units.te,
        "Mask": task.mask,
        "MaskThreshold": task.flags.mask_threshold,
        "VoxelSize": [round(edge, 6) for edge in scan.voxel_size],
        "B0Direction": [round(component, 6) for component in scan.b0_direction],
        "Padding": task.flags.pad,
        "PaddedSize": list(_padded_grid(task, scan).size),
        "VoxelParts": task.voxel_parts(scan.voxel_size),
        "Axes": axes.codes,
        **_describe_reference(scan.reference, result),
    }
    if result.unrolls:
        details["SolverIterations"] = [u.iterations for u in result.unrolls]
        details["SolverResidual"] = [u.relative_residual for u in result.unrolls]
    if result.left_out is not None:
        details["FieldLeftOut"] = result.left_out
    details |= {
        "DataConsistencyError": result.data_consistency,
        "WallTime": round(result.seconds, 2),
        "Software": "spinet-tf",
        "SoftwareVersion": __version__,
    }
    if task.bids is None:
        return details
    return task.bids | {
        key: value
        for key, value in details.items()
        if value is not None and key not in SAID_IN_BIDS
    }


def _describe_reference(reference, result):
    if reference.region is None:
        return {"Reference": reference.kind}
    return {
        "Reference": reference.kind,
        "ReferenceFile": reference.name,
        "ReferenceVoxels": int(np.count_nonzero(reference.region)),
        "ReferenceValue": reference.value(result.susceptibility),
    }


def write_files(paths, task, scan, result, details, messages):
    """Write everything.

    Args:
        paths: where to, in the order of `task.outputs`.
        task: `ScanTask`.
        scan: `Scan`.
        result: `Reconstruction`, before its reference is subtracted.
        details: dict, the sidecar.
        messages: list of str, the warnings.

    Raises:
        InputError: a file cannot be written.
    """
    output, sidecar, picture, *others = paths
    referenced = scan.reference.apply(result)

    def write_map(path, data):
        write_volume(path, data, scan.field, scan.voxel_size, "susceptibility [ppm]")

    write_map(output, referenced.susceptibility)
    write_json(sidecar, details)
    axes = CanonicalAxes(scan.field.affine)
    maps = {"local field": scan.field.data, "susceptibility": referenced.susceptibility}
    three_planes(
        picture,
        {title: axes.turn(data) for title, data in maps.items()},
        axes.turn(scan.mask.data),
        axes.turn_edges(scan.voxel_size),
        axes.sides,
    )
    if task.report:
        report = others.pop()
        residual = _residual(task, scan, result, details.get("DipoleAtZero", 0.0))
        sections = reconstruction_sections(
            scan.field,
            scan.mask.data,
            scan.voxel_size,
            referenced,
            residual,
            details,
        )
        inputs = [task.field, task.mask, scan.reference.name]
        files = [path for path in inputs if path]
        sections["Warnings"] = warning_elements([*task.warnings, *messages])
        sections["Provenance"] = provenance(task.flags, files)
        write_page(report, f"Reconstruction of {Path(task.field).name}", sections)
    for path, unroll in zip(others, referenced.unrolls, strict=False):
        write_map(path, unroll.susceptibility)


def _padded_grid(task, scan):
    return PaddedGrid(scan.field.data.shape, scan.voxel_size, *task.padding)


def _residual(task, scan, result, dipole_at_zero):
    axes = CanonicalAxes(scan.field.affine)
    grid = _padded_grid(task, scan)
    volumes = (result.susceptibility, scan.field.data, scan.mask.data)
    residual = field_residual(
        *(axes.turn(grid.pad(volume)) for volume in volumes),
        axes.turn_edges(scan.voxel_size),
        axes.turn_direction(scan.b0_direction),
        dipole_at_zero,
    )
    return grid.crop(axes.turn_back(residual))
