"""Simulate a local field from a susceptibility map."""

from spinet_cli.geometry import add_geometry_arguments, resolve_geometry


def add_arguments(parser):
    """Add the flags of `spinet-qsm simulate`."""
    parser.add_argument(
        "--susceptibility", required=True, metavar="FILE", help="[ppm], NIfTI or .mat"
    )
    parser.add_argument(
        "--mask", required=True, metavar="FILE", help="brain mask, 0 and 1"
    )
    parser.add_argument(
        "--output", required=True, metavar="FILE", help="local field [ppm], NIfTI"
    )
    parser.add_argument(
        "--mask-threshold",
        type=float,
        metavar="T",
        help="for a probability mask: inside is above T",
    )
    parser.add_argument(
        "--noise",
        type=float,
        default=0.0,
        metavar="S",
        help="standard deviation of white noise in ppm; default 0",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the noise, at least 0; default 0"
    )
    add_geometry_arguments(parser)


def run(arguments):
    """Run `spinet-qsm simulate`."""
    import math

    from spinet_tf.errors import InputError
    from spinet_tf.nifti import (
        check_output_path,
        read_mask,
        read_volume,
        write_volume,
    )
    from spinet_tf.simulate import simulate_field
    from spinet_tf.volume import check_field, check_same_grid

    if not (math.isfinite(arguments.noise) and arguments.noise >= 0):
        raise InputError(
            f"--noise: expected a standard deviation of at least 0 ppm, "
            f"got {arguments.noise:g}"
        )
    if arguments.seed < 0:
        raise InputError(f"--seed: expected at least 0, got {arguments.seed}")
    check_output_path(arguments.output)
    susceptibility = read_volume(arguments.susceptibility)
    mask = read_mask(arguments.mask, arguments.mask_threshold)
    check_same_grid(susceptibility, mask)
    susceptibility = check_field(susceptibility, mask)
    voxel_size, b0_direction = resolve_geometry(arguments, susceptibility)
    field = simulate_field(
        susceptibility.data,
        mask.data,
        voxel_size,
        b0_direction,
        arguments.noise,
        arguments.seed,
    )
    write_volume(
        arguments.output, field, susceptibility, voxel_size, "local field [ppm]"
    )
    print(f"wrote {arguments.output}")
