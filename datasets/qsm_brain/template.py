"""The MNI152 template that the nilearn package carries: real anatomy, no download."""

import dataclasses
import functools

import numpy as np
from scipy import ndimage


@dataclasses.dataclass(frozen=True)
class Template:
    """MNI152 (ICBM 2009a nonlinear symmetric) at 1 mm.

    Attributes:
        t1: float32 `(197, 233, 189)`, T1-weighted intensity, 0..1, 0 off the brain.
        grey: float32, same shape, grey-matter fraction 0..1.
        white: float32, same shape, white-matter fraction 0..1.
        brain: float32, same shape, 1 in the brain (ventricles included), else 0.
        origin: float64 `(3,)`, voxel index of the MNI coordinate (0, 0, 0) mm.
    """

    t1: np.ndarray
    grey: np.ndarray
    white: np.ndarray
    brain: np.ndarray
    origin: np.ndarray

    def sample(self, image: np.ndarray, coordinates: np.ndarray) -> np.ndarray:
        """Interpolates one of the template's images linearly.

        Args:
            image: one of the arrays above.
            coordinates: `(3, ...)`, MNI coordinates [mm].

        Returns:
            float32 `(...)`; 0 outside the template.
        """
        origin = self.origin.reshape((3,) + (1,) * (coordinates.ndim - 1))
        index = coordinates + origin.astype(coordinates.dtype)
        return ndimage.map_coordinates(image, index, output=np.float32, order=1)

    @functools.cached_property
    def brain_points(self) -> np.ndarray:
        """float32 `(n, 3)`: the MNI coordinates [mm] of all brain voxels."""
        return (np.argwhere(self.brain > 0) - self.origin).astype(np.float32)


@functools.lru_cache(maxsize=1)
def load_template() -> Template:
    """Reads the template from the installed nilearn package (once a process)."""
    # Imported here: nilearn takes seconds to import and only generation needs it.
    from nilearn import datasets as nilearn_datasets

    t1 = nilearn_datasets.load_mni152_template(resolution=1)
    grey = nilearn_datasets.load_mni152_gm_template(resolution=1)
    white = nilearn_datasets.load_mni152_wm_template(resolution=1)
    t1_data = t1.get_fdata(dtype=np.float32)
    brain = ndimage.binary_fill_holes(t1_data > 0.05)
    return Template(
        t1=t1_data,
        grey=grey.get_fdata(dtype=np.float32),
        white=white.get_fdata(dtype=np.float32),
        brain=brain.astype(np.float32),
        origin=-t1.affine[:3, 3],
    )
