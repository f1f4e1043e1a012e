"""What tables and pictures call the reconstructions that are compared."""

import re
import unicodedata
from pathlib import Path

from spinet_tf.errors import InputError

SUFFIX = r"\.(nii|nii\.gz|mat)$"


def bare_name(path):
    """The name of a file without folder and suffix."""
    return re.sub(SUFFIX, "", Path(path).name, flags=re.IGNORECASE)


def method_names(paths, labels):
    """A name for each reconstruction.

    Args:
        paths: list of files; at least one.
        labels: list of str, one for each file; None for the name of the file, without
            its suffix where there are several.

    Returns:
        list of different str.

    Raises:
        InputError: labels are too few or too many, or hold control characters, or two
            names are equal.
    """
    if labels is not None and len(labels) != len(paths):
        raise InputError(
            f"--label: expected one for each of {len(paths)} reconstructions, got"
            f" {len(labels)}"
        )
    for label in labels or ():
        if _printable(label) != label:
            raise InputError(f"--label: expected no control characters, got {label!r}")
    names = labels or [
        _printable(bare_name(path) if len(paths) > 1 else Path(path).name)
        for path in paths
    ]
    taken = {"reference": "the reference"}
    for name, path in zip(names, paths, strict=True):
        if name in taken:
            raise InputError(
                f"{path}: called {name!r} as is {taken[name]}; give names by --label"
            )
        taken[name] = path
    return names


def _printable(name):
    """A name with a question mark for each control character."""
    return "".join("?" if unicodedata.category(c) == "Cc" else c for c in name)
