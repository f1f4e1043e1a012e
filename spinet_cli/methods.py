"""What reconstructs, made ready once for all scans of a command line."""

import functools
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from spinet_tf.classical import CLASSICAL_METHODS
from spinet_tf.errors import InputError
from spinet_tf.model_files import load_model
from spinet_tf.pretrained import PRETRAINED
from spinet_tf.reconstruct import Reconstructor, reconstruct_classical
from spinet_tf.small_files import read_bytes


class Method(NamedTuple):
    """A method with its settings.

    Attributes:
        solve: callable of local field, mask, voxel size and B0 direction that gives a
            `Reconstruction`.
        details: dict for the sidecar, what is particular to the method.
        unrolls: int.
    """

    solve: Callable
    details: dict
    unrolls: int


def prepare_method(arguments):
    """Load what the flags ask for.

    Args:
        arguments: the parsed flags.

    Returns:
        `Method`; its scans share its traces.

    Raises:
        InputError: the model, or the server, cannot be used.
    """
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
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError as error:
        raise InputError(f"{path}: expected PEM certificates, {error}") from error
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

    return Method(solve, details, remote.unrolls)


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
        "AdaptivePenalty": model.adaptive_penalty,
        "DipoleAtZero": model.dc_value,
        "Precision": arguments.precision,
        "SolverTolerance": model.tolerance,
    }
    solve = functools.partial(reconstructor, progress=show_progress)
    return Method(solve, details, model.unrolls)


def _prepare_classical(arguments):
    method = CLASSICAL_METHODS[arguments.method]
    return Method(functools.partial(reconstruct_classical, method), {}, 0)
