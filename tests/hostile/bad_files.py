"""Files that are no volume, for one of several scans, and JSON files that are none."""

import gzip
import os

import nibabel
import numpy as np

BROKEN_JSON = {
    "nothing": "",
    "not JSON": "{'Units': 'ppm'}",
    "a list": "[]",
    "no UTF-8": b"\xff\xfe{}",
    "nested lists": "[" * 100_000 + "]" * 100_000,
    "50 MB": '{"Name": "' + "x" * 5 * 10**7 + '"}',
}


def fields(scan):
    """What can stand where a local field should.

    Args:
        scan: `Path` of the folder of the good scan.

    Returns:
        dict of a name to a callable of the path to make.
    """
    whole = (scan / "field.nii.gz").read_bytes()
    image = nibabel.load(scan / "field.nii")

    def save(data):
        made = nibabel.Nifti1Image(data, image.affine)
        return lambda path: path.write_bytes(gzip.compress(made.to_bytes()))

    def bomb(path):
        header = image.header.copy()
        header["dim"] = [3, 2000, 2000, 2000, 1, 1, 1, 1]
        zeros = gzip.compress(bytes(2**26)) * 500
        path.write_bytes(gzip.compress(header.binaryblock + bytes(4)) + zeros)

    return {
        "nothing": lambda path: path.touch(),
        "text": lambda path: path.write_bytes(b"text\n" * 500),
        "truncated": lambda path: path.write_bytes(whole[:3000]),
        "32 GB of zeros": bomb,
        "NaN": save(np.full(image.shape, np.nan, np.float32)),
        "zeros": save(np.zeros(image.shape, np.float32)),
        "one plane less": save(np.asarray(image.dataobj)[1:]),
        "link to /dev/zero": lambda path: path.symlink_to("/dev/zero"),
        "link to itself": lambda path: path.symlink_to(path),
        "link to nothing": lambda path: path.symlink_to("none"),
        "FIFO": os.mkfifo,
    }


NAMES = (*("nothing", "text", "truncated", "32 GB of zeros", "NaN", "zeros"),) + (
    *("one plane less", "link to /dev/zero", "link to itself", "link to nothing"),
    "FIFO",
)
"""Of them, in this order."""
