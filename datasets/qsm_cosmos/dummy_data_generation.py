"""Makes the dummy data of the tests: small synthetic scans, never copies of real ones.

`python -m datasets.qsm_cosmos.dummy_data_generation` writes them anew.
"""

import json
from pathlib import Path
from typing import NamedTuple

import nibabel
import numpy as np
from nibabel.affines import voxel_sizes
from scipy import ndimage
from scipy.spatial.transform import Rotation

from spinet_tf.field_units import ppm_per_unit
from spinet_tf.simulate import simulate_field
from spinet_tf.volume import affine_b0_direction

FOLDER = Path(__file__).parent / "dummy_data"


class DummySubject(NamedTuple):
    """A subject with one map and one or more local fields.

    Attributes:
        name: for example "sub-01".
        session: for example "ses-1", or "".
        susceptibility: float32 `(x, y, z)` [ppm].
        mask: uint8 `(x, y, z)`.
        affine: float64 `(4, 4)`, of all its files.
        b0_directions: unit B0 direction in voxel axes, by the field's name.
        in_hertz: whether its NIfTI fields are in Hz at 3 T.
        in_sidecar: whether its NIfTI fields have their B0 direction in a sidecar.
    """

    name: str
    session: str
    susceptibility: np.ndarray
    mask: np.ndarray
    affine: np.ndarray
    b0_directions: dict[str, tuple[float, float, float]]
    in_hertz: bool
    in_sidecar: bool

    @property
    def voxel_size(self) -> tuple[float, float, float]:
        """Voxel edges [mm]."""
        return tuple(voxel_sizes(self.affine).tolist())

    def local_field(self, name: str) -> np.ndarray:
        """Float32 `(x, y, z)` [ppm], noise-free."""
        inside = self.susceptibility * self.mask
        return simulate_field(
            inside - self.mask * inside.sum() / self.mask.sum(),
            self.mask,
            self.voxel_size,
            self.b0_directions[name],
        )


def make_subjects() -> list[DummySubject]:
    """Three subjects: tilted heads on one map, an oblique scan in Hz, an axial one."""
    tilted = {
        "sub-01_run-1": (0.0, 0.0, 1.0),
        "sub-01_run-2": (0.0, 0.6, 0.8),
    }
    axial = np.diag([1.0, 1.2, 1.5, 1.0])
    oblique = np.eye(4)
    turn = Rotation.from_euler("xyz", (20, -10, 5), degrees=True).as_matrix()
    oblique[:3, :3] = turn * np.array([-1.0, 1.1, 2.0])
    oblique[:3, 3] = (9.0, -12.0, 3.0)
    direction = {"sub-02_ses-1": affine_b0_direction(oblique)}
    isotropic = np.diag([0.9, 0.9, 0.9, 1.0])
    upright = {"sub-03": (0.0, 0.0, 1.0)}
    return [
        DummySubject("sub-01", "", *_head(1, (18, 16, 15)), axial, tilted, False, True),
        DummySubject(
            *("sub-02", "ses-1", *_head(2, (16, 17, 14)), oblique, direction),
            in_hertz=True,
            in_sidecar=False,
        ),
        DummySubject(
            *("sub-03", "", *_head(3, (15, 16, 19)), isotropic, upright),
            in_hertz=False,
            in_sidecar=False,
        ),
    ]


def _head(seed: int, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Smooth random susceptibility around 0.01 ppm, and an ellipsoid mask."""
    rng = np.random.default_rng(seed)
    centre = (np.array(shape) - 1) / 2
    offset = np.moveaxis(np.indices(shape), 0, -1) - centre
    mask = np.linalg.norm(offset / (centre - 1), axis=-1) <= 1
    texture = ndimage.gaussian_filter(rng.standard_normal(shape), 1.0)
    susceptibility = 0.01 + 0.03 * texture / texture[mask].std()
    return susceptibility.astype(np.float32), mask.astype(np.uint8)


def write_nifti_layout(folder: Path, subjects: list[DummySubject]) -> None:
    """Writes subjects as NIfTI files.

    Args:
        folder: where the subjects' folders go.
        subjects: what to write.
    """
    for subject in subjects:
        anat = folder / subject.name / subject.session / "anat"
        anat.mkdir(parents=True, exist_ok=True)
        prefix = "_".join(filter(None, (subject.name, subject.session)))

        def save(data, name, subject=subject, anat=anat):
            image = nibabel.Nifti1Image(data, subject.affine)
            image.header.set_xyzt_units("mm")
            nibabel.save(image, anat / f"{name}.nii.gz")

        save(subject.susceptibility, f"{prefix}_desc-cosmos_Chimap")
        save(subject.mask, f"{prefix}_desc-brain_mask")
        for name, b0_direction in subject.b0_directions.items():
            sidecar = {"Units": "ppm"}
            field = subject.local_field(name)
            if subject.in_hertz:
                sidecar = {"Units": "Hz", "MagneticFieldStrength": 3.0}
                field = (field / ppm_per_unit("hz", b0=3.0)).astype(np.float32)
            if subject.in_sidecar:
                sidecar["B0Direction"] = b0_direction
            save(field, f"{name}_desc-local_fieldmap")
            path = anat / f"{name}_desc-local_fieldmap.json"
            path.write_text(json.dumps(sidecar) + "\n")


def mat_arrays(subject: DummySubject, name: str) -> dict[str, np.ndarray]:
    """What a MATLAB file of one local field holds.

    Args:
        subject: the subject.
        name: the field's name.

    Returns:
        Arrays by their names.
    """
    return {
        "phs": subject.local_field(name).astype(np.float64),
        "cos": subject.susceptibility.astype(np.float64),
        "msk": subject.mask.astype(np.float64),
        "voxel_size": np.array([subject.voxel_size]),
        "B0_dir": np.array([subject.b0_directions[name]]).T,
    }


if __name__ == "__main__":
    write_nifti_layout(FOLDER, make_subjects())
