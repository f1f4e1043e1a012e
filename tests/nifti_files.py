"""Small NIfTI files for the tests."""

import gzip

import nibabel
import numpy as np
import pytest

from spinet_tf.errors import InputError
from spinet_tf.nifti import read_volume

SHAPE = (7, 6, 5)
DATA = np.random.default_rng(2).normal(size=SHAPE).astype(np.float32)
AFFINE = np.array([[-0.7, 0, 0, 90], [0, 0.7, 0, -80], [0, 0, 3, 12], [0, 0, 0, 1.0]])


def write_nifti(
    path, data=DATA, affine=AFFINE, image_class=nibabel.Nifti1Image, **fields
):
    """Header fields given by name are written as they are, unchecked."""
    image = image_class(data, affine)
    image.to_filename(path)
    if fields:
        layout = image.header_class.template_dtype.fields
        with _open(path, "rb") as file:
            content = bytearray(file.read())
        for name, value in fields.items():
            dtype, offset = layout[name]
            stored = np.asarray(value, dtype.base).tobytes()
            content[offset : offset + len(stored)] = stored
        with _open(path, "wb") as file:
            file.write(content)
    return path


def _open(path, mode):
    return gzip.open(path, mode) if path.suffix == ".gz" else open(path, mode)


def pixdim(*edges):
    return [1.0, *edges]


def refused(path, read=read_volume, **arguments):
    with pytest.raises(InputError) as caught:
        read(path, **arguments)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")
