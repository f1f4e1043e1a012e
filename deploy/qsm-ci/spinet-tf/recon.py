"""A folder of QSM-CI's dipole stage through `spinet-qsm reconstruct`.

QSM-CI's `B0_dir` is in voxel axes, as is the flag `--b0-dir`: nothing is rotated, and
the affine's orientation does not count.
"""

import json
import math
import os
import sys
from pathlib import Path

from spinet_cli.huge_pages import restart_with_huge_pages
from spinet_cli.main import BAD_INPUT, one_line
from spinet_cli.main import main as spinet_qsm
from spinet_cli.termination import clean_up_when_terminated


def main(argv):
    """Reconstruct what lies in one folder into another.

    Args:
        argv: list of str, the folder with `localfield.nii.gz`, `mask.nii.gz`,
            `params.json` and perhaps `config.json`, and the folder for
            `chimap.nii.gz`.

    Returns:
        Exit code: 0, or 2 for bad input, which one line on standard error tells.
    """
    try:
        if len(argv) != 2:
            raise ValueError(f"expected INPUT_DIR OUTPUT_DIR, got {len(argv)} words")
        input_dir, output_dir = map(Path, argv)
        params, overrides = input_dir / "params.json", input_dir / "config.json"
        precision = setting(overrides, "precision", "QSMCI_SET_PRECISION")
        flags = {
            "field": input_dir / "localfield.nii.gz",
            "mask": input_dir / "mask.nii.gz",
            "mask-threshold": 0.5,
            "voxel-size": vector(params, "voxel_size", "QSMCI_VOXEL_SIZE"),
            "b0-dir": vector(params, "B0_dir", "QSMCI_B0_DIR"),
            "precision": "float32" if precision in (None, "") else precision,
            "output": output_dir / "chimap.nii.gz",
        }
    except ValueError as error:
        print(f"spinet-tf: error: {one_line(error)}", file=sys.stderr)
        return BAD_INPUT
    words = [f"--{name}={value}" for name, value in flags.items()]
    return spinet_qsm(["reconstruct", *words])


def vector(path, key, variable):
    """Three numbers of a setting, as "x,y,z".

    Args:
        path: JSON file.
        key: the setting's name there.
        variable: environment variable with the same, separated by spaces.

    Returns:
        A str.

    Raises:
        ValueError: the setting is missing or is anything else.
    """
    found = setting(path, key, variable)
    if found is None:
        raise ValueError(f"{path}: expected {key}, and {variable} is not set either")
    try:
        numbers = [
            float(n) for n in (found.split() if isinstance(found, str) else found)
        ]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != 3 or not all(map(math.isfinite, numbers)):
        raise ValueError(f"{path}: expected three numbers as {key}, got {found!r:.60}")
    return ",".join(map(str, numbers))


def setting(path, key, variable):
    """A value from a JSON file, or else from the environment.

    Args:
        path: JSON file, which may be missing.
        key: the value's name there.
        variable: environment variable.

    Returns:
        The value, or None.

    Raises:
        ValueError: the file is not a JSON object.
    """
    content = {}
    if path.exists():
        try:
            content = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise ValueError(f"{path}: expected a JSON file, {error}") from error
        if not isinstance(content, dict):
            raise ValueError(f"{path}: expected a JSON object, got {content!r:.40}")
    return content.get(key, os.environ.get(variable))


if __name__ == "__main__":
    restart_with_huge_pages()
    clean_up_when_terminated()
    sys.exit(main(sys.argv[1:]))
