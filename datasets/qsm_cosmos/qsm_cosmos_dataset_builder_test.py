"""The builder reads both layouts, keeps the physics, and keeps subjects apart."""

import json
import shutil

import nibabel
import numpy as np
import pytest
import tensorflow_datasets as tfds

from datasets.qsm_cosmos import dummy_data_generation
from datasets.qsm_cosmos.patches import crop
from datasets.qsm_cosmos.qsm_cosmos_dataset_builder import (
    Builder,
    CosmosConfig,
    examples,
)
from datasets.qsm_cosmos.scan_folder import open_folder
from datasets.qsm_cosmos.shared_by_tests import (
    SUBJECTS,
    anat,
    build,
    rewrite,
    write_mat_layout,
)
from spinet_tf.simulate import simulate_field
from tests.mat_files import write_v5, write_v73

SMALL = {"shape": (9, 8, 10), "stride": (5, 4, 6)}


class WholeVolumesTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["volumes"]
    SPLITS = {"train": 2, "validation": 1, "test": 1}


class PatchesTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = Builder
    BUILDER_CONFIG_NAMES_TO_TEST = [CosmosConfig(name="small", **SMALL)]
    SPLITS = {"train": 16, "validation": 6, "test": 12}


def test_dummy_data_are_what_the_script_makes(tmp_path):
    dummy_data_generation.write_nifti_layout(tmp_path, SUBJECTS)
    committed = [p for p in dummy_data_generation.FOLDER.rglob("*") if p.is_file()]
    assert sum(path.stat().st_size for path in committed) < 200_000
    made = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(made) == len(committed)
    for path in committed:
        other = tmp_path / path.relative_to(dummy_data_generation.FOLDER)
        if path.suffix == ".json":
            assert json.loads(other.read_text()) == json.loads(path.read_text())
        else:
            one, two = nibabel.load(path), nibabel.load(other)
            np.testing.assert_allclose(one.get_fdata(), two.get_fdata(), atol=1e-4)
            np.testing.assert_allclose(one.affine, two.affine, atol=1e-6)


def test_examples_obey_the_physics(folder, tmp_path):
    rows = build(folder, tmp_path / "data", "volumes")
    rows = [row for split in rows.values() for row in split]
    directions = [tuple(row["b0_direction"].tolist()) for row in rows]
    for expected in {d for s in SUBJECTS for d in s.b0_directions.values()}:
        assert np.isclose(directions, expected).all(axis=1).any()
    for row in rows:
        mask = row["mask"].astype(bool)
        susceptibility, field = row["susceptibility"], row["local_field"]
        assert abs(susceptibility[mask].mean()) < 1e-6
        assert not susceptibility[~mask].any()
        assert not row["white_matter"].any()
        expected = simulate_field(
            susceptibility, mask, row["voxel_size"], row["b0_direction"]
        )
        assert expected.std() > 1e-3
        np.testing.assert_allclose(field, expected, atol=1e-6)


@pytest.mark.parametrize("write", [write_v5, write_v73])
def test_both_layouts_give_the_same_examples(folder, tmp_path, write):
    config = CosmosConfig(name="small", **SMALL)
    nifti = build(folder, tmp_path / "one", config)
    mat = build(write_mat_layout(tmp_path / "mat", write), tmp_path / "two", config)
    assert {split: len(rows) for split, rows in nifti.items()} == {
        split: len(rows) for split, rows in mat.items()
    }
    for split, rows in nifti.items():
        for one, two in zip(rows, mat[split], strict=True):
            assert one.keys() == two.keys()
            for name, value in one.items():
                np.testing.assert_allclose(value, two[name], atol=1e-6, err_msg=name)


def test_mat_files_that_do_not_tell_take_the_geometry_of_the_config(tmp_path):
    scans = write_mat_layout(tmp_path / "mat", without=("voxel_size", "B0_dir"))
    config = CosmosConfig(
        name="tilted",
        shape=None,
        mat_voxel_size=(0.8, 0.9, 1.1),
        mat_b0_direction=(0, 3, 4),
    )
    with pytest.warns(UserWarning) as warned:
        splits = build(scans, tmp_path / "data", config)
    (told,) = [str(each.message) for each in warned if each.category is UserWarning]
    assert told == (
        f"{scans}: 4 of 4 files have no voxel_size, 0.8 x 0.9 x 1.1 mm is assumed;"
        " 4 of 4 files have no B0_dir, 0, 3, 4 is assumed"
    )
    for rows in splits.values():
        for row in rows:
            np.testing.assert_allclose(row["voxel_size"], (0.8, 0.9, 1.1), rtol=1e-6)
            np.testing.assert_allclose(row["b0_direction"], (0, 0.6, 0.8), rtol=1e-6)


def test_a_field_may_have_a_map_and_a_mask_of_its_own(folder):
    files = anat(folder, SUBJECTS[0])
    for kind in ("desc-cosmos_Chimap", "desc-brain_mask"):
        shutil.copy(
            files / f"sub-01_{kind}.nii.gz", files / f"sub-01_run-2_{kind}.nii.gz"
        )
    own = files / "sub-01_run-2_desc-cosmos_Chimap.nii.gz"
    rewrite(own, lambda data, affine: (2 * data, affine))
    one, two = open_folder(folder, (1, 1, 1), (0, 0, 1)).scans("sub-01")
    np.testing.assert_allclose(
        two.read().susceptibility, 2 * one.read().susceptibility, atol=1e-6
    )


def test_patches_are_where_their_keys_say(folder):
    config = CosmosConfig(name="small", **SMALL)
    for scan in open_folder(folder, (1, 1, 1), (0, 0, 1)).scans("sub-01"):
        content = scan.read()
        keys = []
        for key, example in examples(scan.name, content, config):
            keys.append(key)
            name, *corner = key.rsplit("_", 3)
            assert name == scan.name
            corner = [int(first) for first in corner]
            whole, mask = (
                crop(volume, corner, config.shape)
                for volume in (content.susceptibility, content.mask)
            )
            np.testing.assert_array_equal(example["mask"], mask)
            centred = np.where(mask, whole - whole[mask].mean(), 0)
            np.testing.assert_allclose(example["susceptibility"], centred, atol=1e-6)
            assert abs(whole[mask].mean()) > 1e-4
        assert len(set(keys)) == len(keys) == 8


def test_a_subject_is_in_one_split_only(folder, tmp_path):
    """Voxel sizes tell the subjects of the dummy data apart."""
    by_size = {np.float32(s.voxel_size).tobytes(): s.name for s in SUBJECTS}

    def subjects(config):
        splits = build(folder, tmp_path / config.name, config)
        return {
            split: {by_size[row["voxel_size"].tobytes()] for row in rows}
            for split, rows in splits.items()
        }

    assert subjects(CosmosConfig(name="fractions", **SMALL)) == {
        "train": {"sub-01"},
        "validation": {"sub-02"},
        "test": {"sub-03"},
    }
    lists = {"train": ("sub-03", "sub-01"), "test": ("sub-02",)}
    assert subjects(CosmosConfig(name="lists", subjects=lists, **SMALL)) == {
        "train": {"sub-01", "sub-03"},
        "test": {"sub-02"},
    }


def test_a_broken_subject_may_be_left_out(folder, tmp_path):
    shutil.rmtree(anat(folder, SUBJECTS[1]))
    lists = {"train": ("sub-01",), "test": ("sub-03",)}
    config = CosmosConfig(name="listed", shape=None, subjects=lists)
    rows = build(folder, tmp_path / "data", config)
    assert {split: len(examples) for split, examples in rows.items()} == {
        "train": 2,
        "test": 1,
    }


def test_nan_outside_the_mask_becomes_zero(folder):
    path = anat(folder, SUBJECTS[2]) / "sub-03_desc-cosmos_Chimap.nii.gz"

    def nan_in_a_corner(data, affine):
        data[0, 0, 0] = np.nan
        return data, affine

    (scan,) = open_folder(folder, (1, 1, 1), (0, 0, 1)).scans("sub-03")
    expected = scan.read().susceptibility
    rewrite(path, nan_in_a_corner)
    with pytest.warns(UserWarning, match="1 voxels outside the mask"):
        np.testing.assert_array_equal(scan.read().susceptibility, expected)


def test_a_sidecar_goes_before_the_affine(folder):
    path = anat(folder, SUBJECTS[2]) / "sub-03_desc-local_fieldmap.json"
    path.write_text('{"B0_dir": [0, -2, 0]}')
    (scan,) = open_folder(folder, (1, 1, 1), (0, 0, 1)).scans("sub-03")
    np.testing.assert_array_equal(scan.read().b0_direction, (0, -1, 0))


def test_configurations_are_as_the_readme_says():
    configs = {config.name: config for config in Builder.BUILDER_CONFIGS}
    sizes = {name: (config.shape, config.stride) for name, config in configs.items()}
    assert sizes.pop("volumes")[0] is None
    assert sizes == {f"patches_{n}": ((n,) * 3, (n // 2,) * 3) for n in (64, 48)}
    for config in configs.values():
        assert config.least_mask == 0.25
        assert config.fractions == {"train": 0.8, "validation": 0.1, "test": 0.1}
        assert config.mat_voxel_size == (1, 1, 1)
        assert config.mat_b0_direction == (0, 0, 1)
