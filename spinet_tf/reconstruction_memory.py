"""How much memory a reconstruction needs, and how much of it the CNN may take."""

import math

from spinet_tf.available_memory import check_fits_in_memory
from spinet_tf.tiles import FEATURE_MAPS, smallest_n_bytes

# Measured, in float32 volumes.
SOLVE_VOLUMES = {1: 42, 2: 60}  # by channels, of three unrolls, whose maps are kept
HELD_VOLUMES = 18  # while the CNN runs
USABLE = 0.8  # of the memory; the rest is for what is not counted


def value_bytes(precision):
    """Bytes of a value of a feature map; "float32" or "bfloat16"."""
    return 2 if precision == "bfloat16" else 4


def memory_needed(matrix_size, model, precision):
    """Estimate of the memory a reconstruction cannot do without.

    That is what the solve takes, or the CNN in the smallest tiles.

    Args:
        matrix_size: three integers.
        model: `SpiNetQSM`.
        precision: "float32" or "bfloat16".

    Returns:
        Bytes, an int.
    """
    volume = 4 * math.prod(matrix_size)
    tile = smallest_n_bytes(
        matrix_size, model.blocks, model.filters, value_bytes(precision)
    )
    solve = SOLVE_VOLUMES[model.channels] + max(model.unrolls - 3, 0)
    return max(solve * volume, HELD_VOLUMES * volume + tile)


def check_memory(matrix_size, model, precision, memory):
    """Refuse a volume that does not fit in memory.

    Args:
        matrix_size: three integers.
        model: `SpiNetQSM`.
        precision: "float32" or "bfloat16".
        memory: `Memory`, what may be taken.

    Raises:
        InputError: the volume does not fit; says how much it needs.
    """
    check_fits_in_memory(
        memory_needed(matrix_size, model, precision),
        f"field: reconstructing {format_size(matrix_size)} voxels in {precision}",
        memory,
    )


def feature_map_budget(matrix_size, memory):
    """Memory for the CNN's feature maps.

    Args:
        matrix_size: three integers.
        memory: see `check_memory`.

    Returns:
        Bytes, a float; not positive where there is none.
    """
    held = HELD_VOLUMES * 4 * math.prod(matrix_size)
    return USABLE * memory.left() - held


def whole_volume_fits(matrix_size, model, precision, memory):
    """Whether the CNN can run on the whole volume at once.

    Args:
        matrix_size: three integers.
        model: `SpiNetQSM`.
        precision: "float32" or "bfloat16".
        memory: see `check_memory`.

    Returns:
        bool.
    """
    values = FEATURE_MAPS * model.filters * math.prod(matrix_size)
    budget = feature_map_budget(matrix_size, memory)
    return values * value_bytes(precision) <= budget


def format_size(matrix_size):
    """A matrix size as it is printed."""
    return " x ".join(str(n) for n in matrix_size)
