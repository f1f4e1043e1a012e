"""MATLAB files of version 4 and 5, damaged and forged."""

import io
import struct
import zlib

import numpy as np
import scipy.io

from tests.hostile.case import EITHER, REFUSED, Case, reconstruct

GEOMETRY = {"voxel-size": "1,1,1", "b0-dir": "0,0,1"}
FLIPS = 60
INT8, INT32, UINT32, DOUBLE, MATRIX, COMPRESSED = 1, 5, 6, 9, 14, 15
CELL, STRUCT, OBJECT, CHAR, SPARSE, DOUBLES, FUNCTION, OPAQUE = 1, 2, 3, 4, 5, 6, 16, 17


def mat_case(kind, name, write, expected=REFUSED, variable=""):
    """A bad .mat file as a field; `variable` names the array, as in ":phs"."""

    def make(folder, scan):
        write(folder / "bad.mat", scan)
        field = f"{folder / 'bad.mat'}{variable}"
        return reconstruct(scan, field=field, **GEOMETRY)

    return Case(kind, name, make, "bad.mat", expected)


def cases():
    """All cases, `Case` each."""
    yield from _damaged()
    yield from _forged()
    yield from _other_classes()
    yield from _version_4()
    yield from _statistics()


def _field(scan, compressed):
    stream = io.BytesIO()
    data = scipy.io.loadmat(scan / "field_v5.mat")["phs"]
    scipy.io.savemat(stream, {"phs": data}, do_compression=compressed)
    return bytearray(stream.getvalue())


def _damaged():
    generator = np.random.default_rng(11)
    for compressed in (False, True):
        how = "compressed" if compressed else "plain"
        # Most of a file is numbers, where nothing can be wrong: half of the flips hit
        # the first 300 bytes.
        for i in range(FLIPS // 2):
            place, bits = generator.random(), int(generator.integers(1, 256))

            def flip(path, scan, compressed=compressed, i=i, place=place, bits=bits):
                content = _field(scan, compressed)
                content[int(place * (300 if i % 2 else len(content)))] ^= bits
                path.write_bytes(content)

            yield mat_case("MATLAB v5, flips", f"{how}, flip {i}", flip, EITHER)
        for kept in (1, 4, 127, 128, 132, 136, 180, 200, 5000, -1):

            def cut(path, scan, compressed=compressed, kept=kept):
                path.write_bytes(_field(scan, compressed)[:kept])

            yield mat_case("MATLAB v5, cut", f"{how}, {kept} bytes", cut)


def _element(kind, content, size=None):
    padding = bytes(-len(content) % 8)
    size = len(content) if size is None else size
    return struct.pack("<II", kind, size) + content + padding


def _matrix(
    dims=(2, 3, 4), name=b"phs", kind=DOUBLES, values=None, sizes=None, flags=0
):
    """A matrix element; `sizes` are lies of the sizes of its parts."""
    sizes = sizes or {}
    if values is None:
        values = _element(DOUBLE, bytes(8 * 24), sizes.get("values"))
    parts = (
        _element(UINT32, struct.pack("<II", kind | flags, 0), sizes.get("flags"))
        + _element(INT32, struct.pack(f"<{len(dims)}i", *dims), sizes.get("dims"))
        + _element(INT8, name, sizes.get("name"))
        + values
    )
    return _element(MATRIX, parts, sizes.get("matrix"))


def _file(*elements):
    start = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
    return start + b"".join(elements)


def _compressed(content, size=None):
    packed = zlib.compress(content)
    size = len(packed) if size is None else size
    return struct.pack("<II", COMPRESSED, size) + packed


def _forged():
    def case(name, *elements, expected=REFUSED):
        def write(path, scan):
            path.write_bytes(_file(*elements))

        return mat_case("MATLAB v5, lies", name, write, expected)

    for part in ("matrix", "flags", "dims", "name", "values"):
        for size in (0, 1, 7, 2**31 - 1, 2**31, 2**32 - 1):
            lie = _matrix(sizes={part: size})
            for how, element in (("plain", lie), ("compressed", _compressed(lie))):
                yield case(f"{part} of {size} bytes, {how}", element, expected=EITHER)
    for dims in (
        *((-2, 3, 4), (0, 3, 4), (2**31 - 1,) * 3, (-(2**31),) * 3, (2, 3, 5)),
        *((1000, 1000, 500), (65536, 65536, 2), (2, 3, 4, 1), (24,), ()),
        *((2**16, 2**16, 2**16), (1,) * 40, (1,) * 3000),
    ):
        yield case(f"dims {dims[:5]}", _matrix(dims))
    for kind in (0, 4, 8, 14, 15, 17, 200, 2**31):
        yield case(f"values of type {kind}", _matrix(values=_element(kind, bytes(192))))
    bomb = _element(INT8, bytes(2**30))
    yield case("a name of 1 GB", _compressed(_matrix(name=bytes(2**30))))
    yield case("1 GB of 24 values", _compressed(_matrix(values=bomb)))
    yield case(
        "compressed, of 4 GB", _compressed(_matrix(), 2**32 - 1), expected=EITHER
    )
    yield case("compressed twice", _compressed(_compressed(_matrix())))
    yield case("compressed text", _compressed(b"text" * 500))
    yield case("escape codes for a name", _matrix((2, 3), b"\x1b[31m\x07\x1b]0;x\x07"))
    yield case("no text for a name", _matrix((2, 3), b"\xff\xfe\xfd"), expected=EITHER)
    yield case("a name of 100000", _matrix((2, 3), b"n" * 100_000))
    yield case("one name twice", _matrix(), _matrix((4, 3, 2)), expected=EITHER)
    yield case("10000 variables", *[_matrix((1, 1), b"n%d" % i) for i in range(10_000)])
    yield case("nothing")
    yield case("an element of no kind", _element(99, bytes(100)))


def _other_classes():
    def case(name, *elements, variable="", expected=REFUSED):
        def write(path, scan):
            path.write_bytes(_file(*elements))

        return mat_case("MATLAB v5, classes", name, write, expected, variable)

    def nested(depth):
        inner = _matrix(name=b"")
        for _ in range(depth):
            inner = _matrix((1, 1, 1), b"phs", CELL, inner)
        return inner

    for depth in (1, 50, 1000, 5000):
        yield case(f"cells, {depth} deep", nested(depth), variable=":phs")
    for name, kind in (
        ("object", OBJECT),
        ("struct", STRUCT),
        ("char", CHAR),
        ("sparse", SPARSE),
        ("function handle", FUNCTION),
        ("opaque", OPAQUE),
        ("unknown", 99),
        ("zero", 0),
    ):
        for variable in ("", ":phs"):
            element = _matrix(kind=kind)
            yield case(f"{name} {variable}", element, variable=variable)
    many = _element(INT32, struct.pack("<i", 8)) + _element(INT8, b"f" * 8 * 10**6)
    struct_of_many = _matrix((1, 1, 1), b"phs", STRUCT, many)
    yield case("struct of a million fields", struct_of_many, variable=":phs")
    yield case("complex", _matrix(flags=0x0800))
    yield case("object beside the array", _matrix(kind=OBJECT), _matrix())


def _version_4():
    for kind, rows, columns, imaginary, name_length in (
        *((0, 6, 4, 0, 4), (0, -6, 4, 0, 4), (0, 2**31 - 1, 2**31 - 1, 0, 4)),
        *((0, 6, 4, 1, 4), (0, 6, 4, 0, 2**31 - 1), (0, 6, 4, 0, -4), (9, 6, 4, 0, 4)),
        *((50, 6, 4, 0, 4), (2, 6, 4, 0, 4), (1, 6, 4, 0, 4), (1000, 6, 4, 0, 4)),
        *((0, 10**5, 10**4, 0, 4), (0, 0, 0, 0, 0), (2, -(2**31), -(2**31), 0, 4)),
    ):
        numbers = (kind, rows, columns, imaginary, name_length)

        def write(path, scan, numbers=numbers):
            path.write_bytes(struct.pack("<5i", *numbers) + b"phs\0" + bytes(192))

        yield mat_case("MATLAB v4", f"{numbers}", write, variable=":phs")


def _statistics():
    """The authors' statistics, two numbers."""
    generator = np.random.default_rng(12)

    def case(name, change, expected=REFUSED):
        def make(folder, scan):
            content = bytearray((scan / "stats.mat").read_bytes())
            (folder / "bad.mat").write_bytes(change(content))
            checkpoint = scan / "weights.pth"
            flags = (f"--checkpoint={checkpoint}", "--stats=bad.mat")
            return ["spinet-qsm", "convert", *flags, "--output=out/m.keras"]

        return Case("statistics", name, make, "bad.mat", expected)

    for i in range(10):
        place = int(generator.integers(128, 230))

        def flip(content, place=place):
            content[place % len(content)] ^= 0xFF
            return content

        yield case(f"flip {i}", flip, EITHER)
    for kept in (0, 100, 128, 160):
        yield case(f"{kept} bytes", lambda content, kept=kept: content[:kept])
    for what, values in (
        ("nan", _element(DOUBLE, struct.pack("<d", np.nan))),
        ("inf", _element(DOUBLE, struct.pack("<d", np.inf))),
        ("text", _element(4, b"a\0")),
        ("4 GB", _element(DOUBLE, bytes(8), 2**32 - 8)),
    ):
        element = _matrix((1, 1), b"out_mean", values=values)
        yield case(what, lambda content, element=element: _file(element))
    huge = _matrix((30_000, 30_000), b"out_mean")
    yield case("a huge matrix", lambda content: _file(huge))
