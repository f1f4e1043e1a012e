"""Shows synthetic brains: a picture and the numbers to compare with a real map.

Example: python -m datasets.qsm_brain.montage --output montage.png
"""

import argparse
import time

import numpy as np

from datasets.qsm_brain.brain import Brain, random_head, random_patch


def _slices(brain: Brain, kind: str) -> list[np.ndarray]:
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


def main() -> None:
    """Prints the statistics and writes the montage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default="montage.png", help="PNG to write")
    parser.add_argument("--kind", choices=("patch", "head"), default="patch")
    parser.add_argument("--size", type=int, default=64, help="voxels along each axis")
    parser.add_argument("--count", type=int, default=24, help="examples to draw")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    draw = {"patch": random_patch, "head": random_head}[arguments.kind]
    tiles, rows = [], []
    print("example  seconds  mask  std [ppm]  percentiles 1 5 50 95 99 99.9 [ppm]")
    for index in range(arguments.count):
        start = time.perf_counter()
        brain = draw(
            np.random.default_rng([arguments.seed, index]), (arguments.size,) * 3
        )
        seconds = time.perf_counter() - start
        inside = brain.susceptibility[brain.mask]
        percentiles = np.percentile(inside, (1, 5, 50, 95, 99, 99.9))
        rows.append((seconds, brain.mask.mean(), inside.std(), *percentiles))
        print(index, *(f"{number:8.3f}" for number in rows[-1]))
        tiles += _slices(brain, arguments.kind)
    print("mean", *(f"{number:8.3f}" for number in np.mean(rows, axis=0)))
    spread = np.percentile(np.array(rows)[:, 2], (5, 50, 95))
    print("std 5%, 50%, 95% [ppm]:", *(f"{number:.3f}" for number in spread))

    columns = 6 if arguments.kind == "patch" else 4
    lines = -(-len(tiles) // columns)
    figure, axes = plt.subplots(
        lines, columns, figsize=(3 * columns, 3 * lines), squeeze=False
    )
    for axis in axes.flat:
        axis.axis("off")
    for axis, tile in zip(axes.flat, tiles, strict=False):
        axis.imshow(tile, cmap="gray", vmin=-0.1, vmax=0.1, origin="lower")
    figure.tight_layout(pad=0.2)
    figure.savefig(arguments.output, dpi=70)


if __name__ == "__main__":
    main()
