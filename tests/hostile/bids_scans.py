"""Broken scans in BIDS datasets: each is listed, and the others are written."""

import json
import os

import nibabel
import numpy as np

from tests.hostile import bad_files
from tests.hostile.bids_trees import BAD, WRITTEN, bids, write_tree
from tests.hostile.case import LISTED, Case

FIELD = f"{BAD}_localfield"


def cases():
    """All cases, `Case` each."""
    yield from _fields()
    yield from _masks()
    yield from _sidecars()
    yield from _outputs()


def _case(name, spoil, named=BAD):
    """`spoil` is a callable of the bad subject's folder `anat` and the good scan's."""

    def make(folder, scan):
        anat = write_tree(folder, scan) / BAD / "anat"
        spoil(anat, scan)
        return bids()

    return Case("BIDS scans", name, make, named, LISTED, WRITTEN)


def _fields():
    for name in bad_files.NAMES:

        def spoil(anat, scan, name=name):
            path = anat / f"{FIELD}.nii.gz"
            path.unlink()
            bad_files.fields(scan)[name](path)

        yield _case(f"field, {name}", spoil)

    def twice(anat, scan):
        (anat / f"{FIELD}.nii").symlink_to(scan / "field.nii")

    yield _case("two fields for one map", twice, "several local fields")
    yield _case("no field", lambda anat, _: os.remove(anat / f"{FIELD}.nii.gz"))


def _masks():
    def mask(name, change, named=f"{BAD}_mask.nii.gz"):
        def spoil(anat, scan):
            path = anat / f"{BAD}_mask.nii.gz"
            path.unlink()
            image = nibabel.load(scan / "mask.nii")
            data = change(np.asarray(image.dataobj))
            if data is not None:
                nibabel.Nifti1Image(data, image.affine).to_filename(path)

        return _case(f"mask, {name}", spoil, named)

    yield mask("none", lambda data: None, "no mask")
    yield mask("one plane less", lambda data: data[1:])
    yield mask("empty", lambda data: 0 * data)
    yield mask("NaN", lambda data: np.full(data.shape, np.nan, np.float32))
    yield mask("labels", lambda data: 7 * data)

    def truncated(anat, scan):
        (anat / f"{BAD}_mask.nii.gz").unlink()
        content = (scan / "mask.nii.gz").read_bytes()
        (anat / f"{BAD}_mask.nii.gz").write_bytes(content[:200])

    yield _case("mask, truncated", truncated, f"{BAD}_mask.nii.gz")

    def twice(anat, scan):
        (anat / f"{BAD}_mask.nii").symlink_to(scan / "mask.nii")

    yield _case("two masks", twice, f"{BAD}_mask.nii.gz")


def _sidecars():
    deep = 400
    huge = int("9" * 4000)
    contents = {
        **bad_files.BROKEN_JSON,
        "a number of 10000 digits": '{"EchoTime": ' + "9" * 10_000 + "}",
        "nested Resolution": '{"Resolution": ' + "[" * deep + "]" * deep + "}",
    }
    for changed in (
        {"Units": "\x1b[31mppm"},
        {"Units": ["ppm"]},
        {"Units": "x" * 10**6},
        {"Units": "Hz"},
        {"Units": "Hz", "MagneticFieldStrength": float("nan")},
        {"Units": "Hz", "MagneticFieldStrength": float("inf")},
        {"Units": "Hz", "MagneticFieldStrength": huge},
        {"Units": "Hz", "MagneticFieldStrength": -3},
        {"Units": "Hz", "MagneticFieldStrength": "3; touch canary"},
        {"Units": "Hz", "MagneticFieldStrength": True},
        {"Units": "rad", "MagneticFieldStrength": 3, "EchoTime": [0.02]},
        {"MagneticFieldStrength": float("nan")},
        {"B0Direction": [0, 0, 0]},
        {"B0Direction": [0, 1]},
        {"B0Direction": [0, 0, float("nan")]},
        {"B0Direction": [0, 0, huge]},
        {"B0Direction": [1.7e308, 1e308, 1e308]},
        {"B0Direction": "0,0,1"},
        {"B0Direction": [True, False, False]},
        {"B0Direction": list(range(10**5))},
        {"SpatialReference": 1},
    ):
        contents[json.dumps(changed)[:60]] = json.dumps(changed)
    for name, content in contents.items():

        def spoil(anat, scan, content=content):
            content = content if isinstance(content, bytes) else content.encode()
            (anat / f"{FIELD}.json").write_bytes(content)

        yield _case(f"sidecar, {name}", spoil, f"{FIELD}.json")
    for name, place in (
        ("link to /dev/zero", lambda path: path.symlink_to("/dev/zero")),
        ("link to itself", lambda path: path.symlink_to(path)),
        ("FIFO", os.mkfifo),
    ):

        def spoil(anat, scan, place=place):
            place(anat / f"{FIELD}.json")

        yield _case(f"sidecar, {name}", spoil, f"{FIELD}.json")


def _outputs():
    """Where the map should go there is something else."""
    for place in (f"{BAD}", f"{BAD}/anat", f"{BAD}/figures"):

        def file(anat, scan, place=place):
            path = anat.parents[2] / "out" / "maps" / place
            path.parent.mkdir(parents=True)
            path.touch()

        yield _case(f"a file is {place}", file)

    def folder(anat, scan):
        path = anat.parents[2] / "out" / "maps" / BAD / "anat" / f"{BAD}_Chimap.nii.gz"
        (path / "in it").mkdir(parents=True)

    yield _case("a folder is the map", folder)
