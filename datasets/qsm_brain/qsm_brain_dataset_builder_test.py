"""The builder makes what it promises, and what it makes looks like a brain."""

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from datasets.qsm_brain import qsm_brain_dataset_builder
from datasets.qsm_brain.qsm_brain_dataset_builder import BrainConfig, Builder

ODD_HEAD = BrainConfig(
    name="odd_head",
    kind="head",
    shape=(33, 40, 36),
    examples={"validation": 1, "test": 2},
)


class QsmBrainTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["patches_tiny"]
    SPLITS = {"train": 8, "validation": 4}
    # The builder reads no files, so there is no dummy data; the class wants a folder.
    EXAMPLE_DIR = str(epath.Path(qsm_brain_dataset_builder.__file__).parent)


def _build(config, folder, **download_arguments):
    builder = Builder(config=config, data_dir=str(folder))
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(**download_arguments)
    )
    return builder


def _examples(builder, split):
    read = tfds.ReadConfig(add_tfds_id=True)
    dataset = builder.as_dataset(split=split, read_config=read)
    return {row.pop("tfds_id"): row for row in dataset.as_numpy_iterator()}


def test_examples_hold_a_masked_zero_mean_map(tmp_path):
    rows = _examples(_build("patches_tiny", tmp_path), "train").values()
    assert len(rows) == 8
    for row in rows:
        mask = row["mask"].astype(bool)
        assert set(np.unique(row["mask"])) <= {0, 1}
        assert mask.mean() > 0.25
        assert not row["susceptibility"][~mask].any()
        assert not row["white_matter"][~mask].any()
        assert abs(row["susceptibility"][mask].mean()) < 1e-5
        assert 0.005 < row["susceptibility"][mask].std() < 0.2
        assert "segmentation" not in row
        np.testing.assert_array_less(0.2, row["voxel_size"])
    assert max(row["white_matter"].max() for row in rows) == 255


def test_head_fits_in_its_grid_and_is_segmented(tmp_path):
    rows = _examples(_build(ODD_HEAD, tmp_path), "test").values()
    for row in rows:
        mask = row["mask"].astype(bool)
        assert mask.shape == (33, 40, 36)
        for axis in range(3):
            assert not mask.take(0, axis).any()
            assert not mask.take(-1, axis).any()
        assert 0.05 < mask.mean() < 0.5
        assert {1, 2, 3} <= set(np.unique(row["segmentation"][mask]))
        np.testing.assert_array_equal(row["segmentation"] > 0, mask)


def test_an_example_depends_on_seed_kind_split_and_index_only():
    def config(**changes):
        return BrainConfig(name="any", **{"shape": (20, 17, 18), **changes})

    first = config().draw("train", 3)
    again = config(examples={"train": 9}).draw("train", 3)
    np.testing.assert_array_equal(first.susceptibility, again.susceptibility)
    np.testing.assert_array_equal(first.mask, again.mask)
    others = (
        config().draw("train", 4),
        config().draw("validation", 3),
        config(seed=1).draw("train", 3),
        config(kind="head").draw("train", 3),
    )
    for other in others:
        assert not np.array_equal(first.susceptibility, other.susceptibility)


def test_beam_makes_the_same_examples(tmp_path):
    config = BrainConfig(
        name="beam", shape=(16, 18, 17), examples={"train": 3, "test": 2}
    )
    serial = _build(config, tmp_path / "serial")
    parallel = _build(config, tmp_path / "beam", beam_runner="DirectRunner")
    for split in ("train", "test"):
        expected, got = _examples(serial, split), _examples(parallel, split)
        rows = [
            sorted(rows.values(), key=lambda row: tuple(row["voxel_size"]))
            for rows in (expected, got)
        ]
        assert len(rows[0]) == len(rows[1]) == config.examples[split]
        for one, other in zip(*rows, strict=True):
            for name, value in one.items():
                np.testing.assert_array_equal(value, other[name])


def test_configurations_are_the_documented_ones():
    found = {
        config.name: (config.kind, config.shape[0], config.examples)
        for config in Builder.BUILDER_CONFIGS
    }
    assert found == {
        "patches_64": ("patch", 64, {"train": 2000, "validation": 100}),
        "patches_48": ("patch", 48, {"train": 2000, "validation": 100}),
        "patches_32": ("patch", 32, {"train": 400, "validation": 16, "test": 40}),
        "quick_48": ("patch", 48, {"train": 200, "validation": 16}),
        "patches_tiny": ("patch", 24, {"train": 8, "validation": 4}),
        "heads": ("head", 160, {"validation": 5, "test": 20}),
        "heads_small": ("head", 96, {"validation": 2, "test": 4}),
    }
