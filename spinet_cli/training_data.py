"""What a training begins from and sees, in words: what goes on from it must match."""

import zlib

from datasets.loading import scans_of


def describe_initial(network):
    """What the weights to begin with are, in words."""
    checksum = 0
    for weight in network.get_weights():
        checksum = zlib.crc32(weight.tobytes(), checksum)
    return f"weights of checksum {checksum:08x}"


def describe_data(options):
    """What the network is trained and judged on, in words."""
    return (
        f"{options.train_fraction:g} of {options.dataset} with voxels from"
        f" {options.least_voxel_size:g} mm on, and {options.validation_examples} of"
        f" {options.validation}"
    )


def describe_scans(options):
    """What scans the data sets are of that the network is trained and judged on."""
    names = (options.dataset, options.validation)
    return " ".join(scans_of(name, options.data_dir) for name in names).strip()
