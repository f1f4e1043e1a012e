"""What a NIfTI file may hold beside its data, and what it may not make us do."""

import gzip
import struct

import numpy as np
import pytest

import spinet_tf.nifti
import spinet_tf.nifti_header
from spinet_tf.nifti import read_volume
from tests.nifti_files import DATA, refused, write_nifti


@pytest.mark.parametrize("size", [-(2**31), 0, 2**31 - 1])
def test_extensions_are_not_read(tmp_path, size):
    """Their sizes may be lies, and what they promise is not allocated."""
    path = write_nifti(tmp_path / "a.nii")
    plain = bytearray(path.read_bytes())
    plain[108:112] = struct.pack("<f", 368)
    extension = b"\1\0\0\0" + struct.pack("<ii", size, 4) + bytes(8)
    path.write_bytes(plain[:348] + extension + plain[352:])
    np.testing.assert_array_equal(read_volume(path).data, DATA)


@pytest.mark.parametrize("slope", [np.inf, -np.inf])
def test_infinite_slope(tmp_path, slope):
    path = write_nifti(tmp_path / "a.nii", scl_slope=slope)
    assert refused(path) == f"expected a finite scl_slope, got {slope}"


def test_a_file_that_goes_on(tmp_path, monkeypatch):
    path = write_nifti(tmp_path / "a.nii")
    monkeypatch.setattr(spinet_tf.nifti, "LARGEST_GAP", 2**22)
    longer = gzip.compress(path.read_bytes()) + gzip.compress(bytes(2**20))
    (tmp_path / "a.nii.gz").write_bytes(longer)
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii.gz").data, DATA)
    longer += gzip.compress(bytes(2**22))
    (tmp_path / "a.nii.gz").write_bytes(longer)
    message = "goes on for more than 4194304 bytes after its data"
    assert refused(tmp_path / "a.nii.gz") == message


def test_data_far_behind_the_header(tmp_path, monkeypatch):
    path = write_nifti(tmp_path / "a.nii", vox_offset=20_000)
    path.write_bytes(path.read_bytes() + bytes(20_000))
    read_volume(path)
    monkeypatch.setattr(spinet_tf.nifti_header, "LARGEST_GAP", 10_000)
    message = "expected the data in the first 10000 bytes, the header puts them at"
    assert message in refused(path)


def test_too_large_for_the_memory_after_all(tmp_path, monkeypatch):
    """As when the machine has the memory and the user's limit does not."""

    def fail(*_arguments, **_named):
        raise MemoryError

    path = write_nifti(tmp_path / "a.nii")
    monkeypatch.setattr(spinet_tf.nifti, "ArrayProxy", fail)
    assert refused(path) == "too large for the memory there is"
