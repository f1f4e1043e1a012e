"""qsm_shapes: susceptibility maps of spheres, ellipsoids and cuboids."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow_datasets as tfds

from .shapes import random_shapes

_SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(eq=False)
class ShapesConfig(tfds.core.BuilderConfig):
    """How large and how many.

    Attributes:
        shape: matrix size.
        examples: number of examples of each split ("train", "validation", "test").
        seed: with the split and the index it determines an example.
    """

    shape: tuple[int, int, int] = (64, 64, 64)
    examples: dict[str, int] = dataclasses.field(default_factory=dict)
    seed: int = 0


def _config(size: int, train: int, validation: int, test: int) -> ShapesConfig:
    return ShapesConfig(
        name=f"shapes_{size}",
        description=f"{size}^3 patches.",
        shape=(size,) * 3,
        examples={"train": train, "validation": validation, "test": test},
    )


class Builder(tfds.core.GeneratorBasedBuilder):
    """Geometric sources; see README.md. The features are those of qsm_brain."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    BUILDER_CONFIGS = [
        _config(64, 1000, 50, 50),
        _config(48, 1000, 50, 50),
        _config(32, 1000, 50, 50),
        _config(24, 8, 4, 4),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        shape = tuple(self.builder_config.shape)
        features = {
            "susceptibility": _tensor(shape, np.float32, "bytes", "ppm"),
            "mask": _tensor(shape, np.uint8, "zlib", "1 everywhere"),
            "white_matter": _tensor(shape, np.uint8, "zlib", "0 everywhere"),
            "voxel_size": _tensor((3,), np.float32, "none", "mm, always 1"),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features)
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        return {
            split: self._generate_examples(split)
            for split in self.builder_config.examples
        }

    def _generate_examples(self, split: str):
        config = self.builder_config
        shape = tuple(config.shape)
        for index in range(config.examples[split]):
            rng = np.random.default_rng([config.seed, _SPLITS.index(split), index])
            yield (
                index,
                {
                    "susceptibility": random_shapes(rng, shape),
                    "mask": np.ones(shape, np.uint8),
                    "white_matter": np.zeros(shape, np.uint8),
                    "voxel_size": np.ones(3, np.float32),
                },
            )


def _tensor(shape, dtype, encoding: str, doc: str) -> tfds.features.Tensor:
    return tfds.features.Tensor(shape=shape, dtype=dtype, encoding=encoding, doc=doc)
