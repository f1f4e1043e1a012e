"""The demo: a simulated head, inverted by every method there is.

The field is simulated with the kernel it is inverted with, and white noise: the
comparison shows what each method does to noise and to the cone where the kernel
vanishes, not how it fares with a scan's other imperfections.
"""

import functools
import os
from pathlib import Path

from spinet_tf.atomic_write import write_json
from spinet_tf.classical import tikhonov, tkd
from spinet_tf.errors import InputError
from spinet_tf.evaluate import evaluate, format_table
from spinet_tf.figures import three_planes
from spinet_tf.model_files import load_model
from spinet_tf.phantom import digital_head
from spinet_tf.pretrained import PRETRAINED
from spinet_tf.reconstruct import Reconstructor, reconstruct_classical
from spinet_tf.reconstruction_memory import format_size
from spinet_tf.release import convert_release
from spinet_tf.simulate import simulate_field

MATRIX_SIZE = (96, 112, 80)
B0_DIRECTION = (0, 0, 1)
NOISE = 0.002  # [ppm]


def load_release():
    """The authors' network, from the folder of reference files.

    Returns:
        `SpiNetQSM`.

    Raises:
        InputError: the files are not there, or PyTorch to read them is not.
    """
    folder = Path(os.environ.get("SPINET_REFERENCE_DIR", "../shared/reference"))
    return convert_release(folder / "model_weights.pth", folder / "tr-stats.mat")


def choose_methods():
    """The methods to compare.

    Returns:
        dict of name to callable, from local field [ppm], mask, voxel size [mm] and B0
        direction to a `spinet_tf.reconstruction.Reconstruction`.
    """
    methods = {
        "TKD": functools.partial(reconstruct_classical, tkd),
        "Tikhonov": functools.partial(reconstruct_classical, tikhonov),
        "SpiNet-QSM": Reconstructor(load_model(PRETRAINED)),
    }
    try:
        methods["release"] = Reconstructor(load_release())
    except InputError as error:
        print(f"Without the authors' network: {error}")
    return methods


def run(folder="demo", matrix_size=MATRIX_SIZE):
    """Simulate, reconstruct and compare.

    Prints the metrics and writes `reconstruction.png` and `metrics.json`.

    Args:
        folder: where to write; made if it is missing. Defaults to "demo".
        matrix_size: three integers. Defaults to a coarse head.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    head = digital_head(matrix_size)
    geometry = (head.voxel_size, B0_DIRECTION)
    field = simulate_field(head.susceptibility, head.mask, *geometry, NOISE)
    size = format_size(matrix_size)
    print(f"A digital head of {size} voxels, field noise {NOISE:g} ppm")

    rows, results = {"truth": head.susceptibility}, {}
    for name, reconstruct in choose_methods().items():
        reconstruction = reconstruct(field, head.mask, *geometry)
        print(f"{name:<12}{reconstruction.seconds:6.1f} s")
        rows[name] = reconstruction.susceptibility
        results[name] = evaluate(
            rows[name], head.susceptibility, head.mask, head.segmentation
        )
    print(f"\n{format_table(results)}\n")
    write_json(folder / "metrics.json", results)
    picture = folder / "reconstruction.png"
    three_planes(picture, rows, head.mask, head.voxel_size)
    print(f"The picture is {picture}, the numbers are in {folder / 'metrics.json'}")


if __name__ == "__main__":
    run()
