"""What a matrix size costs the Fourier transforms, and what padding it changes.

    python -m benchmarks.sizes --sizes 97,127 --transforms 96,97,104,116,127,128,254,257

Transforms there and back, in CPU time of all cores, which other work on them changes
least. Then digital heads with an eighth of air on each side, by the network that ships:
as they are, and padded to a fast size; as `spinet-qsm reconstruct` does it.
"""

import time
import timeit

from absl import flags

from benchmarks.list_flags import expect_numbers, expect_words
from spinet_cli.arguments_scan import PRECISIONS
from spinet_cli.script import run_script

REPEATS = 3


def define_flags():
    flags.DEFINE_list("sizes", "97,127", "Edges of the heads.")
    expect_numbers("sizes", 8)
    flags.DEFINE_list("transforms", "96,97,104,116,127,128,254,257", "Edges.")
    expect_numbers("transforms", 1)
    flags.DEFINE_list("precision", "float32,bfloat16", "Of the CNN.")
    expect_words("precision", PRECISIONS)


def least_seconds(function, clock):
    """The least of some calls, after one that does not count."""
    function()
    return min(timeit.repeat(function, timer=clock, number=1, repeat=REPEATS))


def head_with_air(size):
    """Local field, mask, voxel size and B0 direction."""
    import numpy as np

    from spinet_tf.phantom import digital_head
    from spinet_tf.simulate import simulate_field

    air = size // 8
    head = digital_head((size - 2 * air,) * 3)
    chi, mask = np.pad(head.susceptibility, air), np.pad(head.mask, air)
    geometry = head.voxel_size, (0, 0, 1)
    return simulate_field(chi, mask, *geometry, noise=0.002), mask, *geometry


def print_transforms(edges):
    import tensorflow as tf

    from spinet_tf.fourier import FFT
    from spinet_tf.padding import largest_prime_factor

    print("| Edge | Largest prime factor | CPU, ns a voxel |\n| --- | --- | --- |")
    for edge in edges:
        volume = tf.random.normal((1, 1, edge, edge, edge))
        dft = FFT((edge,) * 3)

        def there_and_back(dft=dft, volume=volume):
            return dft.inverse(dft.forward(volume))

        seconds = least_seconds(there_and_back, time.process_time)
        factor = largest_prime_factor(edge)
        print(f"| {edge} | {factor} | {seconds / edge**3 * 1e9:.0f} |", flush=True)


def print_reconstructions(edges, precisions):
    import functools

    from benchmarks.agreement import relative_error
    from spinet_tf.model_files import load_model
    from spinet_tf.padding import PaddedGrid, reconstruct_padded
    from spinet_tf.pretrained import PRETRAINED
    from spinet_tf.reconstruct import Reconstructor

    print("\n| Edge | Padded | Precision | s | s, padded | Ratio | Difference |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for edge in edges:
        scan = head_with_air(edge)
        (padded_edge, _, _) = PaddedGrid((edge,) * 3, (1, 1, 1), fast=True).size
        for precision in precisions:
            solve = Reconstructor(load_model(PRETRAINED), precision)
            padded = functools.partial(reconstruct_padded, solve, 0, True, *scan)
            alone = functools.partial(solve, *scan)
            seconds = [least_seconds(run, time.monotonic) for run in (alone, padded)]
            difference = relative_error(padded().susceptibility, alone().susceptibility)
            ratio = seconds[1] / seconds[0]
            cells = [edge, padded_edge, precision]
            cells += [f"{value:.2f}" for value in (*seconds, ratio)]
            cells.append(f"{difference:.0e}")
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def main(options):
    print_transforms(map(int, options.transforms))
    print_reconstructions(map(int, options.sizes), options.precision)


if __name__ == "__main__":
    run_script(define_flags, main)
