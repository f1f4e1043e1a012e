"""Shows synthetic brains: a picture and the numbers to compare with a real map.

python -m datasets.qsm_brain.montage --output=montage.png --count=12
"""

import time

import numpy as np
from absl import flags

from datasets.qsm_brain.brain import Brain, random_head, random_patch
from spinet_cli.path_flags import define_path
from spinet_cli.script import run_script

DRAW = {"patch": random_patch, "head": random_head}
COLUMNS = {"patch": 6, "head": 4}
LEAST_SIZE = 16
"""Voxels along each axis; of smaller heads no voxel is in the mask."""


def define_flags():
    """Define the script's flags."""
    define_path("output", "montage.png", "PNG to write.")
    flags.DEFINE_enum("kind", "patch", list(DRAW), "What to draw.")
    flags.DEFINE_integer("size", 64, "Voxels along each axis.", LEAST_SIZE)
    flags.DEFINE_integer("count", 24, "Examples to draw.", 1)
    flags.DEFINE_integer("seed", 0, "Of the examples.", 0)


def slices_of(brain: Brain, kind: str) -> list[np.ndarray]:
    """The slices to show of a patch, or of a head."""
    volume = brain.susceptibility
    middle = [n // 2 for n in volume.shape]
    if kind == "patch":
        return [volume[:, :, middle[2]].T]
    offset = volume.shape[0] // 12
    return [
        volume[:, :, middle[2]].T,
        volume[:, :, middle[2] - offset // 2].T,
        volume[:, middle[1], :].T,
        volume[middle[0] - offset // 4, :, :].T,
    ]


def draw_and_print(options) -> list[np.ndarray]:
    """Draw the examples and print a line for each; the slices of all."""
    tiles, rows = [], []
    print("example  seconds  mask  std [ppm]  percentiles 1 5 50 95 99 99.9 [ppm]")
    for index in range(options.count):
        start = time.perf_counter()
        rng = np.random.default_rng([options.seed, index])
        brain = DRAW[options.kind](rng, (options.size,) * 3)
        seconds = time.perf_counter() - start
        inside = brain.susceptibility[brain.mask]
        percentiles = np.percentile(inside, (1, 5, 50, 95, 99, 99.9))
        rows.append((seconds, brain.mask.mean(), inside.std(), *percentiles))
        print(index, *(f"{number:8.3f}" for number in rows[-1]), flush=True)
        tiles += slices_of(brain, options.kind)
    print("mean", *(f"{number:8.3f}" for number in np.mean(rows, axis=0)))
    spread = np.percentile(np.array(rows)[:, 2], (5, 50, 95))
    print("std 5%, 50%, 95% [ppm]:", *(f"{number:.3f}" for number in spread))
    return tiles


def write_montage(tiles, columns, path):
    """Write the slices as one PNG, in the window of -0.1 to 0.1 ppm."""
    from matplotlib.figure import Figure

    from spinet_tf.atomic_write import atomic_path

    lines = -(-len(tiles) // columns)
    figure = Figure(figsize=(3 * columns, 3 * lines))
    axes = figure.subplots(lines, columns, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, tile in zip(axes.flat, tiles, strict=False):
        axis.imshow(tile, cmap="gray", vmin=-0.1, vmax=0.1, origin="lower")
    figure.tight_layout(pad=0.2)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=70, format="png")


def main(options):
    """Print the statistics and write the montage."""
    from spinet_tf.atomic_write import check_writable

    check_writable(options.output)
    tiles = draw_and_print(options)
    write_montage(tiles, COLUMNS[options.kind], options.output)
    print(f"The picture is {options.output}")


if __name__ == "__main__":
    run_script(define_flags, main)
