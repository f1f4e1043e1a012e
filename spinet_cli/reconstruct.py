"""`spinet-qsm reconstruct`: susceptibility maps from local fields."""

import math
import re

from spinet_cli.arguments_scan import MASK_THRESHOLD, TIMEOUT
from spinet_cli.arguments_serve import MODEL_NAME
from spinet_cli.each_scan import run_each
from spinet_cli.geometry import check_geometry_flags
from spinet_cli.method_names import bare_name
from spinet_cli.methods import prepare_method
from spinet_cli.one_scan import reconstruct_scan
from spinet_cli.outputs import check_outputs
from spinet_cli.provenance import check_report_path
from spinet_cli.scan_task import ScanTask, given_units, without_suffix
from spinet_tf.atomic_write import made_folder
from spinet_tf.errors import InputError
from spinet_tf.field_units import (
    ECHO_TIMES,
    FIELD_STRENGTHS,
    UNITS,
    ppm_per_unit,
)
from spinet_tf.nifti import NIFTI_SUFFIXES, check_output_path, split_array_name
from spinet_tf.padding import check_padding

LARGEST = 1e9  # of what overflows beyond: for gRPC 1e10 seconds are in the past
GRPC_SCHEMES = ("dns:", "ipv4:", "ipv6:", "unix:", "unix-abstract:", "vsock:")


def run(arguments):
    """Run `spinet-qsm reconstruct`.

    Args:
        arguments: the parsed flags.

    Returns:
        Exit code: 0, or 1 if some of several scans failed.

    Raises:
        InputError: a flag that cannot be used, or a single scan.
    """
    _check_units(arguments)
    check_method_flags(arguments)
    check_geometry_flags(arguments)
    if len(arguments.field) > 1:
        return _run_several(arguments)
    (task,) = _tasks(arguments, [arguments.output])
    check_output_path(task.output)
    check_report_path(task.report)
    reconstruct_scan(task, prepare_method(arguments))
    return 0


def _check_units(arguments):
    units, b0, te = given_units(arguments)
    try:
        ppm_per_unit(units, b0, te)
    except InputError as error:  # which begins with "b0: " or "te: "
        raise InputError(f"--{error}") from error
    # Whoever gives them has a field in other units, which may well pass for one in ppm.
    if (units == "ppm" and b0 is not None) or (units != "rad" and te is not None):
        raise InputError(
            "--b0 goes with --field-units hz or rad, --te with rad; the field is in"
            f" {UNITS[units]}"
        )


def check_method_flags(arguments):
    """Check what can be refused of a method without reading a file.

    Args:
        arguments: the parsed flags.

    Raises:
        InputError: flags that are wrong, or do not go together.
    """
    limit = arguments.memory_limit
    of_network = arguments.model or arguments.precision != "float32"
    of_network = of_network or limit is not None
    of_spinet = of_network or arguments.iterates or arguments.server
    of_spinet = of_spinet or arguments.keep_slices
    if arguments.method != "spinet" and of_spinet:
        raise InputError(
            "--model, --iterates, --precision, --keep-slices, --memory-limit and "
            f"--server go with the method spinet, got {arguments.method}"
        )
    if arguments.server and of_network:
        raise InputError(
            "--model, --precision and --memory-limit are not for --server, which has "
            "its own"
        )
    _check_server_flags(arguments)
    if limit is not None and not 0 < limit <= LARGEST:
        raise InputError(
            f"--memory-limit: expected GB > 0 and at most {LARGEST:g}, got {limit:g}"
        )
    check_padding(arguments.pad, "--pad")
    for flag, value, (low, high), unit in (
        ("--b0", arguments.b0, FIELD_STRENGTHS, "Tesla"),
        ("--te", arguments.te, ECHO_TIMES, "seconds"),
    ):
        if value is not None and not low <= value <= high:
            raise InputError(
                f"{flag}: expected {low:g} to {high:g} {unit}, got {value:g}"
            )
    threshold = arguments.mask_threshold
    if threshold is not None and not math.isfinite(threshold):
        raise InputError(f"{MASK_THRESHOLD}: expected a finite number, got {threshold}")


def _check_server_flags(arguments):
    for flag, text in (
        ("--server", arguments.server),
        ("--model-name", arguments.model_name),
    ):
        if text and not text.isprintable():
            raise InputError(f"{flag}: expected printable characters, got {text!r}")
    if not 0 < arguments.timeout <= LARGEST:
        raise InputError(
            f"--timeout: expected seconds > 0 and at most {LARGEST:g}, "
            f"got {arguments.timeout:g}"
        )
    if arguments.server is not None:
        _check_address(arguments.server)
        return
    of_client = arguments.model_name != MODEL_NAME or arguments.timeout != TIMEOUT
    if of_client or arguments.tls_ca:
        raise InputError("--model-name, --tls-ca and --timeout go with --server")


def _check_address(address):
    """Without a port gRPC would take 443, and for 99999 it would take 34463."""
    if address.startswith(GRPC_SCHEMES):
        return
    parts = re.fullmatch(r"([^:\s]+|\[[^\s\]]+\]):([0-9]{1,5})", address)
    if not (parts and 1 <= int(parts[2]) <= 65535):
        got = repr(address) if address.strip() else "nothing"
        raise InputError(f"--server: expected HOST:PORT, got {got}")


def _run_several(arguments):
    for flag in ("iterates", "report"):
        if getattr(arguments, flag):
            raise InputError(f"--{flag} goes with one field, got several")
    if arguments.output.lower().endswith(NIFTI_SUFFIXES):
        raise InputError(
            f"--output: expected a folder for several fields, got {arguments.output}"
        )
    names = _names(arguments.field)
    with made_folder(arguments.output) as folder:
        tasks = _tasks(
            arguments, [str(folder / f"{name}_chi.nii.gz") for name in names]
        )
        check_outputs(
            [path for task in tasks for path in task.outputs(unrolls=0)],
            [path for task in tasks for path in task.inputs()],
        )
        method = prepare_method(arguments)
        return run_each(
            tasks, lambda task: reconstruct_scan(task, method), lambda task: task.field
        )


def _names(fields):
    """What the maps of several fields are called after."""
    fields_of = {}
    for field in fields:
        if not field:
            raise InputError("--field: got an empty name")
        name = bare_name(split_array_name(field)[0])
        if name in fields_of:
            raise InputError(
                f"--field: {fields_of[name]} and {field} have the same name, their "
                "maps would too"
            )
        fields_of[name] = field
    return list(fields_of)


def _tasks(arguments, outputs):
    fields, masks = arguments.field, arguments.mask
    if len(masks) not in (1, len(fields)):
        raise InputError(
            f"--mask: expected one for all fields or one for each of the {len(fields)},"
            f" got {len(masks)}"
        )
    if len(masks) == 1:
        masks = masks * len(fields)
    return [
        ScanTask(
            flags=arguments,
            field=field,
            mask=mask,
            output=output,
            picture=f"{without_suffix(output)}.png",
            units=given_units(arguments),
            report=arguments.report,
            iterates=arguments.iterates,
        )
        for field, mask, output in zip(fields, masks, outputs, strict=True)
    ]
