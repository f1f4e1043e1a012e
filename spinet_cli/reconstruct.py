"""`spinet-qsm reconstruct`: a susceptibility map from a local field."""

import contextlib
import dataclasses
import functools
import os
import re
import sys
import warnings
from pathlib import Path

import numpy as np

from spinet_cli.geometry import resolve_geometry
from spinet_cli.outputs import check_outputs
from spinet_cli.small_files import read_bytes
from spinet_tf import __version__
from spinet_tf.atomic_write import atomic_paths, made_folder, write_json
from spinet_tf.classical import CLASSICAL_METHODS
from spinet_tf.errors import InputError
from spinet_tf.field_units import check_units, ppm_per_unit
from spinet_tf.figures import three_planes
from spinet_tf.model_files import load_model
from spinet_tf.nifti import check_output_path, read_mask, read_volume, write_volume
from spinet_tf.orientation import CanonicalAxes, reconstruct_in_canonical_axes
from spinet_tf.pretrained import PRETRAINED
from spinet_tf.reconstruct import Reconstructor, reconstruct_classical
from spinet_tf.referencing import read_reference
from spinet_tf.volume import check_field, check_same_grid


def run(arguments):
    """Run `spinet-qsm reconstruct`.

    Args:
        arguments: the parsed flags.

    Raises:
        InputError: a flag or file that cannot be used, or not written.
    """
    _check_flags(arguments)
    solve, method_details, unrolls = _prepare(arguments)
    outputs = _output_paths(arguments, unrolls)
    with contextlib.ExitStack() as stack:
        if arguments.iterates:
            stack.enter_context(made_folder(arguments.iterates))
        field_sidecar = _stem(arguments.field) + ".json"
        inputs = [arguments.field, arguments.mask, arguments.reference, field_sidecar]
        check_outputs(outputs, inputs)
        field, mask = _read(arguments)
        threshold = arguments.mask_threshold
        reference = read_reference(arguments.reference, field, mask, threshold)
        voxel_size, b0_direction = resolve_geometry(arguments, field)
        result = reconstruct_in_canonical_axes(
            solve, field.affine, field.data, mask.data, voxel_size, b0_direction
        )
        details = {
            "Method": arguments.method,
            **method_details,
            "Field": arguments.field,
            "FieldUnits": arguments.field_units,
            "FieldStrength": arguments.b0,
            "EchoTime": arguments.te,
            "Mask": arguments.mask,
            "VoxelSize": [round(edge, 6) for edge in voxel_size],
            "B0Direction": [round(component, 6) for component in b0_direction],
            "Axes": CanonicalAxes(field.affine).codes,
            **_describe_reference(reference, result),
        }
        if "SolverTolerance" in method_details:
            _warn_of_loose_solves(result, method_details["SolverTolerance"])
        result = reference.apply(result)
        with atomic_paths(outputs) as paths:
            _write(paths, field, mask, voxel_size, result, details)
    print(f"data-consistency error  {result.data_consistency:.4f}")
    print(f"wall time               {result.seconds:.1f} s")
    for path in outputs:
        print(f"wrote {path}")


def _check_flags(arguments):
    """What can be refused without reading a file."""
    of_network = arguments.model or arguments.precision != "float32"
    of_spinet = of_network or arguments.iterates or arguments.server
    if arguments.method != "spinet" and of_spinet:
        raise InputError(
            "--model, --iterates, --precision and --server go with the method spinet, "
            f"got {arguments.method}"
        )
    if arguments.server and of_network:
        raise InputError("--model and --precision are not for --server, which has both")
    if arguments.tls_ca and not arguments.server:
        raise InputError("--tls-ca goes with --server")
    if not arguments.timeout > 0:
        raise InputError(f"--timeout: expected seconds > 0, got {arguments.timeout:g}")
    ppm_per_unit(arguments.field_units, arguments.b0, arguments.te)
    check_output_path(arguments.output)


def _prepare(arguments):
    """The callable that reconstructs, details for the sidecar, number of unrolls."""
    if arguments.server:
        return _prepare_server(arguments)
    if arguments.method == "spinet":
        return _prepare_spinet(arguments)
    return _prepare_classical(arguments)


def _prepare_server(arguments):
    from spinet_tf.serving.client import RemoteReconstructor

    remote = RemoteReconstructor(
        arguments.server,
        arguments.model_name,
        read_bytes(arguments.tls_ca) if arguments.tls_ca else None,
        arguments.timeout,
        iterates=bool(arguments.iterates),
    )
    details = {
        "Server": arguments.server,
        "Model": arguments.model_name,
        "ModelVersion": remote.version,
    }
    return remote, details, remote.unrolls


def _prepare_spinet(arguments):
    path = arguments.model or PRETRAINED
    model = load_model(path)

    def show_progress(k, report):
        print(
            f"unroll {k} of {model.unrolls}: {report.seconds:.1f} s, "
            f"{report.iterations} solver iterations, "
            f"residual {report.relative_residual:.1e}",
            file=sys.stderr,
            flush=True,
        )

    reconstructor = Reconstructor(model, arguments.precision)
    details = {
        "Model": Path(path).name,
        "Lambda": model.lambda_,
        "P": model.p,
        "Precision": arguments.precision,
        "SolverTolerance": model.tolerance,
    }
    solve = functools.partial(reconstructor, progress=show_progress)
    return solve, details, model.unrolls


def _prepare_classical(arguments):
    method = CLASSICAL_METHODS[arguments.method]
    return functools.partial(reconstruct_classical, method), {}, 0


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


def _output_paths(arguments, unrolls):
    """The map, its sidecar and picture, and the maps of the unrolls."""
    stem = _stem(arguments.output)
    paths = [arguments.output, f"{stem}.json", f"{stem}.png"]
    if arguments.iterates:
        paths += [
            os.path.join(arguments.iterates, f"unroll-{k}.nii.gz")
            for k in range(1, unrolls + 1)
        ]
    return paths


def _stem(path):
    return re.sub(r"\.nii(\.gz)?$", "", path, flags=re.IGNORECASE)


def _read(arguments):
    """The local field in ppm, as it is outside the mask too, and the mask."""
    units = (arguments.field_units, arguments.b0, arguments.te)
    field = read_volume(arguments.field)
    mask = read_mask(arguments.mask, arguments.mask_threshold)
    check_same_grid(field, mask)
    field = check_field(field, mask)
    check_units(field.data[mask.data], *units, field.name)
    ppm = field.data * np.float32(ppm_per_unit(*units))
    return dataclasses.replace(field, data=ppm), mask


def _describe_reference(reference, result):
    """Details for the sidecar."""
    if reference.region is None:
        return {"Reference": reference.kind}
    return {
        "Reference": reference.kind,
        "ReferenceFile": reference.name,
        "ReferenceVoxels": int(np.count_nonzero(reference.region)),
        "ReferenceValue": reference.value(result.susceptibility),
    }


def _write(paths, field, mask, voxel_size, result, details):
    output, sidecar, picture, *iterates = paths

    def write_map(path, data):
        write_volume(path, data, field, voxel_size, "susceptibility [ppm]")

    write_map(output, result.susceptibility)
    for path, unroll in zip(iterates, result.unrolls, strict=False):
        write_map(path, unroll.susceptibility)
    if result.unrolls:
        details["SolverIterations"] = [u.iterations for u in result.unrolls]
        details["SolverResidual"] = [u.relative_residual for u in result.unrolls]
    write_json(
        sidecar,
        {
            "Units": "ppm",
            **details,
            "DataConsistencyError": result.data_consistency,
            "WallTime": round(result.seconds, 2),
            "Software": "spinet-tf",
            "SoftwareVersion": __version__,
        },
    )
    volumes = {"local field": field.data, "susceptibility": result.susceptibility}
    three_planes(picture, volumes, mask.data, voxel_size=voxel_size)
