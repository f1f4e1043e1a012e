"""The builder makes what it promises, readable by what reads qsm_brain."""

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from datasets.qsm_brain import qsm_brain_dataset_builder
from datasets.qsm_shapes import qsm_shapes_dataset_builder
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
