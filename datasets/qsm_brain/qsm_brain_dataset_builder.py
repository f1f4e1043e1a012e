"""qsm_brain: synthetic susceptibility maps of the brain, made without any download."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import tensorflow_datasets as tfds
from threadpoolctl import threadpool_limits

from .brain import Brain, random_head, random_patch

_KINDS = {"patch": random_patch, "head": random_head}
_SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(eq=False)
class BrainConfig(tfds.core.BuilderConfig):
    """What to draw, how large and how many.

    Attributes:
        kind: "patch" (a piece of a magnified brain) or "head" (a whole brain).
        shape: matrix size.
        examples: number of examples of each split ("train", "validation", "test").
        seed: with the kind, the split and the index it determines an example, whatever
            the number of examples and the order of generation.
    """

    kind: str = "patch"
    shape: tuple[int, int, int] = (64, 64, 64)
    examples: dict[str, int] = dataclasses.field(default_factory=dict)
    seed: int = 0

    def draw(self, split: str, index: int) -> Brain:
        """Draws one example.

        Args:
            split: "train", "validation" or "test".
            index: its number in the split.

        Returns:
            The brain.
        """
        stream = [self.seed, list(_KINDS).index(self.kind), _SPLITS.index(split), index]
        return _KINDS[self.kind](np.random.default_rng(stream), tuple(self.shape))


def _patches(name: str, size: int, purpose: str, **examples: int):
    return BrainConfig(
        name=name,
        description=f"{size}^3 patches {purpose}.",
        kind="patch",
        shape=(size,) * 3,
        examples=examples,
    )


def _heads(name: str, size: int, purpose: str, validation: int, test: int):
    return BrainConfig(
        name=name,
        description=f"Whole heads of {size}^3 voxels {purpose}.",
        kind="head",
        shape=(size,) * 3,
        examples={"validation": validation, "test": test},
    )


class Builder(tfds.core.GeneratorBasedBuilder):
    """Synthetic brains; see README.md.

    Apache Beam generates the examples when `download_and_prepare` gets a
    `DownloadConfig` with a `beam_runner` or `beam_options`; the data are the same.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    BUILDER_CONFIGS = [
        _patches("patches_64", 64, "for training", train=2000, validation=100),
        _patches("patches_48", 48, "with less memory", train=2000, validation=100),
        _patches(
            *("patches_32", 32, "for the comparison of complete with limited data"),
            **{"train": 400, "validation": 16, "test": 40},
        ),
        _patches("quick_48", 48, "for the quickstart", train=200, validation=16),
        _patches("patches_tiny", 24, "for tests", train=8, validation=4),
        _heads("heads", 160, "for the final test", 5, 20),
        _heads("heads_small", 96, "for a quick evaluation", 2, 4),
    ]

    _use_beam = False

    def _info(self) -> tfds.core.DatasetInfo:
        shape = tuple(self.builder_config.shape)
        features = {
            "susceptibility": _tensor(shape, np.float32, "bytes", "ppm"),
            "mask": _tensor(shape, np.uint8, "zlib", "1 in the brain"),
            "white_matter": _tensor(shape, np.uint8, "zlib", "fraction * 255"),
            "voxel_size": _tensor((3,), np.float32, "none", "mm"),
        }
        if self.builder_config.kind == "head":
            features["segmentation"] = _tensor(shape, np.uint8, "zlib", "labels")
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features)
        )

    def _download_and_prepare(self, dl_manager, download_config) -> None:
        self._use_beam = bool(
            download_config.beam_runner or download_config.beam_options
        )
        super()._download_and_prepare(dl_manager, download_config)

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        return {
            split: self._generate_examples(split)
            for split in self.builder_config.examples
        }

    def _generate_examples(self, split: str):
        config = self.builder_config
        count = config.examples[split]
        if self._use_beam:
            import apache_beam as beam

            return beam.Create(range(count)) | beam.Map(
                _keyed_example, config=config, split=split
            )
        return _serial_examples(config, split, count)


def _tensor(shape, dtype, encoding: str, doc: str) -> tfds.features.Tensor:
    return tfds.features.Tensor(shape=shape, dtype=dtype, encoding=encoding, doc=doc)


def _serial_examples(config: BrainConfig, split: str, count: int) -> Iterator:
    for index in range(count):
        yield _keyed_example(index, config, split)


def _keyed_example(index: int, config: BrainConfig, split: str) -> tuple[int, dict]:
    # The products are small: one thread is faster than several, and Beam's workers do
    # not fight over the cores.
    with threadpool_limits(1, user_api="blas"):
        brain = config.draw(split, index)
    example = {
        "susceptibility": brain.susceptibility,
        "mask": brain.mask.astype(np.uint8),
        "white_matter": np.rint(255 * brain.white_matter).astype(np.uint8),
        "voxel_size": brain.voxel_size,
    }
    if config.kind == "head":
        example["segmentation"] = brain.segmentation
    return index, example
