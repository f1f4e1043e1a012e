"""MATLAB files of version 7.3, which are HDF5, damaged and forged."""

import os
import zlib

import h5py
import numpy as np

from tests.hostile.case import EITHER, REFUSED
from tests.hostile.matlab_5 import mat_case

FLIPS = 60
SHAPE = (16, 21, 18)


def cases():
    """All cases, `Case` each."""
    yield from _damaged()
    yield from _links()
    yield from _forged()


def _damaged():
    generator = np.random.default_rng(13)
    for i in range(FLIPS):
        place, bits = generator.random(), int(generator.integers(1, 256))

        def flip(path, scan, i=i, place=place, bits=bits):
            content = bytearray((scan / "field_v73.mat").read_bytes())
            # The structure lies in the first 3 kB, the numbers behind it.
            first = 512 if i % 10 else 0
            content[first + int(place * (3000 - first))] ^= bits
            path.write_bytes(content)

        yield mat_case("MATLAB v7.3, flips", f"flip {i}", flip, EITHER)
    for kept in (1, 512, 520, 600, 1000, 2000, 3000, 10_000, -1):

        def cut(path, scan, kept=kept):
            path.write_bytes((scan / "field_v73.mat").read_bytes()[:kept])

        yield mat_case("MATLAB v7.3, cut", f"{kept} bytes", cut)


def _case(name, fill, expected=REFUSED, variable="", kind="MATLAB v7.3, lies"):
    """`fill` is given the open file and the scan's folder."""

    def write(path, scan):
        with h5py.File(path, "w", userblock_size=512) as file:
            fill(file, scan)

    return mat_case(kind, name, write, expected, variable)


def _links():
    def case(name, fill, variable=":phs"):
        return _case(name, fill, variable=variable, kind="MATLAB v7.3, links")

    def external_link(target):
        def fill(file, scan):
            file["phs"] = h5py.ExternalLink(target or scan / "field_v73.mat", "/phs")

        return fill

    for target in ("", "none.mat", "bad.mat", "/dev/zero", "/etc/passwd"):
        for variable in (":phs", ""):
            name = f"external link to {target or 'a good file'} {variable}"
            yield case(name, external_link(target), variable)

    def soft_loop(file, scan):
        file["phs"] = h5py.SoftLink("/other")
        file["other"] = h5py.SoftLink("/phs")

    def own_group(file, scan):
        file["phs"] = file.create_group("g")
        file["g/phs"] = file["g"]

    def external_data(path):
        def fill(file, scan):
            raw = [(path, 0, 8 * 500)]
            file.create_dataset("phs", (5, 10, 10), "f8", external=raw)

        return fill

    def virtual(name):
        def fill(file, scan):
            layout = h5py.VirtualLayout(SHAPE, "f4")
            path = name or scan / "field_v73.mat"
            layout[:] = h5py.VirtualSource(path, "phs", SHAPE)
            file.create_virtual_dataset("phs", layout)

        return fill

    yield case("loop of soft links", soft_loop)
    yield case("group in itself", own_group)
    for path in ("/etc/passwd", "/dev/zero", "none.raw", "/proc/self/environ"):
        yield case(f"data in {path}", external_data(path))
    for name in ("", "none.mat", ".", "/dev/zero"):
        yield case(f"virtual, of {name or 'a good file'}", virtual(name))

    def fifo(path, scan):
        os.mkfifo(path.with_name("fifo"))
        with h5py.File(path, "w") as file:
            raw = [(str(path.with_name("fifo")), 0, 8 * 500)]
            file.create_dataset("phs", (5, 10, 10), "f8", external=raw)

    yield mat_case("MATLAB v7.3, links", "data in a FIFO", fifo)


def _forged():
    def dataset(shape, dtype="f4", **options):
        def fill(file, scan):
            file.create_dataset("phs", shape, dtype, **options)

        return fill

    for shape in ((50_000,) * 3, (2**40, 2**20, 2), (1500, 1500, 1500)):
        yield _case(f"shape {shape}", dataset(shape, chunks=(8, 8, 1)))
    for dtype in (
        *("c8", "S8", "V7", h5py.string_dtype(), h5py.vlen_dtype("f4"), "f2"),
        *(h5py.ref_dtype, [("a", "f4"), ("b", "i4")], ("f4", (3, 3))),
        *(h5py.enum_dtype({"a": 1}), [("real", "f8"), ("imag", "f8")], "?"),
    ):
        expected = EITHER if dtype == "f2" else REFUSED
        yield _case(f"type {dtype}", dataset(SHAPE, dtype), expected, ":phs")
    packed = {"chunks": SHAPE, "compression": "gzip"}
    yield _case("packed zeros", dataset(SHAPE, **packed), REFUSED)

    def bomb(file, scan):
        shape = (1000, 1000, 300)
        data = np.zeros(shape, np.uint8)
        data[0, 0, 0] = 1
        file.create_dataset("phs", data=data, chunks=shape, compression="gzip")

    def chunk_of_another_size(file, scan):
        options = {"chunks": SHAPE, "compression": "gzip", "shape": SHAPE}
        made = file.create_dataset("phs", dtype="f4", **options)
        made.id.write_direct_chunk((0, 0, 0), zlib.compress(bytes(2**28)))

    def unknown_filter(file, scan):
        made = file.create_dataset("phs", SHAPE, "f4", chunks=SHAPE, compression="gzip")
        made.id.write_direct_chunk((0, 0, 0), b"text" * 100)

    def empty(file, scan):
        file["phs"] = h5py.Empty("f8")

    def groups(depth):
        def fill(file, scan):
            group = file
            for _ in range(depth):
                group = group.create_group("g")

        return fill

    def many(file, scan):
        for i in range(10_000):
            file[f"n{i}"] = i

    def named(name, shape=(2, 3)):
        def fill(file, scan):
            file.create_dataset(name, data=np.ones(shape))

        return fill

    def classed(value):
        def fill(file, scan):
            file["phs"] = np.random.default_rng(0).normal(size=SHAPE)
            file["phs"].attrs["MATLAB_class"] = value

        return fill

    yield _case("300 MB of zeros in one chunk", bomb)
    yield _case("chunk larger than it says", chunk_of_another_size)
    yield _case("chunk that is not packed", unknown_filter)
    yield _case("empty", empty)
    for depth in (10, 3000):
        yield _case(f"groups, {depth} deep", groups(depth), variable=":phs")
    yield _case("10000 variables", many)
    yield _case("escape codes for a name", named("\x1b[31m\x07"))
    yield _case("no text for a name", named(b"\xff\xfe\xfd"))
    yield _case("a name of 50000", named("n" * 50_000))
    for value in (b"\xff\xfe", "x" * 60_000, 7, np.zeros(10), h5py.Empty("S1"), b""):
        yield _case(f"MATLAB_class {value!r:.30}", classed(value), EITHER)
    for value in (b"double", "double"):
        yield _case(f"MATLAB_class {value!r}", classed(value), EITHER)
    yield _case("no voxels", dataset((0, 21, 18)))
    yield _case("another grid", named("phs", (3, 4, 5)))
