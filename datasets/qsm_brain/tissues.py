"""Grey matter, white matter and CSF of a view, and their susceptibility."""

import dataclasses

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from .deformation import View
from .random_fields import log_uniform, smooth_field
from .template import load_template


@dataclasses.dataclass(frozen=True)
class Tissues:
    """What the template shows in a view.

    Attributes:
        coordinates: float32 `(3, x, y, z)`, MNI coordinates [mm].
        brain: bool `(x, y, z)`.
        t1: float32 `(x, y, z)`, T1-weighted intensity 0..1.
        grey: float32 `(x, y, z)`, grey-matter fraction 0..1.
        white: float32 `(x, y, z)`, white-matter fraction 0..1.
        csf: float32 `(x, y, z)`, the rest of the brain, 0..1.
        white_depth: float32 `(x, y, z)`, the template's unsharpened white-matter
            fraction: a coordinate across the cortical ribbon.
    """

    coordinates: np.ndarray
    brain: np.ndarray
    t1: np.ndarray
    grey: np.ndarray
    white: np.ndarray
    csf: np.ndarray
    white_depth: np.ndarray


def draw_tissues(rng: np.random.Generator, view: View) -> Tissues:
    """Samples the template and sharpens its blurred tissue borders.

    The template is an average of 152 people; its borders are a few millimetres
    wide. A random gain sharpens them to about a voxel, and a random, smoothly varying
    threshold makes the cortex thicker here and thinner there.

    Args:
        rng: the source of randomness.
        view: where each voxel looks.

    Returns:
        The tissue fractions of the view.
    """
    template = load_template()
    coordinates = view.coordinates()
    brain = template.sample(template.brain, coordinates) > 0.5
    grey = template.sample(template.grey, coordinates)
    white = template.sample(template.white, coordinates)

    gain = log_uniform(rng, 1.0, 4.0) / min(view.scale, 1.0)
    knot = rng.uniform(4, 14) / view.scale
    threshold = 0.5 + rng.uniform(-0.1, 0.1)
    threshold = threshold + 0.08 * smooth_field(rng, view.shape, knot)
    sharp_white = np.clip(0.5 + gain * (white - threshold), 0, 1)
    csf_threshold = rng.uniform(0.5, 0.9)
    csf_threshold = csf_threshold + 0.05 * smooth_field(rng, view.shape, knot)
    tissue = np.clip(0.5 + gain * (grey + white - csf_threshold), 0, 1)
    sharp_white = np.minimum(sharp_white, tissue)
    return Tissues(
        coordinates=coordinates,
        brain=brain,
        t1=template.sample(template.t1, coordinates),
        grey=tissue - sharp_white,
        white=sharp_white,
        csf=1 - tissue,
        white_depth=np.clip(white + 0.1 * (threshold - 0.5), 0, 1),
    )


def tissue_susceptibility(
    rng: np.random.Generator, view: View, tissues: Tissues
) -> np.ndarray:
    """Susceptibility of grey matter, white matter and CSF with their texture.

    Args:
        rng: the source of randomness.
        view: where each voxel looks.
        tissues: the tissue fractions there.

    Returns:
        float32 `(x, y, z)`, susceptibility [ppm], not referenced and not masked.
    """
    grey, white = rng.uniform(0.0, 0.025), rng.uniform(-0.028, -0.002)
    csf = rng.uniform(-0.02, 0.025)
    susceptibility = grey * tissues.grey + white * tissues.white + csf * tissues.csf
    susceptibility += _lamination(rng, tissues)
    susceptibility += _texture(rng, view, tissues)
    susceptibility += _local_t1_contrast(rng, view, tissues)
    for _ in range(rng.integers(0, 3)):
        susceptibility += _borrowed_detail(rng, view)
    return susceptibility.astype(np.float32)


def _lamination(rng: np.random.Generator, tissues: Tissues) -> np.ndarray:
    """A random profile across the cortical ribbon, as iron and myelin give one."""
    depth = np.sort(np.r_[0, rng.uniform(0.05, 0.95, 4), 1])
    values = rng.normal(0.004, rng.uniform(0.002, 0.014), 6)
    values[[0, -1]] = 0
    return np.interp(tissues.white_depth, depth, values).astype(np.float32)


def _texture(rng: np.random.Generator, view: View, tissues: Tissues) -> np.ndarray:
    """Random fields of several scales, of different strength in each tissue."""
    total = np.zeros(view.shape, np.float32)
    for knot in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0):
        fine = knot < 3
        low, high = (0.0008, 0.005) if fine else (0.001, 0.008)
        weights = log_uniform(rng, low, high, 3)
        # Elongated knots look like fibres and layers.
        stretch = np.exp(rng.normal(0, 0.5, 3)) if rng.random() < 0.5 else np.ones(3)
        size = knot * stretch if fine else knot * stretch / view.scale
        field = smooth_field(rng, view.shape, tuple(size))
        total += field * (
            weights[0] * tissues.grey
            + weights[1] * tissues.white
            + 0.5 * weights[2] * tissues.csf
        )
    return total


def _local_t1_contrast(
    rng: np.random.Generator, view: View, tissues: Tissues
) -> np.ndarray:
    """What is brighter in T1 than its surroundings holds more myelin: darker here."""
    sigma = rng.uniform(1.5, 5.0) / view.scale
    detail = tissues.t1 - ndimage.gaussian_filter(tissues.t1, sigma, truncate=2.5)
    return rng.normal(-0.06, 0.06) * np.clip(detail, -0.2, 0.2)


def _borrowed_detail(rng: np.random.Generator, view: View) -> np.ndarray:
    """Folded structure from elsewhere in the template, as faint texture."""
    template = load_template()
    rotation = Rotation.random(random_state=rng).as_matrix()
    voxel_size = log_uniform(rng, 0.5, 1.5)
    shift = rng.choice(template.brain_points) - view.centre
    turn = View(
        view.shape,
        np.full(3, voxel_size),
        rotation * voxel_size,
        view.centre + shift,
        view.displacement,
    )
    detail = template.sample(template.grey, turn.coordinates())
    detail -= detail.mean()
    return rng.choice((-1, 1)) * log_uniform(rng, 0.003, 0.02) * detail
