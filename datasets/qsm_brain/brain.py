"""A synthetic brain: tissues, tracts, nuclei, vessels, lesions and a mask."""

import dataclasses

import numpy as np

from .brain_mask import random_mask
from .deformation import View, random_head_view, random_patch_view
from .lesions import add_lesions
from .nuclei import add_nuclei
from .tissues import draw_tissues, tissue_susceptibility
from .tracts import tract_susceptibility
from .vessels import draw_vessels

VESSEL_LABEL, LESION_LABEL = 20, 21


@dataclasses.dataclass(frozen=True)
class Brain:
    """One example.

    Attributes:
        susceptibility: float32 `(x, y, z)`, ppm, zero mean in the mask, 0 outside.
        mask: bool `(x, y, z)`.
        white_matter: float32 `(x, y, z)`, fraction 0..1, 0 outside the mask.
        segmentation: uint8 `(x, y, z)`: 0 outside the mask, 1 CSF, 2 grey matter, 3
            white matter, 4..16 nuclei, 20 vessels, 21 lesions.
        voxel_size: float32 `(3,)`, mm of anatomy a voxel spans.
    """

    susceptibility: np.ndarray
    mask: np.ndarray
    white_matter: np.ndarray
    segmentation: np.ndarray
    voxel_size: np.ndarray


def random_patch(rng: np.random.Generator, shape: tuple[int, int, int]) -> Brain:
    """A patch of a random brain.

    Args:
        rng: the source of all randomness: the same state, the same patch.
        shape: matrix size.
    """
    while True:
        brain = _compose(rng, random_patch_view(rng, shape), lesions_often=1.0)
        # Erosion can leave little of a patch at the brain's edge.
        if brain.mask.mean() > 0.25:
            return brain


def random_head(rng: np.random.Generator, shape: tuple[int, int, int]) -> Brain:
    """A whole random brain.

    Args:
        rng: the source of all randomness: the same state, the same head.
        shape: matrix size.
    """
    return _compose(rng, random_head_view(rng, shape), lesions_often=2.0)


def _compose(rng: np.random.Generator, view: View, lesions_often: float) -> Brain:
    tissues = draw_tissues(rng, view)
    susceptibility = tissue_susceptibility(rng, view, tissues)
    susceptibility += tract_susceptibility(rng, tissues.coordinates, tissues.white)
    fractions = np.stack([tissues.csf, tissues.grey, tissues.white])
    segmentation = (1 + fractions.argmax(0)).astype(np.uint8)
    nuclei = add_nuclei(rng, view, tissues.coordinates, susceptibility, segmentation)
    blood, blood_susceptibility = draw_vessels(rng, view, tissues)
    susceptibility += blood * (blood_susceptibility - susceptibility)
    segmentation[blood > 0.5] = VESSEL_LABEL
    lesions = add_lesions(rng, view, tissues.brain, susceptibility, lesions_often)
    segmentation[lesions > 0.5] = LESION_LABEL

    mask = random_mask(rng, view, tissues.brain)
    white = tissues.white * (1 - nuclei) * (1 - blood) * (1 - lesions)
    susceptibility = (susceptibility - susceptibility[mask].mean()) * mask
    return Brain(
        susceptibility=susceptibility.astype(np.float32),
        mask=mask,
        white_matter=np.where(mask, white, 0).astype(np.float32),
        segmentation=np.where(mask, segmentation, 0).astype(np.uint8),
        voxel_size=view.voxel_size.astype(np.float32),
    )
