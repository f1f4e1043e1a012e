"""Flags for voxel size and B0 direction, and what they come to."""


def add_geometry_arguments(parser):
    """Add `--voxel-size` and `--b0-dir`."""
    parser.add_argument(
        "--voxel-size",
        default="auto",
        metavar="auto|X,Y,Z",
        help="voxel size in mm; auto: from the NIfTI affine",
    )
    parser.add_argument(
        "--b0-dir",
        default="auto",
        metavar="auto|X,Y,Z",
        help="B0 direction in voxel axes, of any length; auto: from the NIfTI affine",
    )


def resolve_geometry(arguments, volume):
    """Voxel size and B0 direction from the flags or the volume's affine; printed.

    Args:
        arguments: the parsed flags.
        volume: `spinet_tf.volume.Volume`.

    Returns:
        Voxel size, three floats [mm], and B0 direction, a unit vector of three floats
        in voxel axes.

    Raises:
        InputError: a flag is not a usable vector, or is "auto" for a volume without
            an affine.
    """
    from spinet_tf.errors import InputError
    from spinet_tf.scan_geometry import (
        check_voxel_size,
        normalise_b0_direction,
        parse_vector,
    )

    def resolve(flag, text, from_affine, check):
        if text != "auto":
            return check(parse_vector(text, flag), flag), "from the command line"
        if from_affine is None:
            raise InputError(f"{volume.name}: has no affine, give {flag} X,Y,Z")
        return check(from_affine, volume.name), "from the affine"

    voxel_size, voxel_size_source = resolve(
        "--voxel-size", arguments.voxel_size, volume.voxel_size, check_voxel_size
    )
    b0_direction, b0_source = resolve(
        "--b0-dir", arguments.b0_dir, volume.b0_direction, normalise_b0_direction
    )
    print(f"voxel size    {_format(voxel_size)} mm ({voxel_size_source})")
    print(f"B0 direction  {_format(b0_direction)} in voxel axes ({b0_source})")
    return voxel_size, b0_direction


def _format(vector):
    return " x ".join(f"{component:.6g}" for component in vector)
