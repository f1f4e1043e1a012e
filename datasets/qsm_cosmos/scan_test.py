"""Scans of `qsm_cosmos`: what counts of them, and which files are whose."""

import numpy as np
import pytest

from datasets.qsm_cosmos.dummy_data_generation import mat_arrays
from datasets.qsm_cosmos.mat_layout import MatFolder
from datasets.qsm_cosmos.scan import make_scan
from datasets.qsm_cosmos.scan_folder import checked_scans, open_folder
from datasets.qsm_cosmos.shared_by_tests import SUBJECTS, write_mat_layout
from spinet_tf.errors import InputError
from spinet_tf.field_units import FieldUnits
from spinet_tf.volume import Volume
from tests.mat_files import write_v5


def test_what_is_outside_the_mask_counts_for_nothing():
    rng = np.random.default_rng(0)
    mask = np.zeros((12, 11, 10), bool)
    mask[3:9, 3:8, 3:7] = True
    chi, field = (
        (0.03 * rng.standard_normal(mask.shape)).astype("float32") for _ in range(2)
    )
    chi[~mask] = 1e3  # as streaks outside are
    scan = make_scan(
        Volume(chi, None, "chi"),
        Volume(field, None, "field"),
        Volume(mask, None, "mask"),
        (1, 1, 1),
        (0, 0, 1),
        FieldUnits(),
    )
    assert (scan.local_field[~mask] == 0).all()
    np.testing.assert_array_equal(scan.local_field[mask], field[mask])
    assert (scan.susceptibility[~mask] == 0).all()


def test_a_subject_whose_name_begins_another(tmp_path):
    for name in ("sub-1.mat", "sub-1_run-2.mat", "sub-10.mat"):
        (tmp_path / name).touch()
    folder = MatFolder(tmp_path, (1, 1, 1), (0, 0, 1))
    found = [scan.path.name for scan in folder.scans("sub-1")]
    assert sorted(found) == ["sub-1.mat", "sub-1_run-2.mat"]


def test_names_in_capitals_are_read_too(tmp_path):
    for name in ("sub-1.MAT", "sub-2.mat"):
        (tmp_path / name).touch()
    folder = open_folder(tmp_path, (1, 1, 1), (0, 0, 1))
    assert folder.subjects() == ["sub-1", "sub-2"]
    assert [scan.path.name for scan in folder.scans("sub-1")] == ["sub-1.MAT"]
    (tmp_path / "sub-1.mat").touch()
    with pytest.raises(InputError, match=r"sub-1\.MAT and sub-1\.mat, keep one"):
        folder.subjects()


def test_files_that_do_not_tell_their_geometry_are_counted(tmp_path, recwarn):
    scans = write_mat_layout(tmp_path / "mat")
    folder = MatFolder(scans, (1, 1, 1), (0, 0, 1))
    splits = {"train": ["sub-01", "sub-03"]}
    checked_scans(folder, splits, bool)
    assert not recwarn
    arrays = mat_arrays(SUBJECTS[2], "sub-03")
    del arrays["voxel_size"]
    write_v5(scans / "sub-03.mat", **arrays, voxelSize=(2, 2, 2))
    with pytest.warns(UserWarning, match="mat: 1 of 3 files have no voxel_size, 1 x 1"):
        checked_scans(folder, splits, bool)


@pytest.mark.parametrize("factor", [1e-3, 0.08, 12, 100])
def test_a_map_whose_contrast_is_none_of_a_brain(factor):
    rng = np.random.default_rng(0)
    chi, field = (0.03 * rng.standard_normal((8, 7, 6)) for _ in range(2))
    with pytest.raises(InputError, match=r"chi: .*expected 0\.003 to 0\.3 ppm; is the"):
        make_scan(
            Volume((factor * chi).astype("float32"), None, "chi"),
            Volume(field.astype("float32"), None, "field"),
            Volume(np.ones(chi.shape, bool), None, "mask"),
            *((1, 1, 1), (0, 0, 1), FieldUnits()),
        )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("phs", -mat_arrays(SUBJECTS[2], "sub-03")["phs"]),
        ("cos", np.flip(mat_arrays(SUBJECTS[2], "sub-03")["cos"])),
        ("B0_dir", (1, 0, 0)),
        ("phs", np.full_like(mat_arrays(SUBJECTS[2], "sub-03")["phs"], 0.01)),
    ],
)
def test_a_field_that_is_not_of_the_map(name, value, tmp_path):
    scans = write_mat_layout(tmp_path / "mat")
    changed = {**mat_arrays(SUBJECTS[2], "sub-03"), name: value}
    write_v5(scans / "sub-03.mat", **changed)
    folder = MatFolder(scans, (1, 1, 1), (0, 0, 1))
    with pytest.raises(InputError, match="sub-03: the local field has a correlation"):
        checked_scans(folder, {"train": ["sub-01", "sub-03"]}, bool)


def test_a_voxel_size_of_none_is_told_by_its_name(tmp_path):
    arrays = {**mat_arrays(SUBJECTS[2], "sub-03"), "voxel_size": (1, 1, 0)}
    write_v5(tmp_path / "sub-03.mat", **arrays)
    (scan,) = MatFolder(tmp_path, (1, 1, 1), (0, 0, 1)).scans("sub-03")
    with pytest.raises(
        InputError, match=r"sub-03\.mat:voxel_size: expected three edges"
    ):
        scan.read()
    del arrays["voxel_size"]
    write_v5(tmp_path / "sub-03.mat", **arrays)
    (scan,) = MatFolder(tmp_path, (1, 1, 0), (0, 0, 1)).scans("sub-03")
    with pytest.raises(InputError, match="^voxel_size: expected three edges"):
        scan.read()
