"""The files that `spinet-qsm reconstruct` writes."""

import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spinet_cli.provenance import provenance
from spinet_tf import __version__
from spinet_tf.atomic_write import write_json
from spinet_tf.figures import three_planes
from spinet_tf.nifti import write_volume
from spinet_tf.orientation import CanonicalAxes
from spinet_tf.page import write_page
from spinet_tf.referencing import Reference
from spinet_tf.report import reconstruction_sections, warning_elements
from spinet_tf.residual import field_residual
from spinet_tf.volume import Volume


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


def output_paths(arguments, unrolls):
    """The files to write: map, sidecar, picture, maps of the unrolls, report.

    Args:
        arguments: the parsed flags.
        unrolls: int.

    Returns:
        list of paths.
    """
    stem = without_suffix(arguments.output)
    paths = [arguments.output, f"{stem}.json", f"{stem}.png"]
    if arguments.iterates:
        paths += [
            os.path.join(arguments.iterates, f"unroll-{k}.nii.gz")
            for k in range(1, unrolls + 1)
        ]
    return paths + ([arguments.report] if arguments.report else [])


def input_paths(arguments):
    """The files that are read, and the sidecar of the field, which must stay.

    Args:
        arguments: the parsed flags.

    Returns:
        list of paths; "none" and "mean" may be among them.
    """
    sidecar = f"{without_suffix(arguments.field)}.json"
    return [arguments.field, arguments.mask, arguments.reference, sidecar]


def without_suffix(path):
    """The path of a NIfTI file without .nii or .nii.gz."""
    return re.sub(r"\.nii(\.gz)?$", "", path, flags=re.IGNORECASE)


def describe(arguments, method_details, scan, result):
    """The sidecar.

    Args:
        arguments: the parsed flags.
        method_details: dict, what is particular to the method.
        scan: `Scan`.
        result: `Reconstruction`, before its reference is subtracted.

    Returns:
        dict.
    """
    details = {
        "Units": "ppm",
        "Method": arguments.method,
        **method_details,
        "Field": arguments.field,
        "FieldUnits": arguments.field_units,
        "FieldStrength": arguments.b0,
        "EchoTime": arguments.te,
        "Mask": arguments.mask,
        "VoxelSize": [round(edge, 6) for edge in scan.voxel_size],
        "B0Direction": [round(component, 6) for component in scan.b0_direction],
        "Axes": CanonicalAxes(scan.field.affine).codes,
        **_describe_reference(scan.reference, result),
    }
    if result.unrolls:
        details["SolverIterations"] = [u.iterations for u in result.unrolls]
        details["SolverResidual"] = [u.relative_residual for u in result.unrolls]
    return {
        **details,
        "DataConsistencyError": result.data_consistency,
        "WallTime": round(result.seconds, 2),
        "Software": "spinet-tf",
        "SoftwareVersion": __version__,
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


def write_files(paths, arguments, scan, result, details, messages):
    """Write everything.

    Args:
        paths: where to, in the order of `output_paths`.
        arguments: the parsed flags.
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
        voxel_size=axes.turn_edges(scan.voxel_size),
    )
    if arguments.report:
        report = others.pop()
        residual = _residual(scan, result, details.get("DipoleAtZero", 0.0))
        sections = reconstruction_sections(
            scan.field,
            scan.mask.data,
            scan.voxel_size,
            referenced,
            residual,
            details,
        )
        inputs = [arguments.field, arguments.mask, scan.reference.name]
        files = [path for path in inputs if path]
        sections["Warnings"] = warning_elements(messages)
        sections["Provenance"] = provenance(arguments, files)
        write_page(report, f"Reconstruction of {Path(arguments.field).name}", sections)
    for path, unroll in zip(others, referenced.unrolls, strict=False):
        write_map(path, unroll.susceptibility)


def _residual(scan, result, dipole_at_zero):
    axes = CanonicalAxes(scan.field.affine)
    volumes = (result.susceptibility, scan.field.data, scan.mask.data)
    residual = field_residual(
        *map(axes.turn, volumes),
        axes.turn_edges(scan.voxel_size),
        axes.turn_direction(scan.b0_direction),
        dipole_at_zero,
    )
    return axes.turn_back(residual)
