"""`spinet-qsm reconstruct`: a susceptibility map from a local field."""

import contextlib
import dataclasses
import functools
import math
import sys
import warnings
from pathlib import Path

import numpy as np

from spinet_cli.geometry import resolve_geometry
from spinet_cli.outputs import check_outputs
from spinet_cli.provenance import check_report_path, recorded_warnings
from spinet_cli.reconstruction_files import (
    Scan,
    describe,
    output_paths,
    without_suffix,
    write_files,
)
from spinet_cli.small_files import read_bytes
from spinet_tf.atomic_write import atomic_paths, made_folder
from spinet_tf.classical import CLASSICAL_METHODS
from spinet_tf.errors import InputError
from spinet_tf.field_units import check_units, ppm_per_unit
from spinet_tf.model_files import load_model
from spinet_tf.nifti import check_output_path, read_mask, read_volume
from spinet_tf.orientation import reconstruct_in_canonical_axes
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
    with contextlib.ExitStack() as stack:
        messages = stack.enter_context(recorded_warnings())
        solve, method_details, unrolls = _prepare(arguments)
        outputs = output_paths(arguments, unrolls)
        if arguments.iterates:
            stack.enter_context(made_folder(arguments.iterates))
        field_sidecar = without_suffix(arguments.field) + ".json"
        inputs = [arguments.field, arguments.mask, arguments.reference, field_sidecar]
        check_outputs(outputs, inputs)
        scan = _read(arguments)
        result = reconstruct_in_canonical_axes(
            solve,
            scan.field.affine,
            scan.field.data,
            scan.mask.data,
            scan.voxel_size,
            scan.b0_direction,
        )
        details = describe(arguments, method_details, scan, result)
        if "SolverTolerance" in method_details:
            _warn_of_loose_solves(result, method_details["SolverTolerance"])
        with atomic_paths(outputs) as paths:
            write_files(paths, arguments, scan, result, details, messages)
    print(f"data-consistency error  {result.data_consistency:.4f}")
    print(f"wall time               {result.seconds:.1f} s")
    for path in outputs:
        print(f"wrote {path}")


def _check_flags(arguments):
    """What can be refused without reading a file."""
    limit = arguments.memory_limit
    of_network = arguments.model or arguments.precision != "float32"
    of_network = of_network or limit is not None
    of_spinet = of_network or arguments.iterates or arguments.server
    if arguments.method != "spinet" and of_spinet:
        raise InputError(
            "--model, --iterates, --precision, --memory-limit and --server go with the "
            f"method spinet, got {arguments.method}"
        )
    if arguments.server and of_network:
        raise InputError(
            "--model, --precision and --memory-limit are not for --server, which has "
            "its own"
        )
    if arguments.tls_ca and not arguments.server:
        raise InputError("--tls-ca goes with --server")
    if arguments.server == "":
        raise InputError("--server: expected HOST:PORT, got nothing")
    if limit is not None and not 0 < limit < math.inf:
        raise InputError(f"--memory-limit: expected GB > 0, got {limit:g}")
    if not arguments.timeout > 0:
        raise InputError(f"--timeout: expected seconds > 0, got {arguments.timeout:g}")
    ppm_per_unit(arguments.field_units, arguments.b0, arguments.te)
    check_output_path(arguments.output)
    check_report_path(arguments.report)


def _prepare(arguments):
    """The callable that reconstructs, details for the sidecar, number of unrolls."""
    if arguments.server:
        return _prepare_server(arguments)
    if arguments.method == "spinet":
        return _prepare_spinet(arguments)
    return _prepare_classical(arguments)


def _certificates(path):
    content = read_bytes(path)
    # Without any, gRPC would take no encryption, or other certificates, for wanted.
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise InputError(f"{path}: expected PEM certificates")
    return content


def _prepare_server(arguments):
    from spinet_tf.serving.client import RemoteReconstructor

    remote = RemoteReconstructor(
        arguments.server,
        arguments.model_name,
        _certificates(arguments.tls_ca) if arguments.tls_ca else None,
        arguments.timeout,
        iterates=bool(arguments.iterates or arguments.report),
    )
    details = {"Server": arguments.server, "Model": arguments.model_name}

    def solve(*scan):
        result = remote(*scan)
        details["ModelVersion"] = remote.version
        return result

    return solve, details, remote.unrolls


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

    limit = arguments.memory_limit
    reconstructor = Reconstructor(
        model, arguments.precision, None if limit is None else int(limit * 1e9)
    )
    details = {
        "Model": Path(path).name,
        "Lambda": model.lambda_,
        "P": model.p,
        "DipoleAtZero": model.dc_value,
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
