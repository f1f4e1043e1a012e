"""qsm_cosmos: measured local fields and COSMOS maps from a folder the user names."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from spinet_tf.errors import OutOfMemory

from .patch_field import PatchField
from .patches import crop, patch_corners
from .scan import Scan, without_mean
from .scan_folder import checked_scans, open_folder
from .subject_splits import split_by_fractions, split_by_lists


@dataclasses.dataclass(eq=False)
class CosmosConfig(tfds.core.BuilderConfig):
    """Patches or whole volumes, and which subjects are in which split.

    Attributes:
        shape: matrix size of patches; None for whole volumes.
        stride: largest distance of neighbouring patches along each axis [voxels].
        least_mask: patches are kept in which the mask fills more than this share.
        fractions: share of the subjects, sorted by name, in each split.
        subjects: names of the subjects in each split, in place of `fractions`;
            subjects not listed are left out.
        mat_voxel_size: mm, of .mat files without `voxel_size`.
        mat_b0_direction: in voxel axes, of .mat files without `B0_dir`.
    """

    shape: tuple[int, int, int] | None = (64, 64, 64)
    stride: tuple[int, int, int] = (32, 32, 32)
    least_mask: float = 0.25
    fractions: dict[str, float] = dataclasses.field(
        default_factory=lambda: {"train": 0.8, "validation": 0.1, "test": 0.1}
    )
    subjects: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    mat_voxel_size: tuple[float, float, float] = (1.0, 1.0, 1.0)
    mat_b0_direction: tuple[float, float, float] = (0.0, 0.0, 1.0)

    def split(self, subjects: list[str]) -> dict[str, list[str]]:
        """Deals subjects out to the splits.

        Args:
            subjects: names, sorted.

        Returns:
            The subjects of each split.
        """
        if self.subjects:
            return split_by_lists(subjects, self.subjects)
        return split_by_fractions(subjects, self.fractions)

    def corners(self, scan: Scan) -> list[tuple[int, int, int]]:
        """First voxels of the patches of a scan, or of the volume as a whole."""
        if self.shape is None:
            return [(0, 0, 0)]
        return patch_corners(scan.mask, self.shape, self.stride, self.least_mask)


def _patches(size: int, stride: int) -> CosmosConfig:
    return CosmosConfig(
        name=f"patches_{size}",
        description=f"{size}^3 patches, up to {stride} voxels apart.",
        shape=(size,) * 3,
        stride=(stride,) * 3,
    )


class Builder(tfds.core.GeneratorBasedBuilder):
    """COSMOS maps with the measured fields; see README.md."""

    VERSION = tfds.core.Version("1.2.0")
    RELEASE_NOTES = {
        "1.2.0": "The mean of a patch's map in its mask is subtracted.",
        "1.1.0": "A patch's field is without that of sources outside the patch.",
        "1.0.0": "First release.",
    }
    BUILDER_CONFIGS = [
        _patches(64, 32),
        _patches(48, 24),
        CosmosConfig(name="volumes", description="Whole volumes.", shape=None),
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Nothing is downloaded: name the folder of your scans as manual_dir. It holds,"
        " for each subject, either sub-<label>/[ses-<label>/]anat/ with"
        " *_desc-local_fieldmap.nii.gz, *_desc-cosmos_Chimap.nii.gz and"
        " *_desc-brain_mask.nii.gz, or sub-<label>_<orientation>.mat with phs, cos and"
        " msk; see datasets/qsm_cosmos/README.md."
    )

    def _info(self) -> tfds.core.DatasetInfo:
        shape = self.builder_config.shape or (None, None, None)
        features = {
            "susceptibility": _tensor(shape, np.float32, "bytes", "ppm"),
            "local_field": _tensor(shape, np.float32, "bytes", "ppm"),
            "mask": _tensor(shape, np.uint8, "zlib", "1 in the brain"),
            "white_matter": _tensor(shape, np.uint8, "zlib", "0 everywhere"),
            "voxel_size": _tensor((3,), np.float32, "none", "mm"),
            "b0_direction": _tensor((3,), np.float32, "none", "in voxel axes"),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features)
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        config = self.builder_config
        folder = open_folder(
            Path(dl_manager.manual_dir), config.mat_voxel_size, config.mat_b0_direction
        )
        splits = config.split(folder.subjects())
        scans = checked_scans(folder, splits, config.corners)
        return {split: self._generate_examples(scans[split]) for split in splits}

    def _generate_examples(self, scans):
        for scan in scans:
            try:
                yield from examples(scan.name, scan.read(), self.builder_config)
            except OutOfMemory as error:
                raise OutOfMemory(f"{scan.name}: {error}") from error


def examples(name: str, scan: Scan, config: CosmosConfig) -> Iterator:
    """Cuts a scan into examples.

    Args:
        name: the scan's name, unique.
        scan: what it holds.
        config: patches or the whole volume.

    Yields:
        Key and features of each example.
    """
    shape = config.shape or scan.mask.shape
    field_of = PatchField(scan)
    for corner in config.corners(scan):
        inside = crop(scan.mask, corner, shape)
        chi = without_mean(crop(scan.susceptibility, corner, shape), inside)
        mask = inside.astype(np.uint8)
        yield (
            "_".join(map(str, (name, *corner))),
            {
                "susceptibility": chi,
                "local_field": field_of(corner, chi),
                "mask": mask,
                "white_matter": np.zeros_like(mask),
                "voxel_size": scan.voxel_size,
                "b0_direction": scan.b0_direction,
            },
        )


def _tensor(shape, dtype, encoding: str, doc: str) -> tfds.features.Tensor:
    return tfds.features.Tensor(shape=shape, dtype=dtype, encoding=encoding, doc=doc)
