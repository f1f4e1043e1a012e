"""Starts a wide network from a trained narrow one, without changing its answer."""

import numpy as np


def widened_weights(trained, initial):
    """Weights of a wide network that computes what the trained narrow one does.

    A trained kernel takes its place among the first channels. The other channels keep
    their initial kernels, and what they say to the first ones is zero: nothing
    changes at first, but they are trained from the first step on.

    Args:
        trained: list of arrays, weights of the narrow network.
        initial: list of arrays, weights of the wide network as it was made.

    Returns:
        list of arrays like `initial`.

    Raises:
        ValueError: the networks differ in more than the number of filters.

    Reference:
        Chen, Goodfellow and Shlens, ICLR 2016, arXiv 1511.05641.
    """
    if len(trained) != len(initial):
        raise ValueError("the networks have different layers")
    return [_widened(*pair) for pair in zip(trained, initial, strict=True)]


def _widened(narrow, wide):
    if narrow.ndim != wide.ndim or narrow.shape[:-2] != wide.shape[:-2]:
        raise ValueError("the networks have kernels of different sizes")
    result = np.array(wide)
    if any(n > w for n, w in zip(narrow.shape, wide.shape, strict=True)):
        raise ValueError("the trained network has more filters or channels")
    first = tuple(slice(n) for n in narrow.shape[-2:])
    if len(first) == 2:
        result[..., first[1]] = 0
    result[(..., *first)] = narrow
    return result
