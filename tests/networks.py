"""Small networks, and scans for them."""

import keras
import numpy as np

from spinet_tf import SpiNetQSM
from tests.grids import geometry

SMALL = {"filters": 4, "blocks": 1, "unrolls": 2}
VARIANTS = {
    "paper": {},
    "release": {"channels": 2, "residual": False, "dc_value": 1 / 3},
    "steps": {"mm_steps": 2, "initial_p": 1.4},
    "fill": {"mm_steps": 2, "initial_p": 1.4, "fill_outside": True},
    "shipped": {
        "mm_steps": 2,
        "initial_p": 1.6,
        "fill_outside": True,
        "adaptive_penalty": True,
    },
}


def scan(grid="mixed", dtype=np.float32, seed=0):
    """A batch of two fields with different geometries and masks."""
    rng = np.random.default_rng(seed)
    size, voxel_sizes, b0 = geometry(grid, dtype)
    mask = np.zeros((2, *size, 1), dtype)
    mask[0, 1:-1, 1:, :-1] = 1
    mask[1, :, 1:-1, 1:-1] = 1
    field = (0.02 * mask * rng.standard_normal(mask.shape)).astype(dtype)
    return {
        "local_field": field,
        "mask": mask,
        "voxel_size": voxel_sizes,
        "b0_direction": b0,
    }


def small_model(seed=0, **options):
    keras.utils.set_random_seed(seed)
    return SpiNetQSM(**{**SMALL, **options})


def perturbed_model(**options):
    """A small model whose weights are all in use: biases and statistics not zero."""
    model = small_model(**options)
    rng = np.random.default_rng(0)
    for block in model.denoiser.residual_blocks:
        for norm in (block.norm_1, block.norm_2):
            norm.beta.assign(0.1 * rng.standard_normal(norm.beta.shape))
            norm.moving_mean.assign(0.1 * rng.standard_normal(norm.beta.shape))
            norm.moving_variance.assign(1 + rng.random(norm.beta.shape))
    exit_kernel = model.denoiser.exit.kernel
    exit_kernel.assign(exit_kernel + 0.2)
    return model
