"""What a bleed or a calcification does to a map.

    python -m benchmarks.strong_sources

A ball is put into the middle of the digital head. NRMSE and HFEN are in the mask;
"elsewhere" is the error two voxels and more away from the ball, relative to the
contrast there.
"""

import functools

import numpy as np
from absl import flags

from spinet_cli.path_flags import define_path
from spinet_cli.script import run_script

CENTRE = (48, 56, 44)
BALLS = (  # strength [ppm] and radius [voxels]
    *((0, 0), (-1, 5), (-1, 7), (-1, 9), (-2, 5), (-0.5, 9)),
    *((1, 4), (1, 9), (3, 5)),
)


def define_flags():
    define_path("model", None, "A .keras model; default: the shipped one.")
    flags.DEFINE_float("noise", 0.002, "Of the field [ppm].", 0.0)
    flags.DEFINE_enum("precision", "float32", ["float32", "bfloat16"], "Of the CNN.")


def with_ball(susceptibility, strength, radius):
    """A map with a ball in it, and which voxels are two and more away from it."""
    offset = np.indices(susceptibility.shape) - np.reshape(CENTRE, (3, 1, 1, 1))
    distance = np.linalg.norm(offset, axis=0)
    fraction = np.clip(radius - distance + 0.5, 0, 1) if radius else 0
    mixed = susceptibility + fraction * (strength - susceptibility)
    return mixed.astype(np.float32), distance >= radius + 2


def main(options):
    from benchmarks.scans import load_network
    from spinet_tf.classical import tkd
    from spinet_tf.metrics_challenge import challenge_metrics
    from spinet_tf.phantom import digital_head
    from spinet_tf.reconstruct import Reconstructor, reconstruct_classical
    from spinet_tf.simulate import simulate_field

    head, b0 = digital_head((96, 112, 80)), (0, 0, 1)
    mask = np.asarray(head.mask) > 0
    methods = {
        "network": Reconstructor(load_network(options.model), options.precision),
        "tkd": functools.partial(reconstruct_classical, tkd),
    }
    print("strength, radius    method    NRMSE [%]  HFEN [%]  elsewhere [%]")
    for strength, radius in BALLS:
        truth, away = with_ball(head.susceptibility, strength, radius)
        field = simulate_field(truth, mask, head.voxel_size, b0, options.noise)
        away &= mask
        for name, reconstruct in methods.items():
            chi = reconstruct(field, mask, head.voxel_size, b0).susceptibility
            metrics = challenge_metrics(chi, truth, mask)
            elsewhere = 100 * np.std((chi - truth)[away]) / np.std(truth[away])
            print(
                f"{strength:4g} ppm, {radius} voxels  {name:10}{metrics['nrmse']:9.1f}"
                f"{metrics['hfen']:10.1f}{elsewhere:15.1f}",
                flush=True,
            )


if __name__ == "__main__":
    run_script(define_flags, main)
