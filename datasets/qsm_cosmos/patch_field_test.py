"""The field of a patch is that of its own map, and what the map leaves unexplained."""

import dataclasses

import numpy as np

from datasets.qsm_cosmos.patches import crop
from datasets.qsm_cosmos.qsm_cosmos_dataset_builder import CosmosConfig, examples
from datasets.qsm_cosmos.scan_folder import open_folder
from spinet_tf.simulate import simulate_field


def field_in_free_space(scan):
    """The map's field without copies of the head around it."""
    margin = [(2 * n, 2 * n) for n in scan.mask.shape]
    padded = (np.pad(x, margin) for x in (scan.susceptibility, scan.mask))
    field = simulate_field(*padded, scan.voxel_size, scan.b0_direction)
    return crop(field, [first for first, _ in margin], scan.mask.shape)


def test_the_field_of_a_patch_is_that_of_its_own_sources(folder):
    config = CosmosConfig(name="small", shape=(9, 8, 10), stride=(5, 4, 6))
    rng = np.random.default_rng(0)
    for scan in open_folder(folder, (1, 1, 1), (0, 0, 1)).scans("sub-01"):
        content = scan.read()
        errors = 1e-3 * content.mask * rng.standard_normal(content.mask.shape)
        field = field_in_free_space(content) + np.float32(errors)
        content = dataclasses.replace(content, local_field=field)
        for key, example in examples(scan.name, content, config):
            corner = tuple(int(first) for first in key.rsplit("_", 3)[1:])
            own = simulate_field(
                *(example["susceptibility"], example["mask"]),
                *(example["voxel_size"], example["b0_direction"]),
            )
            expected = own + crop(errors, corner, config.shape)
            np.testing.assert_allclose(example["local_field"], expected, atol=5e-4)
            measured = crop(content.local_field, corner, config.shape)
            assert np.abs(measured - example["local_field"]).max() > 5e-3


def test_the_field_of_a_volume_is_as_measured(folder):
    config = CosmosConfig(name="volumes", shape=None)
    (scan,) = open_folder(folder, (1, 1, 1), (0, 0, 1)).scans("sub-03")
    content = scan.read()
    content = dataclasses.replace(content, local_field=content.local_field * 3)
    ((_, example),) = examples(scan.name, content, config)
    np.testing.assert_array_equal(example["local_field"], content.local_field)
