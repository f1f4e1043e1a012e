"""3-D arrays in MATLAB files, v4 to v7 (scipy) and v7.3 (HDF5)."""

import math
import os
import warnings

import h5py
import numpy as np
import scipy.io
from scipy.io.matlab import MatReadWarning

from spinet_tf.available_memory import check_fits_in_memory
from spinet_tf.errors import InputError

NUMERIC_CLASSES = {
    *("double", "single", "logical"),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
}


def read_mat(path: str | os.PathLike, name: str | None = None) -> np.ndarray:
    """A 3-D array of a MATLAB file.

    Only the one array is loaded; objects and functions are never decoded. scipy's
    reader is not hardened against forged files: read those of people you trust.

    Args:
        path: .mat file of any version.
        name: the array's name. Defaults to None: the only numeric 3-D array.

    Returns:
        Array `(x, y, z)` in MATLAB's axis order, of the type it was stored in.

    Raises:
        InputError: if the file is damaged or not a MATLAB file, or has no, more
            than one, or not the named numeric 3-D array, or that is complex.
    """
    try:
        read = _read_hdf5 if h5py.is_hdf5(path) else _read_scipy
        array = read(path, name)
    except InputError:
        raise
    # On damaged files both libraries raise nearly anything.
    except Exception as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: cannot be read as a MATLAB file: {reason}") from None
    if array.dtype.kind not in "biuf":
        raise InputError(f"{path}: the array is complex, expected real numbers")
    return array


def read_number(path: str | os.PathLike, name: str) -> float:
    """A single number of a MATLAB file, v4 to v7.

    Args:
        path: .mat file.
        name: the number's name.

    Returns:
        The number.

    Raises:
        InputError: if the file is missing, damaged or of another kind, or has no
            such single finite number.
    """
    if not os.path.isfile(path):
        raise InputError(f"{path}: no such file")
    try:
        value = scipy.io.loadmat(path, appendmat=False, variable_names=[name])[name]
        number = float(np.asarray(value).item())
    except KeyError:
        raise InputError(f"{path}: has no number {name!r}") from None
    except Exception as error:  # as in read_mat
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: cannot read the number {name}: {reason}") from None
    if not math.isfinite(number):
        raise InputError(f"{path}: expected {name} to be finite, found {number}")
    return number


def _read_scipy(path, name: str | None) -> np.ndarray:
    variables = {
        key: (shape, matlab_class)
        for key, shape, matlab_class in scipy.io.whosmat(path, appendmat=False)
    }
    name = _choose(path, name, variables)
    with warnings.catch_warnings():
        # scipy warns of a damaged variable and returns a text in its place.
        warnings.simplefilter("error", MatReadWarning)
        contents = scipy.io.loadmat(path, appendmat=False, variable_names=[name])
    return contents[name]


def _read_hdf5(path, name: str | None) -> np.ndarray:
    with h5py.File(path, "r") as file:
        variables = {}
        for key in file:
            # Links could lead to other files; MATLAB writes none.
            if not isinstance(file.get(key, getlink=True), h5py.HardLink):
                continue
            variables[key] = _describe_hdf5(file[key])
        name = _choose(path, name, variables)
        # MATLAB's column-major axes arrive reversed.
        return np.transpose(file[name][()])


def _describe_hdf5(item: h5py.Dataset | h5py.Group) -> tuple[tuple[int, ...], str]:
    matlab_class = item.attrs.get("MATLAB_class", b"double")
    if isinstance(matlab_class, bytes):
        matlab_class = matlab_class.decode("latin1")
    if isinstance(item, h5py.Dataset) and item.shape is not None:
        return item.shape[::-1], matlab_class
    return (), "struct"


def _choose(
    path, name: str | None, variables: dict[str, tuple[tuple[int, ...], str]]
) -> str:
    candidates = [
        key
        for key, (shape, matlab_class) in variables.items()
        if len(shape) == 3 and matlab_class in NUMERIC_CLASSES
    ]
    if name is None and len(candidates) > 1:
        raise InputError(
            f"{path}: holds several 3-D arrays, name one as file.mat:NAME:"
            f" {_listing(variables, candidates)}"
        )
    if name is None and not candidates:
        raise InputError(
            f"{path}: expected a numeric 3-D array, it holds {_listing(variables)}"
        )
    if name is not None and name not in candidates:
        raise InputError(
            f"{path}: has no numeric 3-D array {name!r}, it holds {_listing(variables)}"
        )
    chosen = candidates[0] if name is None else name
    # At most 8 bytes a number, and a second copy while it is converted.
    check_fits_in_memory(16 * math.prod(variables[chosen][0]), f"{path}: reading it")
    return chosen


def _listing(variables: dict, names: list[str] | None = None) -> str:
    texts = [
        " ".join(filter(None, [key, "x".join(map(str, shape)), matlab_class]))
        for key, (shape, matlab_class) in variables.items()
        if names is None or key in names
    ]
    return ", ".join(texts) or "nothing"
