"""The builder makes what it promises, readable by what reads qsm_brain."""

import numpy as np
import pytest
import tensorflow_datasets as tfds
from etils import epath

from datasets.qsm_brain import qsm_brain_dataset_builder
from datasets.qsm_shapes import qsm_shapes_dataset_builder, shapes
from datasets.qsm_shapes.qsm_shapes_dataset_builder import Builder, ShapesConfig
from datasets.qsm_shapes.shapes import random_shapes


class QsmShapesTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["shapes_24"]
    SPLITS = {"train": 8, "validation": 4, "test": 4}
    # The builder reads no files, so there is no dummy data; the class wants a folder.
    EXAMPLE_DIR = str(epath.Path(qsm_shapes_dataset_builder.__file__).parent)


def test_features_are_those_of_the_brain_patches(tmp_path):
    shape = (15, 18, 16)
    shapes = Builder(
        config=ShapesConfig(name="odd", shape=shape, examples={"train": 2}),
        data_dir=str(tmp_path),
    )
    brain = qsm_brain_dataset_builder.Builder(
        config=qsm_brain_dataset_builder.BrainConfig(name="odd", shape=shape),
        data_dir=str(tmp_path),
    )
    assert shapes.info.features.dtype == brain.info.features.dtype
    assert shapes.info.features.shape == brain.info.features.shape


def test_maps_are_seeded_varied_and_zero_mean():
    shape = (33, 40, 36)
    maps = [random_shapes(np.random.default_rng(seed), shape) for seed in range(4)]
    again = random_shapes(np.random.default_rng(2), shape)
    np.testing.assert_array_equal(maps[2], again)
    for volume in maps:
        assert volume.shape == shape
        assert volume.dtype == np.float32
        assert abs(volume.mean()) < 1e-6
        assert 0.002 < volume.std() < 0.3
    assert not np.array_equal(maps[0], maps[1])


def test_solids_have_flat_insides_and_sharp_borders():
    volume = random_shapes(np.random.default_rng(0), (48, 44, 40))
    steps = np.abs(np.diff(volume, axis=0))
    assert (steps < 1e-6).mean() > 0.4
    assert steps.max() > 0.5 * volume.std()


def test_an_example_depends_on_seed_split_and_index_only(tmp_path):
    def drawn(seed, **examples):
        config = ShapesConfig(
            name="any", shape=(9, 8, 10), examples=examples, seed=seed
        )
        builder = Builder(config=config, data_dir=str(tmp_path))
        return [
            row for split in examples for _, row in builder._generate_examples(split)
        ]

    rows = drawn(0, train=2, test=2) + drawn(1, train=1)
    assert len({row["susceptibility"].tobytes() for row in rows}) == 5
    again = drawn(0, test=3)[1]["susceptibility"]
    np.testing.assert_array_equal(again, rows[3]["susceptibility"])
    for row in rows:
        assert (row["mask"] == 1).all() and not row["white_matter"].any()
        assert (row["voxel_size"] == 1).all()


class OfKind(np.random.Generator):
    """Draws solids of one kind."""

    def __init__(self, kind, seed):
        super().__init__(np.random.PCG64(seed))
        self.kind = kind

    def choice(self, kinds):
        assert self.kind in kinds
        return self.kind


def solid(kind, seed, times=1):
    volume = np.zeros((40, 40, 40), np.float32)
    for _ in range(times):
        shapes._add_solid(OfKind(kind, seed), volume, 0.5)
    return volume


def test_solids_are_of_their_kind_and_add_up():
    def whole(seed):
        sphere = solid("sphere", seed)
        faces = (sphere.take((0, -1), axis) for axis in range(3))
        return sphere.sum() > 100 and not any(face.any() for face in faces)

    large = [seed for seed in range(60) if whole(seed)]
    assert len(large) > 2
    for seed in large:
        sphere = solid("sphere", seed)
        assert sphere.max() == 0.5 and ((sphere > 0) & (sphere < 0.5)).any()
        spread = np.cov(np.argwhere(sphere > 0).T, aweights=sphere[sphere > 0])
        radius = (sphere.sum() / 0.5 * 3 / (4 * np.pi)) ** (1 / 3)
        np.testing.assert_allclose(spread / radius**2, np.eye(3) / 5, atol=0.04)
        np.testing.assert_array_equal(solid("sphere", seed, times=2), 2 * sphere)
    ratios = [solid("cuboid", s).sum() / solid("ellipsoid", s).sum() for s in large]
    assert np.median(ratios) == pytest.approx(6 / np.pi, rel=0.15)
