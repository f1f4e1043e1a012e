"""What benchmarks reconstruct, and with which network."""

from pathlib import Path

PAPER = "paper"
NOISE = 0.002  # [ppm]


def read_scan(field_path, mask_path):
    """The field's `Volume`, and what a `Reconstructor` is called with."""
    from spinet_tf.nifti import read_mask, read_volume

    field = read_volume(field_path)
    mask = read_mask(mask_path).data
    return field, (field.data, mask, field.voxel_size, field.b0_direction)


def digital_scan(size, voxel_size=(1.0, 1.0, 1.0), b0_direction=(0, 0, 1)):
    """What a `Reconstructor` is called with, of a digital head of `size`^3 voxels."""
    from spinet_tf.phantom import digital_head
    from spinet_tf.simulate import simulate_field

    head = digital_head((size,) * 3, voxel_size)
    geometry = voxel_size, b0_direction
    field = simulate_field(head.susceptibility, head.mask, *geometry, noise=NOISE)
    return field, head.mask, *geometry


def simulate_scan(size, folder):
    """Write field and mask of a digital head of `size`^3 voxels; their paths."""
    import nibabel
    import numpy as np

    field, mask, *_ = digital_scan(size)
    paths = [str(Path(folder) / name) for name in ("field.nii.gz", "mask.nii.gz")]
    for path, data in zip(paths, (field, mask.astype(np.uint8)), strict=True):
        nibabel.save(nibabel.Nifti1Image(data, np.eye(4)), path)
    return paths


def load_network(name):
    """The model of a file, the one that ships, or one of the paper's size."""
    import keras

    from spinet_tf import SpiNetQSM
    from spinet_tf.model_files import load_model
    from spinet_tf.pretrained import PRETRAINED

    if name != PAPER:
        return load_model(name or PRETRAINED)
    keras.utils.set_random_seed(0)
    # The solver gets about as many iterations as it takes with a trained network; how
    # many random weights would ask for says nothing.
    return SpiNetQSM(initial_lambda=0.05, initial_p=1.5, max_iterations=6)
