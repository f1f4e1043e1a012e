"""Reconstruct a susceptibility map from a local field."""

from spinet_cli.geometry import add_geometry_arguments, resolve_geometry

METHODS = ("spinet", "tkd", "tikhonov")


def add_arguments(parser):
    """Add the flags of `spinet-qsm reconstruct`."""
    files = parser.add_argument_group("files")
    files.add_argument(
        "--field",
        required=True,
        metavar="FILE",
        help="local field: .nii, .nii.gz, or .mat (file.mat:NAME for one of several)",
    )
    files.add_argument(
        "--mask", required=True, metavar="FILE", help="brain mask, 0 and 1, same grid"
    )
    files.add_argument(
        "--mask-threshold",
        type=float,
        metavar="T",
        help="for a probability mask: inside is above T",
    )
    files.add_argument(
        "--output",
        required=True,
        metavar="FILE",
        help="susceptibility [ppm], .nii or .nii.gz; a .json sidecar and a .png "
        "picture are written beside it",
    )
    files.add_argument(
        "--iterates", metavar="DIR", help="write the map after each unroll there"
    )

    field = parser.add_argument_group("field")
    field.add_argument(
        "--field-units", choices=("ppm", "hz", "rad"), default="ppm", help="default ppm"
    )
    field.add_argument(
        "--b0", type=float, metavar="T", help="field strength in tesla, for hz and rad"
    )
    field.add_argument(
        "--te", type=float, metavar="S", help="echo time in seconds, for rad"
    )
    add_geometry_arguments(field)

    method = parser.add_argument_group("method")
    method.add_argument(
        "--method", choices=METHODS, default="spinet", help="default spinet"
    )
    method.add_argument(
        "--model", metavar="FILE", help="a .keras model, for the method spinet"
    )
    method.add_argument(
        "--precision",
        choices=("float32", "bfloat16"),
        default="float32",
        help="of the CNN; the physics is float32; default float32",
    )


def run(arguments):
    """Run `spinet-qsm reconstruct`."""
    field, mask, voxel_size, b0_direction = _read(arguments)
    reconstruction, details = _METHOD_RUNNERS[arguments.method](
        arguments, field, mask, voxel_size, b0_direction
    )
    _write(arguments, field, mask, voxel_size, b0_direction, reconstruction, details)


def _read(arguments):
    """Check every input before the work begins."""
    import dataclasses
    from pathlib import Path

    from spinet_tf.atomic_write import check_writable
    from spinet_tf.errors import InputError
    from spinet_tf.field_units import check_units, field_to_ppm
    from spinet_tf.nifti import check_output_path, read_mask, read_volume
    from spinet_tf.volume import check_field, check_same_grid

    if arguments.method == "spinet" and not arguments.model:
        raise InputError("--model: the method spinet needs a .keras model")
    if arguments.method != "spinet" and (arguments.model or arguments.iterates):
        raise InputError(
            f"--model and --iterates go with the method spinet, got {arguments.method}"
        )
    check_output_path(arguments.output)
    if arguments.iterates:
        check_writable(Path(arguments.iterates) / "unroll-1.nii.gz", make_folder=True)

    field = read_volume(arguments.field)
    mask = read_mask(arguments.mask, arguments.mask_threshold)
    check_same_grid(field, mask)
    field = check_field(field, mask)
    ppm = field_to_ppm(field.data, arguments.field_units, arguments.b0, arguments.te)
    check_units(ppm[mask.data], arguments.field_units)
    voxel_size, b0_direction = resolve_geometry(arguments, field)
    field = dataclasses.replace(field, data=ppm * mask.data)
    return field, mask, voxel_size, b0_direction


def _run_spinet(arguments, field, mask, voxel_size, b0_direction):
    import sys

    from spinet_tf.model_files import load_model
    from spinet_tf.reconstruct import Reconstructor

    def show_progress(k, report):
        print(
            f"unroll {k}/{model.unrolls}: {report.seconds:.1f} s, "
            f"{report.iterations} solver iterations, "
            f"residual {report.relative_residual:.1e}",
            file=sys.stderr,
            flush=True,
        )

    model = load_model(arguments.model)
    reconstructor = Reconstructor(model, arguments.precision)
    reconstruction = reconstructor(
        field.data, mask.data, voxel_size, b0_direction, show_progress
    )
    return reconstruction, {
        "Model": arguments.model,
        "Precision": arguments.precision,
        "Lambda": model.lambda_,
        "P": model.p,
        "SolverIterations": [u.iterations for u in reconstruction.unrolls],
        "SolverResidual": [u.relative_residual for u in reconstruction.unrolls],
    }


def _run_classical(arguments, field, mask, voxel_size, b0_direction):
    from spinet_tf.classical import CLASSICAL_METHODS
    from spinet_tf.reconstruct import reconstruct_classical

    method = CLASSICAL_METHODS[arguments.method]
    reconstruction = reconstruct_classical(
        method, field.data, mask.data, voxel_size, b0_direction
    )
    return reconstruction, {}


_METHOD_RUNNERS = {
    "spinet": _run_spinet,
    "tkd": _run_classical,
    "tikhonov": _run_classical,
}


def _write(arguments, field, mask, voxel_size, b0_direction, reconstruction, details):
    """Write the map, the sidecar, the picture and the iterates."""
    from pathlib import Path

    from spinet_tf import __version__
    from spinet_tf.atomic_write import write_json
    from spinet_tf.figures import three_planes
    from spinet_tf.nifti import write_volume

    def write_map(path, data):
        write_volume(path, data, field, voxel_size, "susceptibility [ppm]")
        print(f"wrote {path}")

    write_map(arguments.output, reconstruction.susceptibility)
    if arguments.iterates:
        for k, unroll in enumerate(reconstruction.unrolls, start=1):
            path = Path(arguments.iterates) / f"unroll-{k}.nii.gz"
            write_map(path, unroll.susceptibility)

    stem = arguments.output.removesuffix(".gz").removesuffix(".nii")
    write_json(
        f"{stem}.json",
        {
            "Method": arguments.method,
            "Units": "ppm",
            "FieldUnits": arguments.field_units,
            "FieldStrength": arguments.b0,
            "EchoTime": arguments.te,
            "VoxelSize": voxel_size,
            "B0Direction": b0_direction,
            **details,
            "DataConsistencyError": reconstruction.data_consistency,
            "WallTime": reconstruction.seconds,
            "Software": "spinet-tf",
            "SoftwareVersion": __version__,
        },
    )
    three_planes(
        f"{stem}.png",
        {"local field": field.data, "susceptibility": reconstruction.susceptibility},
        mask.data,
        voxel_size=voxel_size,
    )
    print(f"wrote {stem}.json and {stem}.png")
    print(
        f"{reconstruction.seconds:.1f} s, "
        f"data-consistency error {reconstruction.data_consistency:.3f}"
    )
