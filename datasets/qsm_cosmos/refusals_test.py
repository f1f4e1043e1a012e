"""What cannot be used is refused, by name, before anything is built."""

import gzip
import shutil

import numpy as np
import pytest

from datasets.qsm_cosmos import dummy_data_generation
from datasets.qsm_cosmos.qsm_cosmos_dataset_builder import Builder, CosmosConfig
from datasets.qsm_cosmos.scan_folder import open_folder
from datasets.qsm_cosmos.shared_by_tests import (
    SUBJECTS,
    anat,
    build,
    rewrite,
    write_mat_layout,
)
from spinet_tf.errors import InputError
from tests.mat_files import write_v5, write_v73

FIELD_3 = "sub-03_desc-local_fieldmap"


def refused(scans, config="volumes"):
    """The problems that are told; nothing is built."""
    data_dir = scans.parent / "data"
    with pytest.raises(InputError) as caught:
        build(scans, data_dir, config)
    assert not [
        path for path in data_dir.rglob("*") if str(Builder.VERSION) in path.name
    ]
    first, *lines = str(caught.value).split("\n")
    assert first.startswith(str(scans))
    return lines or [first]


def test_all_problems_are_told_at_once(folder):
    first, second, third = (anat(folder, subject) for subject in SUBJECTS)
    (first / "sub-01_desc-brain_mask.nii.gz").unlink()
    field = second / "sub-02_ses-1_desc-local_fieldmap.nii.gz"
    field.write_bytes(field.read_bytes()[:3000])
    rewrite(
        third / "sub-03_desc-cosmos_Chimap.nii.gz",
        lambda data, affine: (data[:, :-1], affine),
    )
    (folder / "sub-04").mkdir()
    lines = refused(folder)
    assert len(lines) == 5  # sub-01 has two fields
    told = "\n".join(lines)
    assert str(folder) not in told
    assert told.count("no mask for sub-01/anat/sub-01_run-") == 2
    assert "sub-02_ses-1_desc-local_fieldmap.nii.gz: damaged" in told
    assert "sub-03_desc-cosmos_Chimap.nii.gz: shape (15, 15, 19) differs" in told
    assert "sub-04: no local field, expected [ses-<label>/]anat/sub-04" in told


def _nan_inside(data, affine):
    data[tuple(n // 2 for n in data.shape)] = np.nan
    return data, affine


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (f"{FIELD_3}.nii.gz", _nan_inside, "1 of "),
        (f"{FIELD_3}.nii.gz", lambda d, a: (128 * d, a), "it looks like"),
        (f"{FIELD_3}.nii.gz", lambda d, a: (d, 30 * a), "three edges"),
        ("sub-03_desc-cosmos_Chimap.nii.gz", _nan_inside, "1 of "),
        (
            "sub-03_desc-cosmos_Chimap.nii.gz",
            lambda d, a: (1000 * d, a),
            "is the map in ppm?",
        ),
        (
            "sub-03_desc-cosmos_Chimap.nii.gz",
            lambda d, a: (d, a + np.diag([1, 1, 1], 1) * [[0, 0, 0, 1]]),
            "voxels lie up to",
        ),
        ("sub-03_desc-brain_mask.nii.gz", lambda d, a: (0.5 * d, a), "only 0 and 1"),
        (
            "sub-03_desc-brain_mask.nii.gz",
            lambda d, a: (d, a + np.diag([1, 1, 1], 1) * [[0, 0, 0, 1]]),
            "voxels lie up to",
        ),
    ],
)
def test_volumes_of_no_use_are_refused(folder, name, change, message):
    path = anat(folder, SUBJECTS[2]) / name
    rewrite(path, change)
    if "three edges" in message:
        for other in path.parent.glob("*.nii.gz"):
            if other != path:
                rewrite(other, change)
    (line,) = refused(folder)
    assert f"sub-03/anat/{name}: " in line
    assert message in line
    assert "--" not in line


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[1]", "expected a JSON object"),
        ('{"Units": "T"}', "one of ppm, hz, rad, got 't'"),
        ('{"Units": "Hz"}', "must be 0.01 to 25 Tesla, got none"),
        ('{"Units": "Hz", "MagneticFieldStrength": "3"}', "to be a number, got '3'"),
        ('{"B0Direction": "0,0,1"}', "three numbers, got '0,0,1'"),
        ('{"B0Direction": [0, 0]}', "three numbers, got [0, 0]"),
        ('{"B0Direction": [0, 0, NaN]}', "three numbers, got [0, 0, nan]"),
        ('{"B0_dir": [0, 0, 0]}', "longer than 0, got 0, 0, 0"),
    ],
)
def test_unusable_sidecars_are_refused(folder, content, message):
    path = anat(folder, SUBJECTS[2]) / f"{FIELD_3}.json"
    path.write_text(content)
    (line,) = refused(folder)
    assert line.strip().startswith(f"sub-03/anat/{FIELD_3}.json: ")
    assert message in line


def test_fields_on_one_map_need_their_b0_directions(folder):
    files = anat(folder, SUBJECTS[0])
    (files / "sub-01_run-2_desc-local_fieldmap.json").unlink()
    (line,) = refused(folder)
    assert "sub-01_run-2_desc-local_fieldmap.nii.gz: expected B0Direction" in line
    null = '{"B0Direction": null}'
    (files / "sub-01_run-2_desc-local_fieldmap.json").write_text(null)
    (line,) = refused(folder)
    assert "sub-01_run-2_desc-local_fieldmap.json: expected B0Direction in" in line


def test_a_direction_of_all_is_none_of_each(folder):
    """An inherited one would give every orientation the same physics."""
    files = anat(folder, SUBJECTS[0])
    for path in files.glob("*_desc-local_fieldmap.json"):
        path.unlink()
    shared = folder / "desc-local_fieldmap.json"
    shared.write_text('{"B0Direction": [0, 0, 1]}')
    (line,) = refused(folder)
    assert line.strip().startswith("desc-local_fieldmap.json: expected B0Direction")
    for run in (1, 2):
        (files / f"sub-01_run-{run}_desc-local_fieldmap.json").write_text("{}")
    assert len(refused(folder)) == 2
    for run in (1, 2):  # of each alone, if not the nearest
        path = files / f"sub-01_run-{run}_fieldmap.json"
        path.write_text(f'{{"B0Direction": [0, {run}, 1]}}')
    scans = open_folder(folder, (1, 1, 1), (0, 0, 1)).scans("sub-01")
    directions = [scan.read().b0_direction for scan in scans]
    assert [round(y / z, 3) for _, y, z in directions] == [1, 2]


def test_files_in_doubt_are_refused(folder):
    path = anat(folder, SUBJECTS[2]) / "sub-03_desc-brain_mask.nii"
    path.write_bytes(gzip.decompress(path.with_suffix(".nii.gz").read_bytes()))
    (line,) = refused(folder)
    assert "sub-03_desc-brain_mask.nii and sub-03/anat/sub-03_desc-brain" in line
    path.unlink()
    path = anat(folder, SUBJECTS[2]) / f"{FIELD_3}.nii.gz"
    shutil.copy(path, path.parent / "sub-03_localfield.nii.gz")
    (line,) = refused(folder)
    assert f"sub-03_localfield.nii.gz: {FIELD_3}.nii.gz has its name, keep one" in line
    (path.parent / "sub-03_localfield.nii.gz").unlink()
    path.unlink()
    (line,) = refused(folder)
    assert "sub-03: no local field, expected [ses-<label>/]anat/sub-03_desc-" in line


def test_patches_that_hold_too_little_are_refused(folder):
    large = CosmosConfig(name="large", shape=(15, 16, 16), stride=(8, 8, 8))
    lines = refused(folder, large)
    assert len(lines) == 3  # two scans of sub-01, one of sub-02
    assert "sub-01_run-1: shape (18, 16, 15) is smaller than a patch" in lines[0]
    full = CosmosConfig(name="full", shape=(12, 12, 12), least_mask=0.99)
    assert len(refused(folder, full)) == 4


def test_broken_mat_files_are_told_at_once(tmp_path):
    scans = write_mat_layout(tmp_path / "mat")
    arrays = dummy_data_generation.mat_arrays(SUBJECTS[0], "sub-01_run-1")
    write_v5(scans / "sub-01_run-1.mat", phs=arrays["phs"], msk=arrays["msk"])
    write_v73(scans / "sub-01_run-2.mat", **{**arrays, "B0_dir": np.eye(3)})
    (scans / "sub-02_ses-1.mat").write_bytes(b"not a MATLAB file")
    write_v5(scans / "sub-03.mat", **{**arrays, "cos": arrays["cos"][:, :, 1:]})
    lines = refused(scans)
    assert len(lines) == 4
    assert "sub-01_run-1.mat: has no numeric 3-D array 'cos'" in lines[0]
    assert "sub-01_run-2.mat: expected B0_dir to be three numbers, it has 9" in lines[1]
    assert "sub-02_ses-1.mat: cannot be read as a MATLAB file" in lines[2]
    assert "sub-03.mat:cos: shape (18, 16, 14) differs" in lines[3]


def test_a_folder_has_one_layout(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "sub-01.nii.gz").touch()
    (line,) = refused(other)
    assert "found neither" in line
    write_v5(folder / "sub-05.mat", phs=np.ones((3, 4, 5)))
    (line,) = refused(folder)
    assert "found both" in line


def test_mat_files_are_named_after_subjects(tmp_path):
    scans = write_mat_layout(tmp_path / "mat")
    for name in ("patient1.mat", "sub-03.run.mat"):
        shutil.copy(scans / "sub-03.mat", scans / name)
    (line,) = refused(scans)
    assert line.endswith("got patient1.mat, sub-03.run.mat")


def test_a_map_that_fields_share_is_told_of_once(folder):
    path = anat(folder, SUBJECTS[0]) / "sub-01_desc-cosmos_Chimap.nii.gz"
    path.write_bytes(path.read_bytes()[:3000])
    (line,) = refused(folder)
    assert "sub-01_desc-cosmos_Chimap.nii.gz: damaged" in line


def test_a_map_that_is_not_cosmos_is_no_truth(folder):
    files = anat(folder, SUBJECTS[2])
    (scan,) = open_folder(folder, (1, 1, 1), (0, 0, 1)).scans("sub-03")
    expected = scan.read().susceptibility
    other = files / "sub-03_desc-spinet_Chimap.nii.gz"
    shutil.copy(files / "sub-03_desc-cosmos_Chimap.nii.gz", other)
    rewrite(other, lambda data, affine: (2 * data, affine))
    (scan,) = open_folder(folder, (1, 1, 1), (0, 0, 1)).scans("sub-03")
    np.testing.assert_array_equal(scan.read().susceptibility, expected)
