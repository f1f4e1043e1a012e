"""Volumes read from NIfTI and MATLAB files, and written to NIfTI files."""

import dataclasses
import gzip
import math
import os
import re
import zlib
from pathlib import Path
from typing import BinaryIO

import nibabel
import numpy as np
from nibabel.arrayproxy import ArrayProxy
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from spinet_tf.atomic_write import atomic_path, check_writable
from spinet_tf.errors import InputError
from spinet_tf.matlab import read_mat
from spinet_tf.nifti_header import (
    LARGEST_GAP,
    check_compression,
    check_size,
    read_affines,
    read_header,
    squeezed_shape,
)
from spinet_tf.scan_geometry import check_voxel_size
from spinet_tf.volume import Volume

MEGABYTE = 2**20
NIFTI_SUFFIXES = (".nii", ".nii.gz")
_DAMAGED = (
    *(OSError, EOFError, zlib.error, ValueError, ArithmeticError, KeyError),
    *(HeaderDataError, WrapStructError),
)


def read_volume(path: str | os.PathLike) -> Volume:
    """A 3-D image from a file.

    Trailing axes of length 1 are dropped and the NIfTI slope and intercept are
    applied. NaN and infinity are kept.

    Args:
        path: .nii, .nii.gz or .mat file; the array of a .mat file may be named, as
            in "subject.mat:phs".

    Returns:
        Volume: its data are float32; a .mat file has no affine.

    Raises:
        InputError: if the file is missing, cannot be opened, is damaged, not of these
            formats or not of the one it is called, too large for the memory, not 3-D,
            complex or not numeric, or has no usable voxel sizes or affine.
    """
    name = str(path)
    file_name, array_name = split_array_name(name)
    if os.path.isdir(file_name):
        raise InputError(f"{file_name}: expected a file, it is a folder")
    if not os.path.isfile(file_name):
        lost = ", it is a link that leads nowhere" * os.path.islink(file_name)
        raise InputError(f"{file_name}: no such file{lost}")
    if not file_name.lower().endswith((*NIFTI_SUFFIXES, ".mat")):
        raise InputError(f"{file_name}: expected a .nii, .nii.gz or .mat file")
    try:
        if file_name.lower().endswith(".mat"):
            return Volume(_to_float32(read_mat(file_name, array_name)), None, name)
        check_compression(file_name)
        with _open(file_name) as stream:
            return _read_nifti(stream, file_name)
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(f"{file_name}: too large for the memory there is") from error
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno:
            raise InputError(
                f"{file_name}: cannot be read: {error.strerror}"
            ) from error
        reason = " ".join(str(error).split())
        raise InputError(
            f"{file_name}: damaged or not a NIfTI file: {reason}"
        ) from error


def read_mask(
    path: str | os.PathLike,
    threshold: float | None = None,
    binary_as_it_is: bool = False,
    threshold_flag: str | None = None,
) -> Volume:
    """A brain mask from a file.

    Args:
        path: as for `read_volume`.
        threshold: voxels above it are inside. Defaults to None: the file must hold
            only 0 and 1.
        binary_as_it_is: whether the threshold is not for a file of 0 and 1. Defaults
            to False.
        threshold_flag: the flag that sets the threshold, for the message of a mask that
            needs one. Defaults to None: there is none.

    Returns:
        Volume: its data are bool.

    Raises:
        InputError: as for `read_volume`, and if the mask is not finite, not binary
            (without a threshold) or empty.
    """
    if threshold is not None and not math.isfinite(threshold):
        raise InputError(f"mask threshold: expected a finite number, got {threshold}")
    volume = read_volume(path)
    values, name = volume.data, volume.name
    bad = values.size - np.count_nonzero(np.isfinite(values))
    if bad:
        raise InputError(f"{name}: {bad} voxels of the mask are NaN or infinite")
    # A stored slope such as 1/32767 gives 1 but for rounding.
    binary = np.isclose(values, 0, atol=1e-5) | np.isclose(values, 1, atol=1e-5)
    if binary_as_it_is and binary.all():
        threshold = None
    if threshold is None and not binary.all():
        needed = f"; a probability mask needs {threshold_flag}"
        raise InputError(
            f"{name}: a mask holds only 0 and 1, this has values from"
            f" {values.min():g} to {values.max():g} such as"
            f" {values[~binary][0]:g}{needed if threshold_flag else ''}"
        )
    inside = values > (0.5 if threshold is None else threshold)
    if not inside.any():
        above = "" if threshold is None else f", no voxel is above {threshold:g}"
        raise InputError(f"{name}: the mask is empty{above}")
    return dataclasses.replace(volume, data=inside)


def write_volume(
    path: str | os.PathLike,
    data: np.ndarray,
    like: Volume,
    voxel_size: tuple[float, float, float] | None = None,
    description: str = "",
) -> None:
    """Write a float32 NIfTI file on the grid of another image.

    Args:
        path: .nii or .nii.gz file; written completely or not at all.
        data: real, `(x, y, z)`, the shape of `like`.
        like: image whose affine and NIfTI codes the file gets; an affine that a reader
            would not find without a code gets "aligned".
        voxel_size: three edges [mm], needed if `like` has no affine. Defaults to None.
        description: text for the header, at most 79 ASCII characters are kept.

    Raises:
        InputError: if `path` cannot be written or has another suffix, or the voxel
            size is needed and not given.
        ValueError: if `data` has another shape than `like`, or is complex.
    """
    check_output_path(path)
    data = np.asarray(data)
    if np.iscomplexobj(data):
        raise ValueError(f"data must be real, not {data.dtype}")
    if data.shape != like.data.shape:
        raise ValueError(f"data has shape {data.shape}, not {like.data.shape}")
    if like.affine is not None:
        image = nibabel.Nifti1Image(data.astype(np.float32), like.affine)
        image.header.default_x_flip = False  # of an affine without a code, as is read
        qform = like.affine if like.qform is None else like.qform
        image.set_qform(qform, like.qform_code)
        image.set_sform(like.affine, like.sform_code)
        if not np.allclose(image.header.get_best_affine(), like.affine, atol=1e-3):
            image.set_sform(like.affine, "aligned")
    elif voxel_size is not None:
        affine = np.diag([*check_voxel_size(voxel_size), 1.0])
        image = nibabel.Nifti1Image(data.astype(np.float32), affine)
        # It leads to no scanner's coordinates, which nibabel would have it say.
        image.set_qform(affine, 0)
        image.set_sform(affine, 0)
    else:
        raise InputError(f"{like.name}: has no voxel size, give one to write {path}")
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = description.encode("ascii", "replace")[:79]
    with atomic_path(path) as temporary:
        nibabel.save(image, temporary)


def check_output_path(path: str | os.PathLike) -> None:
    """Check that `write_volume` could write a file, before hours of work.

    Args:
        path: file that is to be written.

    Raises:
        InputError: if the suffix is not .nii or .nii.gz, or all there is, or the file
            cannot be written.
    """
    name = Path(path).name.lower()
    if not name.endswith(NIFTI_SUFFIXES) or name in NIFTI_SUFFIXES:
        raise InputError(f"{path}: expected an output file .nii or .nii.gz")
    check_writable(path)


def split_array_name(path: str) -> tuple[str, str | None]:
    """The file of "subject.mat:phs", and the array; None without a name."""
    match = re.fullmatch(r"(.*\.mat):([^/\\]*)", path, re.IGNORECASE | re.DOTALL)
    return match.groups() if match else (path, None)


def _open(path: str) -> BinaryIO:
    return gzip.open(path) if path.lower().endswith(".gz") else open(path, "rb")


def _read_nifti(stream: BinaryIO, path: str) -> Volume:
    header = read_header(stream, path)
    check_size(header, os.path.getsize(path), path.lower().endswith(".gz"), path)
    affine, qform = read_affines(header, path)
    data = _to_float32(ArrayProxy(stream, header, mmap=False))
    _read_to_the_end(stream, path)
    return Volume(
        data=data.reshape(squeezed_shape(header)),
        affine=affine,
        name=path,
        sform_code=int(header["sform_code"]),
        qform_code=int(header["qform_code"]),
        qform=qform,
    )


def _read_to_the_end(stream: BinaryIO, path: str) -> None:
    """Have a gzip file's checksum compared, which is done at its end."""
    for _ in range(LARGEST_GAP // MEGABYTE):
        if not stream.read(MEGABYTE):
            return
    raise InputError(
        f"{path}: goes on for more than {LARGEST_GAP} bytes after its data"
    )


def _to_float32(data: ArrayProxy | np.ndarray) -> np.ndarray:
    # A number beyond float32 becomes infinity, which check_field finds.
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(np.asarray(data, dtype=np.float32))
