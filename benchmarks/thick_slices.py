"""What thick slices cost a map, and what interpolating them gives back.

    python -m benchmarks.thick_slices

A field is seen through slices of several of its own, as a scanner of that resolution
sees it: the lowest frequencies along the last axis. Maps of the digital head are
compared with its truth, those of a scan (--field, --mask) with the same network's map
of the scan as it is: that tells what gets lost, not what is right. "kept" is
`spinet-qsm reconstruct --keep-slices`. TKD and Tikhonov are tuned on each field itself.
"""

import functools

import numpy as np
from absl import flags

from benchmarks.list_flags import expect_numbers
from spinet_cli.path_flags import define_path
from spinet_cli.script import run_script


def define_flags():
    define_path("model", None, "A .keras model; default: the shipped one.")
    define_path("field", None, "Local field [ppm], NIfTI, B0 as in its affine.")
    define_path("mask", None, "Brain mask that goes with --field, NIfTI.")
    flags.DEFINE_list("parts", "2,3,4", "Slices to make one of.")
    expect_numbers("parts", 1)
    flags.DEFINE_float("noise", 0.002, "Of the digital head's thick slices [ppm].", 0.0)
    flags.DEFINE_enum("precision", "float32", ["float32", "bfloat16"], "Of the CNN.")


def seen_through_slices(volume, parts):
    """A volume `(x, y, z)` on a grid of slices of so many of its own."""
    n = volume.shape[-1]
    frequencies = np.arange(n // parts // 2 + 1)
    to_middle = np.exp(1j * np.pi * frequencies * (parts - 1) / n)
    spectrum = np.fft.rfft(volume)[..., frequencies] * to_middle
    return np.fft.irfft(spectrum, n // parts) / parts


def thick_scan(scan, truth, parts, noise):
    """The `Scan` of thick slices, and what its map is to be compared with."""
    from spinet_tf.comparison import Scan
    from spinet_tf.thick_slices import ThinGrid

    field, mask, voxel_size, b0_direction = scan
    whole = slice(field.shape[-1] // parts * parts)
    field, mask, truth = (v[..., whole] for v in (field, np.asarray(mask) > 0, truth))
    grid = ThinGrid((1, 1, parts))
    thick = seen_through_slices(field.astype(np.float64), parts)
    thick += np.random.default_rng(0).normal(0, noise, thick.shape)
    inside = grid.average(mask.astype(float)) > 0.5
    edges = (*voxel_size[:2], voxel_size[2] * parts)
    inputs = ((thick * inside).astype(np.float32), inside, edges, b0_direction)
    return Scan(inputs, (seen_through_slices(truth, parts) * inside).astype(np.float32))


def main(options):
    from benchmarks.scans import load_network, read_scan
    from spinet_tf.comparison import compare, format_comparison, tuned_classical_methods
    from spinet_tf.errors import InputError
    from spinet_tf.phantom import digital_head
    from spinet_tf.reconstruct import Reconstructor
    from spinet_tf.simulate import simulate_field
    from spinet_tf.thick_slices import reconstruct_thin

    if (options.field is None) != (options.mask is None):
        raise InputError("--field and --mask go together")
    network = Reconstructor(load_network(options.model), options.precision)
    if options.field:
        scan, noise = read_scan(options.field, options.mask)[1], 0.0
        truth = network(*scan).susceptibility
    else:
        head, b0 = digital_head((96, 112, 84)), (0, 0, 1)
        noise, truth = options.noise, head.susceptibility
        # Sources end at the mask, their field does not.
        field = simulate_field(truth, head.mask | True, head.voxel_size, b0)
        scan = field, head.mask, head.voxel_size, b0
    methods = {
        "kept": network,
        "interpolated": functools.partial(reconstruct_thin, network),
    }
    for parts in map(int, options.parts):
        thick = thick_scan(scan, truth, parts, noise)
        edges = " x ".join(f"{edge:.3g}" for edge in thick.inputs[2])
        table = compare(tuned_classical_methods([thick]) | methods, [thick])
        print(f"\n{edges} mm")
        print(format_comparison(table, "interpolated"), flush=True)


if __name__ == "__main__":
    run_script(define_flags, main)
