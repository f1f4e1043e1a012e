import os
import struct
import sys

import h5py
import numpy as np
import pytest
import scipy.io

from spinet_tf.errors import InputError
from spinet_tf.matlab import read_mat
from spinet_tf.nifti import read_volume
from tests.mat_files import write_v5, write_v73

SHAPE = (7, 6, 5)
PHASE = np.random.default_rng(1).normal(size=SHAPE)


WRITERS = pytest.mark.parametrize("write", [write_v5, write_v73])


def refused(path, name=None):
    with pytest.raises(InputError) as caught:
        read_mat(path, name)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


@WRITERS
@pytest.mark.parametrize("dtype", ["float64", "float32", "int16", "uint8"])
def test_the_only_3d_array_is_found(tmp_path, write, dtype):
    expected = (100 * np.abs(PHASE)).astype(dtype)
    path = tmp_path / "a.mat"
    write(path, te=np.array([[0.02]]), voxel_size=np.ones((1, 3)), phs=expected)
    array = read_mat(path)
    assert array.dtype == dtype
    np.testing.assert_array_equal(array, expected)


@WRITERS
def test_several_arrays_need_a_name(tmp_path, write):
    path = tmp_path / "a.mat"
    write(path, phs=PHASE, mask=PHASE > 0, te=np.array([[0.02]]))
    message = refused(path)
    assert "name one as file.mat:NAME" in message
    assert "phs 7x6x5 double" in message
    assert "mask 7x6x5 logical" in message
    assert "te" not in message.replace(str(path), "")
    np.testing.assert_array_equal(read_mat(path, "mask"), PHASE > 0)


@WRITERS
def test_a_wrong_name_lists_what_there_is(tmp_path, write):
    path = tmp_path / "a.mat"
    write(path, phs=PHASE, te=np.array([[0.02]]))
    for name in ("chi", "te", ""):
        message = refused(path, name)
        assert f"no numeric 3-D array {name!r}" in message
        assert "phs 7x6x5 double, te 1x1 double" in message


@WRITERS
def test_no_3d_array(tmp_path, write):
    path = tmp_path / "a.mat"
    write(path, echoes=np.zeros((4, 3, 2, 5)))
    assert "expected a numeric 3-D array, it holds echoes 4x3x2x5" in refused(path)


def test_empty_contents(tmp_path):
    write_v73(tmp_path / "a.mat")
    assert refused(tmp_path / "a.mat").endswith("it holds nothing")


def test_v4_has_matrices_only(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"te": np.ones((2, 3))}, format="4")
    assert "it holds te 2x3 double" in refused(tmp_path / "a.mat")


def test_complex_is_refused(tmp_path):
    write_v5(tmp_path / "a.mat", phs=PHASE + 1j)
    assert "the array is complex" in refused(tmp_path / "a.mat")


def test_complex_v73_is_refused(tmp_path):
    pairs = np.zeros(SHAPE, [("real", "f8"), ("imag", "f8")])
    write_v73(tmp_path / "a.mat", phs=pairs)
    with h5py.File(tmp_path / "a.mat", "r+") as file:
        file["phs"].attrs["MATLAB_class"] = np.bytes_("double")
    assert "the array is complex" in refused(tmp_path / "a.mat")


def test_text_cells_and_structures_are_no_arrays(tmp_path):
    cell = np.empty((2, 2, 2), object)
    cell.fill("a")
    write_v5(tmp_path / "a.mat", cell=cell, info={"te": 0.02}, text="phase")
    message = refused(tmp_path / "a.mat")
    assert "cell 2x2x2 cell" in message
    assert "info 1x1 struct" in message
    assert "cell" in refused(tmp_path / "a.mat", "cell")


def test_v73_text_and_groups_are_no_arrays(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file["text"] = np.zeros((2, 3, 4), np.uint16)
        file["text"].attrs["MATLAB_class"] = np.bytes_("char")
        file.create_group("info")["te"] = 0.02
    message = refused(tmp_path / "a.mat")
    assert "text 4x3x2 char" in message
    assert "info struct" in message


def test_links_to_other_files_are_not_followed(tmp_path):
    write_v73(tmp_path / "other.mat", phs=PHASE)
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file["phs"] = h5py.ExternalLink(str(tmp_path / "other.mat"), "/phs")
    assert "it holds nothing" in refused(tmp_path / "a.mat")


def test_data_too_large_for_the_memory(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file.create_dataset("phs", (50_000, 50_000, 50_000), "f4", chunks=(8, 8, 8))
    assert "GB of memory" in refused(tmp_path / "a.mat")


@pytest.mark.parametrize("content", [b"", b"a text\nof two lines" * 40, bytes(4096)])
def test_other_files(tmp_path, content):
    (tmp_path / "a.mat").write_bytes(content)
    assert "cannot be read as a MATLAB file" in refused(tmp_path / "a.mat")


@WRITERS
def test_truncated_files(tmp_path, write):
    path = tmp_path / "a.mat"
    write(path, phs=PHASE)
    whole = path.read_bytes()
    for share in (0.1, 0.3, 0.5, 0.9):
        path.write_bytes(whole[: int(share * len(whole))])
        refused(path)


def test_damaged_files(tmp_path):
    """A flipped byte gives an error in one line, or an array of the right shape."""
    generator = np.random.default_rng(5)
    path = tmp_path / "a.mat"
    refusals = 0
    for write, start in ((write_v5, 0.5), (write_v73, 0)):
        write(path, phs=PHASE)
        whole = path.read_bytes()
        for place in generator.integers(int(start * len(whole)), len(whole), 6):
            damaged = bytearray(whole)
            damaged[place] ^= 0xFF
            path.write_bytes(damaged)
            try:
                assert read_mat(path).ndim == 3
            except InputError as error:
                assert "\n" not in str(error)
                refusals += 1
    assert refusals > 2


@WRITERS
def test_read_as_a_volume(tmp_path, write):
    path = tmp_path / "a.mat"
    write(path, phs=PHASE, chi=PHASE + 1)
    volume = read_volume(f"{path}:chi")
    assert volume.data.dtype == np.float32
    assert volume.data.flags.c_contiguous
    np.testing.assert_allclose(volume.data, PHASE + 1, rtol=1e-6)
    assert volume.name == f"{path}:chi"
    assert volume.affine is None
    with pytest.raises(InputError, match="name one"):
        read_volume(path)
    with pytest.raises(InputError, match="no numeric 3-D array ''"):
        read_volume(f"{path}:")
    with pytest.raises(InputError, match="no such file"):
        read_volume(f"{path}{os.sep}b.mat:chi")


def test_links_in_the_file_are_no_arrays(tmp_path):
    """Their numbers would be those of other files; HDF5 crashes on some."""
    write_v73(tmp_path / "other.mat", phs=PHASE)
    shape = PHASE.shape[::-1]
    with h5py.File(tmp_path / "a.mat", "w") as file:
        raw = [(str(tmp_path / "other.mat"), 0, PHASE.nbytes)]
        file.create_dataset("raw", shape, "f8", external=raw)
        layout = h5py.VirtualLayout(shape, "f8")
        layout[:] = h5py.VirtualSource(tmp_path / "other.mat", "phs", shape)
        file.create_virtual_dataset("virtual", layout)
    assert "it holds raw link, virtual link" in refused(tmp_path / "a.mat")


def test_a_file_that_crashes_the_reader(tmp_path):
    """scipy 1.17 ends with a segmentation fault on values of a type there is not."""
    scipy.io.savemat(tmp_path / "a.mat", {"phs": PHASE})
    content = bytearray((tmp_path / "a.mat").read_bytes())
    tag = content.index(struct.pack("<II", 9, PHASE.nbytes))
    content[tag] = 200
    (tmp_path / "a.mat").write_bytes(content)
    assert "cannot be read as a MATLAB file" in refused(tmp_path / "a.mat")


def test_many_and_long_names_are_cut(tmp_path):
    write_v5(tmp_path / "a.mat", **{f"n{i}": 1.0 for i in range(30)})
    assert refused(tmp_path / "a.mat").endswith("n7 1x1 double, and 22 more")
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file["n" * 2000] = 1.0
    assert refused(tmp_path / "a.mat").endswith("it has a name of 2000 characters")


def test_python_that_adds_no_folder_to_its_path(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"a": np.ones((2, 3, 4))})
    assert read_mat(path).shape == (2, 3, 4)
