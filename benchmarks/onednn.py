"""Where a reconstruction's time goes, by oneDNN's own log.

    python -m benchmarks.onednn --size 96 --precision float32

Convolutions by what is fused into them, and reorders, which change the layout of a
tensor, by whether they are of weights or of feature maps. What is not oneDNN's is the
physics, and what the CNN does between convolutions.
"""

import math
import os
import re
import subprocess
import sys
from collections import defaultdict
from typing import NamedTuple

from absl import flags

from benchmarks.list_flags import expect_words
from spinet_cli.arguments_scan import PRECISIONS
from spinet_cli.path_flags import define_path
from spinet_cli.script import run_script

START, END = "reconstruction begins", "reconstruction took"
CHILD = """
from benchmarks.onednn import reconstruct_logged
reconstruct_logged({model!r}, {size}, {precision!r}, {whole_volume})
"""


class Primitive(NamedTuple):
    """A line of the log.

    Attributes:
        kind: "convolution", "reorder" or another of oneDNN's names.
        has_bias: bool.
        post_ops: what is fused, such as "sum+eltwise_relu"; empty for nothing.
        elements: of the result.
        milliseconds: float.
    """

    kind: str
    has_bias: bool
    post_ops: str
    elements: int
    milliseconds: float


def parse_log(text):
    """The `Primitive`s of a log."""
    lines = re.findall(r"^onednn_verbose,v1,primitive,exec,.+$", text, re.MULTILINE)
    return [parse_line(line) for line in lines]


def parse_line(line):
    """The `Primitive` of a line of oneDNN's log."""
    *_, kind, _, _, tensors, attributes, _, problem, milliseconds = line.split(",")
    post_ops = re.search(r"attr-post-ops:(\S+)", attributes)
    if kind == "convolution":
        sizes = [re.search(rf"{name}(\d+)", problem) for name in OUTPUT_SIZES]
        edges = [int(size[1]) for size in sizes]
    else:
        edges = [int(size) for size in re.findall(r"\d+", problem)]
    return Primitive(
        kind,
        "bia:" in tensors,
        post_ops[1] if post_ops else "",
        math.prod(edges),
        float(milliseconds),
    )


OUTPUT_SIZES = ("mb", "oc", "od", "oh", "ow")


def run_logged(model, size, precision, whole_volume):
    """Log and seconds of a reconstruction in a process of its own.

    Args:
        model: see `benchmarks.scans.load_network`.
        size: int, edge of the digital head.
        precision: "float32" or "bfloat16".
        whole_volume: see `spinet_tf.reconstruct.Reconstructor`.

    Returns:
        A list of `Primitive`, and a float.
    """
    code = CHILD.format(
        model=model, size=size, precision=precision, whole_volume=whole_volume
    )
    environment = {**os.environ, "ONEDNN_VERBOSE": "1"}
    command = [sys.executable, "-c", code]
    process = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    )
    log, seconds = process.stdout.split(START)[1].split(END)
    return parse_log(log), float(seconds.split()[0])


def reconstruct_logged(model, size, precision, whole_volume):
    """Reconstruct twice, and mark where the second time, without tracing, begins."""
    from benchmarks.scans import digital_scan, load_network
    from spinet_tf.reconstruct import Reconstructor

    scan, network = digital_scan(size), load_network(model)
    reconstructor = Reconstructor(network, precision, whole_volume=whole_volume)
    reconstructor(*scan)
    print(START, flush=True)
    seconds = reconstructor(*scan).seconds
    print(f"\n{END} {seconds} s", flush=True)


def group(primitives, smallest_map):
    """Primitives by what they are.

    Args:
        primitives: list of `Primitive`.
        smallest_map: int, elements from which a reordered tensor is a feature map.

    Returns:
        dict of description to list of `Primitive`.
    """
    groups = defaultdict(list)
    for primitive in primitives:
        name = primitive.kind
        if name == "convolution":
            fused = ["bias"] * primitive.has_bias + [primitive.post_ops]
            name += " + " + " + ".join(filter(None, fused))
        elif name == "reorder":
            small = primitive.elements < smallest_map
            name += " of weights" if small else " of feature maps"
        groups[name].append(primitive)
    return groups


def define_flags():
    flags.DEFINE_integer("size", 96, "Voxels along a side of the digital head.", 16)
    flags.DEFINE_list("precision", "float32,bfloat16", "Of the CNN.")
    expect_words("precision", PRECISIONS)
    define_path("model", None, "A .keras model, or paper; default: shipped.")
    flags.DEFINE_bool("whole_volume", False, "Run the CNN on all voxels.")


def main(options):
    from benchmarks.scans import load_network

    load_network(options.model)  # an error is better told here than by a child
    for precision in options.precision:
        primitives, seconds = run_logged(
            options.model, options.size, precision, options.whole_volume
        )
        print(f"\n{options.size}^3, {precision}, {seconds:.2f} s\n")
        print("| | Times | Seconds | Share |\n| --- | --- | --- | --- |")
        rest = seconds
        for name, members in group(primitives, options.size**3).items():
            spent = sum(member.milliseconds for member in members) / 1e3
            rest -= spent
            share = f"{100 * spent / seconds:.0f}%"
            print(f"| {name} | {len(members)} | {spent:.2f} | {share} |")
        print(f"| the rest | | {rest:.2f} | {100 * rest / seconds:.0f}% |", flush=True)


if __name__ == "__main__":
    run_script(define_flags, main)
