"""What a NIfTI header must say before its data are read."""

import logging
import math
import warnings
from typing import BinaryIO

import nibabel
import numpy as np
from nibabel.affines import voxel_sizes

from spinet_tf.available_memory import check_fits_in_memory
from spinet_tf.errors import InputError
from spinet_tf.volume import (
    affine_b0_direction,
    qform_leads_to_the_scanner,
)

MILLIMETRES = {"unknown": 1.0, "mm": 1.0, "meter": 1e3, "micron": 1e-3}
LARGEST_DEFLATE_RATIO = 1032
LARGEST_GAP = 2**28
"""Bytes before the data, for extensions, and bytes after them."""
GZIP = b"\x1f\x8b"
LARGEST_SHEAR = 0.01
LARGEST_ROUNDING = 1e-4
"""How much longer than 1 rounding may make a header's quaternion."""
LARGEST_ENTRY = 1e9
# nibabel's repairs would be told on stderr; what matters is refused before them.
_SILENT = logging.Logger("nifti header", level=logging.CRITICAL)


def check_compression(path: str) -> None:
    """Check that a NIfTI file is compressed if it is called so, and only then.

    Args:
        path: .nii or .nii.gz file.

    Raises:
        InputError: if it should have the other name.
        OSError: if it cannot be read.
    """
    with open(path, "rb") as file:
        start = file.read(nibabel.Nifti1Header.sizeof_hdr)
    if not path.lower().endswith(".gz"):
        if start.startswith(GZIP):
            raise InputError(
                f"{path}: expected a .nii file, it is compressed; name it .nii.gz"
            )
    elif _header_class(start) is not None:
        raise InputError(
            f"{path}: expected a .nii.gz file, it is not compressed; name it .nii"
        )


def read_header(stream: BinaryIO, name: str) -> nibabel.Nifti1Header:
    """Header of a NIfTI-1 or NIfTI-2 file, checked for what it promises.

    Args:
        stream: the file, uncompressed.
        name: what messages call it.

    Returns:
        Header of a 3-D image (but for trailing axes of length 1) of real numbers,
        with positive voxel sizes.

    Raises:
        InputError: if it is none of this.
    """
    block = stream.read(nibabel.Nifti2Header.sizeof_hdr)
    header_class = _header_class(block)
    if header_class is None:
        raise InputError(f"{name}: not a NIfTI file")
    # Of the block alone: extensions, whose sizes may be lies, are not read.
    header = header_class(block[: header_class.sizeof_hdr], check=False)
    _check_shape(header, name)
    if header.get_data_dtype().kind not in "iuf":
        raise InputError(
            f"{name}: expected real numbers, the data type is"
            f" {header.get_value_label('datatype')}"
        )
    edges = header["pixdim"][1:4]
    if not (np.isfinite(edges) & (edges > 0)).all():
        raise InputError(
            f"{name}: expected positive voxel sizes in the header, got"
            f" {', '.join(f'{edge:g}' for edge in edges)}"
        )
    slope = float(header["scl_slope"])
    if math.isinf(slope):
        raise InputError(f"{name}: expected a finite scl_slope, got {slope}")
    header.check_fix(logger=_SILENT)
    return header


def _header_class(block: bytes) -> type[nibabel.Nifti1Header] | None:
    if block[344:348] == b"n+1\0":
        return nibabel.Nifti1Header
    return nibabel.Nifti2Header if block[4:8] == b"n+2\0" else None


def squeezed_shape(header: nibabel.Nifti1Header) -> tuple[int, ...]:
    """Shape without trailing axes of length 1 beyond the third."""
    shape = header.get_data_shape()
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def check_size(
    header: nibabel.Nifti1Header, stored_bytes: int, compressed: bool, name: str
) -> None:
    """Check that the file can hold the data, and the memory too.

    Args:
        header: the file's header.
        stored_bytes: size of the file.
        compressed: whether it is a gzip file.
        name: what messages call it.

    Raises:
        InputError: if one of them cannot.
    """
    n_voxels = math.prod(header.get_data_shape())
    item_bytes = header.get_data_dtype().itemsize
    offset = header.get_data_offset()
    if offset > LARGEST_GAP:
        raise InputError(
            f"{name}: expected the data in the first {LARGEST_GAP} bytes, the header"
            f" puts them at {offset}"
        )
    expected = offset + n_voxels * item_bytes
    largest = stored_bytes * (LARGEST_DEFLATE_RATIO if compressed else 1)
    if expected > largest:
        raise InputError(
            f"{name}: truncated, the header promises {expected} bytes of"
            f" {header.get_data_shape()} voxels, the file has {stored_bytes}"
        )
    # The stored numbers, the scaled ones in float64, and the result in float32.
    check_fits_in_memory(n_voxels * (item_bytes + 8 + 4), f"{name}: reading it")


def read_affines(
    header: nibabel.Nifti1Header, name: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """The affines of a header, in mm.

    Args:
        header: header from `read_header`.
        name: what messages call it.

    Returns:
        float64 `(4, 4)` from voxel indices to scanner coordinates [mm] (the sform,
        else the qform, else voxel sizes only), and the qform or None.

    Raises:
        InputError: if an affine is not finite or singular, or that which leads to the
            scanner is sheared.
    """
    unit = MILLIMETRES[header.get_xyzt_units()[0]]
    _undo_rounding(header)
    header.default_x_flip = False  # by NIfTI's method 1; nibabel's is Analyze's
    affine = header.get_best_affine()
    qform = header.get_qform(coded=True)[0]
    for matrix in (affine,) if qform is None else (affine, qform):
        _check_affine(matrix, name)
        matrix[:3] *= unit
    codes = (int(header[f"{form}form_code"]) for form in "sq")
    in_scanner = qform if qform_leads_to_the_scanner(*codes) else affine
    _check_right_angles(in_scanner, name)
    used = voxel_sizes(in_scanner)
    sizes = unit * header["pixdim"][1:4].astype(float)
    if not np.allclose(sizes, used, rtol=0.01):
        warnings.warn(
            f"{name}: the header's voxel sizes {_numbers(sizes)} mm differ from those"
            f" of its affine, {_numbers(used)} mm, which are used",
            stacklevel=2,
        )
    if qform is not None:
        cosine = np.dot(affine_b0_direction(affine), affine_b0_direction(qform))
        # B0 and its opposite are the same to the dipole.
        degrees = math.degrees(math.acos(min(1.0, abs(cosine))))
        if degrees > 1:
            warnings.warn(
                f"{name}: sform and qform put B0 {degrees:.3g} degrees apart; that in"
                " scanner coordinates is used, else the sform",
                stacklevel=2,
            )
    return affine, qform


def _undo_rounding(header: nibabel.Nifti1Header) -> None:
    """Give a rotation by 180 degrees its quaternion back, which nibabel would refuse.

    The header has three of four components, in float32, and no fourth fits to them if
    they are longer than 1.
    """
    names = ("quatern_b", "quatern_c", "quatern_d")
    components = np.array([header[name] for name in names], float)
    length = np.linalg.norm(components)
    if 1 < length < 1 + LARGEST_ROUNDING:
        for name, component in zip(names, components / length, strict=True):
            header[name] = component


def _check_shape(header: nibabel.Nifti1Header, name: str) -> None:
    shape = header.get_data_shape()
    if len(squeezed_shape(header)) != 3 or min(shape) < 1:
        raise InputError(f"{name}: expected a 3-D image, got shape {tuple(shape)}")


def _check_affine(affine: np.ndarray, name: str) -> None:
    # NaN fails the comparison too.
    if not (np.abs(affine) < LARGEST_ENTRY).all():
        raise InputError(f"{name}: the affine has NaN, infinite or huge entries")
    edges = voxel_sizes(affine)
    if (edges == 0).any():
        raise InputError(f"{name}: the affine is singular")
    voxel_axes = affine[:3, :3] / edges
    if abs(np.linalg.det(voxel_axes)) < 1e-3:
        raise InputError(f"{name}: the affine is singular")


def _check_right_angles(affine: np.ndarray, name: str) -> None:
    voxel_axes = affine[:3, :3] / voxel_sizes(affine)
    shear = np.abs(voxel_axes.T @ voxel_axes - np.eye(3)).max()
    if shear > LARGEST_SHEAR:
        raise InputError(
            f"{name}: the affine is sheared (cosine of its axes {shear:.3g}), expected"
            " axes at right angles"
        )


def _numbers(values) -> str:
    return ", ".join(f"{value:.4g}" for value in values)
