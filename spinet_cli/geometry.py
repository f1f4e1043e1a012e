"""Voxel size and B0 direction from the flags or the affine."""

import warnings

import numpy as np

from spinet_tf.errors import InputError
from spinet_tf.scan_geometry import (
    check_voxel_size,
    normalise_b0_direction,
    parse_vector,
)


def check_geometry_flags(arguments):
    """What the flags say of the geometry.

    Args:
        arguments: the parsed flags, with `voxel_size` and `b0_dir`.

    Returns:
        dict of "--voxel-size" and "--b0-dir" to three floats; None for "auto".

    Raises:
        InputError: a flag is not a usable vector.
    """
    return {
        flag: None if text == "auto" else check(parse_vector(text, flag), flag)
        for flag, text, check in (
            ("--voxel-size", arguments.voxel_size, check_voxel_size),
            ("--b0-dir", arguments.b0_dir, normalise_b0_direction),
        )
    }


def _resolve(arguments, volume, sidecar_b0, affine):
    """Find and print voxel size and B0 direction; `affine` is what to call its own."""
    given = check_geometry_flags(arguments)

    def resolve(flag, from_affine, check, from_sidecar=None):
        if given[flag] is not None:
            return given[flag], "from the command line"
        if from_sidecar is not None:
            return check(from_sidecar, volume.name), "from the sidecar"
        if from_affine is None:
            raise InputError(f"{volume.name}: has no affine, give {flag} X,Y,Z")
        return check(from_affine, volume.name), f"from {affine}"

    voxel_size, voxel_size_source = resolve(
        "--voxel-size", volume.voxel_size, check_voxel_size
    )
    b0_direction, b0_source = resolve(
        "--b0-dir", volume.b0_direction, normalise_b0_direction, sidecar_b0
    )
    if b0_source == f"from {affine}" and not volume.knows_scanner_axes:
        b0_source = "assumed, the header gives no orientation in the scanner"
    edges = " x ".join(f"{edge:.6g}" for edge in voxel_size)
    components = ", ".join(f"{component:.6g}" for component in b0_direction)
    print(f"voxel size    {edges} mm ({voxel_size_source})")
    print(f"B0 direction  {components} in voxel axes ({b0_source})")
    return voxel_size, b0_direction


def place_and_resolve(arguments, volume, mask, sidecar_b0=None):
    """Find the voxel size and B0 direction of a volume, and print them.

    Args:
        arguments: the parsed flags, with `voxel_size` and `b0_dir`.
        volume: `spinet_tf.volume.Volume`.
        mask: `spinet_tf.volume.Volume` on its grid.
        sidecar_b0: B0 direction in voxel axes, of any length, that goes before the
            affine's. Defaults to None.

    Returns:
        The volume, with the mask's affine if it lies nowhere and the voxel size is the
        mask's; the voxel size, three floats [mm]; and the B0 direction, a unit vector
        of three floats in voxel axes. These are the mask's if it alone knows the
        scanner's axes.

    Raises:
        InputError: a flag is not a usable vector, or is "auto" for a volume without
            an affine.
    """
    placed = volume.placed_like(mask)
    affine = "the affine" if placed is volume else "the mask's affine"
    geometry = _resolve(arguments, placed, sidecar_b0, affine)
    fits = np.allclose(geometry[0], placed.voxel_size or geometry[0], rtol=0.01)
    if fits:
        if volume.is_placed and not np.allclose(
            volume.voxel_size, geometry[0], rtol=0.01
        ):
            warnings.warn(
                f"{volume.name}: its affine has voxels of other edges than that of"
                f" {mask.name}, which is used; what is written keeps its affine",
                stacklevel=2,
            )
        # One that leads to a template keeps its place there.
        return volume if volume.is_placed else placed, *geometry
    if volume.affine is None:
        if placed is not volume:
            warnings.warn(
                f"{volume.name}: --voxel-size is not that of {mask.name}, so that it"
                " lies nowhere; its axes stay as they are",
                stacklevel=2,
            )
    else:
        edges = " x ".join(f"{edge:.4g}" for edge in placed.voxel_size)
        owner = "its" if placed is volume else "the mask's"
        warnings.warn(
            f"{volume.name}: {owner} affine has voxels of {edges} mm, other than"
            " --voxel-size; what is written keeps the affine",
            stacklevel=2,
        )
    return volume, *geometry
