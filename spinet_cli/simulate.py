"""`spinet-qsm simulate`: a local field from a susceptibility map."""

from spinet_cli.arguments_scan import MASK_THRESHOLD
from spinet_cli.geometry import check_geometry_flags, place_and_resolve
from spinet_cli.map_units import warn_of_ppb
from spinet_cli.outputs import check_outputs
from spinet_tf.errors import InputError
from spinet_tf.nifti import check_output_path, read_mask, read_volume, write_volume
from spinet_tf.orientation import CanonicalAxes
from spinet_tf.simulate import LARGEST_NOISE, simulate_field
from spinet_tf.volume import check_field, check_same_grid


def run(arguments):
    """Run `spinet-qsm simulate`.

    Args:
        arguments: the parsed flags.

    Raises:
        InputError: a flag or file that cannot be used, or not written.
    """
    if not 0 <= arguments.noise <= LARGEST_NOISE:
        raise InputError(
            f"--noise: expected a standard deviation of 0 to {LARGEST_NOISE:g} ppm, "
            f"got {arguments.noise:g}"
        )
    seed = arguments.seed or 0
    if seed < 0:
        raise InputError(f"--seed: expected at least 0, got {seed}")
    if arguments.seed is not None and not arguments.noise:
        raise InputError("--seed is of the noise, it goes with --noise")
    check_geometry_flags(arguments)
    check_output_path(arguments.output)
    check_outputs([arguments.output], [arguments.susceptibility, arguments.mask])

    susceptibility = read_volume(arguments.susceptibility)
    mask = read_mask(
        arguments.mask, arguments.mask_threshold, threshold_flag=MASK_THRESHOLD
    )
    check_same_grid(susceptibility, mask)
    susceptibility, voxel_size, b0_direction = place_and_resolve(
        arguments, check_field(susceptibility, mask), mask
    )
    warn_of_ppb(susceptibility, mask)
    axes = CanonicalAxes(susceptibility.affine)
    field = simulate_field(
        axes.turn(susceptibility.data),
        axes.turn(mask.data),
        axes.turn_edges(voxel_size),
        axes.turn_direction(b0_direction),
        arguments.noise,
        seed,
    )
    field = axes.turn_back(field)
    write_volume(
        arguments.output, field, susceptibility, voxel_size, "local field [ppm]"
    )
    print(f"wrote {arguments.output}")
