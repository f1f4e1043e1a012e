"""Arrays in MATLAB files, v4 to v7.3; a process of its own reads them."""

import math
import os

import numpy as np

from spinet_tf.available_memory import check_fits_in_memory
from spinet_tf.errors import InputError
from spinet_tf.matlab_process import opened

NUMERIC_CLASSES = {
    *("double", "single", "logical"),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
}
MOST_LISTED = 8
FEW_NUMBERS = 1000


def read_mat(path: str | os.PathLike, name: str | None = None) -> np.ndarray:
    """A 3-D array of a MATLAB file.

    Only the one array is loaded; objects and functions are never decoded. A forged
    file that crashes the reader, or has it read without end, ends its process only.

    Args:
        path: .mat file of any version.
        name: the array's name. Defaults to None: the only numeric 3-D array.

    Returns:
        Array `(x, y, z)` in MATLAB's axis order, of the type it was stored in.

    Raises:
        InputError: if the file is damaged or not a MATLAB file, or has no, more
            than one, or not the named numeric 3-D array, or that is complex.
    """
    with opened(path) as reader:
        name = _choose(path, name, reader.variables)
        return reader.read(name)


def read_numbers(path: str | os.PathLike, name: str) -> np.ndarray | None:
    """A few numbers of a MATLAB file.

    Args:
        path: .mat file of any version.
        name: the variable's name.

    Returns:
        float64 array of its shape; None if there is no such variable.

    Raises:
        InputError: if the file is missing, damaged or of another kind, or the
            variable is not up to 1000 real numbers.
    """
    if not os.path.isfile(path):
        raise InputError(f"{path}: no such file")
    with opened(path) as reader:
        if name not in reader.variables:
            return None
        shape, matlab_class = reader.variables[name]
        if matlab_class not in NUMERIC_CLASSES or math.prod(shape) > FEW_NUMBERS:
            raise InputError(
                f"{path}: expected numbers as {name}, it is"
                f" {_listing(reader.variables, [name])}"
            )
        return reader.read(name).astype(np.float64)


def read_number(path: str | os.PathLike, name: str) -> float:
    """A single number of a MATLAB file.

    Args:
        path: .mat file of any version.
        name: the number's name.

    Returns:
        The number.

    Raises:
        InputError: as `read_numbers`, or there is no such single finite number.
    """
    array = read_numbers(path, name)
    if array is None or array.size != 1:
        raise InputError(f"{path}: has no number {name!r}")
    number = array.item()
    if not math.isfinite(number):
        raise InputError(f"{path}: expected {name} to be finite, found {number}")
    return number


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
    names = list(variables) if names is None else names
    texts = []
    for name in names[:MOST_LISTED]:
        shape, matlab_class = variables[name]
        texts.append(f"{name[:63]} {'x'.join(map(str, shape))} {matlab_class[:63]}")
    if len(names) > MOST_LISTED:
        texts.append(f"and {len(names) - MOST_LISTED} more")
    return " ".join(", ".join(texts).split()) or "nothing"
