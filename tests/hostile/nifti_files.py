"""Files that are not the NIfTI files they are called, or are damaged ones."""

import gzip
import os
import socket
import struct
import zlib

import nibabel
import numpy as np

from tests.hostile.case import (
    ACCEPTED,
    REFUSED,
    evaluate,
    reconstruct,
    simulate,
    volume_case,
)

FIELD = (reconstruct, "field")
MASK = (reconstruct, "mask")


def cases():
    """All cases, `Case` each."""
    yield from _truncated()
    yield from _gzip()
    yield from _bombs()
    yield from _special()
    yield from _other_formats()
    yield from _data()


def _truncated():
    for kept in (0, 1, 100, 347, 348, 352, 353, 540, 4000, -1):

        def write(path, scan, kept=kept):
            path.write_bytes((scan / "field.nii").read_bytes()[:kept])

        yield volume_case("truncated", f"{kept} bytes of .nii", "bad.nii", write)
    for kept in (0, 1, 9, 10, 18, 100, 400, 5000, -9, -8, -4, -1):

        def write(path, scan, kept=kept):
            path.write_bytes((scan / "field.nii.gz").read_bytes()[:kept])

        yield volume_case("truncated", f"{kept} bytes of .gz", "bad.nii.gz", write)


def _gzip():
    def case(name, change, expected=REFUSED, file_name="bad.nii.gz", place=None):
        def write(path, scan):
            path.write_bytes(change((scan / "field.nii.gz").read_bytes()))

        return volume_case("gzip", name, file_name, write, expected, place)

    def halves(content, second=None):
        plain = gzip.decompress(content)
        return gzip.compress(plain[:5000]) + (second or gzip.compress(plain[5000:]))

    yield case("wrong CRC", lambda c: c[:-8] + b"\0\1\2\3" + c[-4:])
    yield case("wrong length", lambda c: c[:-4] + b"\xff\xff\xff\x7f")
    yield case("bits flipped", lambda c: c[:4000] + bytes(50) + c[4050:])
    yield case("zeros after it", lambda c: c + bytes(1000), ACCEPTED, place=FIELD)
    yield case("text after it", lambda c: c + b"text" * 100)
    yield case("in two members", halves, ACCEPTED, place=FIELD)
    yield case("second member damaged", lambda c: halves(c, b"\x1f\x8b" + bytes(99)))
    yield case("second member missing", lambda c: gzip.compress(b"n+1" * 200))
    yield case("compressed twice", gzip.compress)
    yield case("named .nii", lambda c: c, file_name="bad.nii")
    yield case("plain, named .gz", gzip.decompress)
    yield case("unknown method", lambda c: c[:2] + b"\7" + c[3:])
    yield case("name without end", lambda c: c[:3] + b"\x08" + c[4:10] + b"a" * 4000)
    yield case("empty member", lambda c: gzip.compress(b""))
    yield case("zlib, not gzip", lambda c: zlib.compress(gzip.decompress(c)))


def _gzip_of_zeros(n_bytes):
    """A gzip file of zeros, 64 MiB a member, one thousandth of its content."""
    member = gzip.compress(bytes(2**26))
    return member * (n_bytes // 2**26)


def _header_bytes(scan, **fields):
    header = nibabel.load(scan / "field.nii").header.copy()
    for name, value in fields.items():
        header[name] = value
    return header.binaryblock + bytes(4)


def _bombs():
    def case(name, fields, n_bytes, whole=True):
        def write(path, scan):
            start = (scan / "field.nii").read_bytes()
            if not whole:
                start = _header_bytes(scan, **fields)
            path.write_bytes(gzip.compress(start) + _gzip_of_zeros(n_bytes))

        return volume_case("bombs", name, "bad.nii.gz", write, place=FIELD)

    def size(n):
        return {"dim": [3, n, n, n, 1, 1, 1, 1]}

    yield case("60 GB after the data", {}, 60 * 10**9)
    yield case("2 GB of voxels", size(800), 2 * 10**9, whole=False)
    yield case("32 GB of voxels", size(2000), 32 * 10**9, whole=False)
    yield case("60 GB before the data", {"vox_offset": 6e10}, 60 * 10**9, whole=False)

    def nested(path, scan):
        path.write_bytes(gzip.compress(_gzip_of_zeros(2**30)))

    yield volume_case("bombs", "gzip in gzip", "bad.nii.gz", nested, place=FIELD)

    def sparse(path, scan):
        path.write_bytes(_header_bytes(scan, **size(2000)))
        os.truncate(path, 32 * 10**9 + 352)

    yield volume_case("bombs", "32 GB, a sparse file", "bad.nii", sparse, place=FIELD)


def _special():
    def case(name, file_name, write, place=None):
        return volume_case(
            "no plain file",
            name,
            file_name,
            lambda path, scan: write(path),
            place=place,
        )

    def bind(path):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))

    def loop(path):
        path.symlink_to(path.with_name("other.nii"))
        path.with_name("other.nii").symlink_to(path)

    for suffix in ("nii", "nii.gz", "mat"):
        name = f"bad.{suffix}"
        yield case(f"folder .{suffix}", name, lambda path: path.mkdir())
        yield case(f"FIFO .{suffix}", name, os.mkfifo)
        yield case(f"missing .{suffix}", name, lambda path: None)
        for target in ("/dev/zero", "/dev/random", "/proc/self/mem", "/dev/stdin"):
            yield case(
                f"link to {target} .{suffix}", name, lambda p, t=target: p.symlink_to(t)
            )
    yield case("socket", "bad.nii", bind)
    yield case("loop of links", "bad.nii", loop)
    yield case("link to nothing", "bad.nii", lambda path: path.symlink_to("none"))
    yield case("link to a folder", "bad.nii", lambda path: path.symlink_to("/etc"))
    yield case(
        "link to /proc/self/maps", "m.nii", lambda p: p.symlink_to("/proc/kcore")
    )
    for place in (FIELD, MASK, (evaluate, "segmentation"), (simulate, "mask")):
        yield case("name too long", "n" * 300 + ".nii", lambda path: None, place)


def _other_formats():
    def case(name, file_name, write):
        return volume_case("other formats", name, file_name, write)

    def image(scan):
        return nibabel.load(scan / "field.nii")

    def save(image_class, suffix):
        def write(path, scan):
            data = np.asarray(image(scan).dataobj)
            made = image_class(data, image(scan).affine)
            made.to_filename(path.with_name(f"good{suffix}"))
            os.rename(path.with_name(f"good{suffix}"), path)

        return write

    for name, image_class, suffix, names in (
        ("MGH", nibabel.MGHImage, ".mgh", ("a.mgh", "a.nii")),
        ("MGZ", nibabel.MGHImage, ".mgz", ("a.mgz", "a.nii.gz")),
        ("Analyze", nibabel.AnalyzeImage, ".img", ("a.img", "a.nii")),
        ("Analyze header", nibabel.AnalyzeImage, ".hdr", ("a.hdr", "a.nii")),
        ("SPM99 header", nibabel.Spm99AnalyzeImage, ".hdr", ("b.hdr", "b.nii")),
        ("NIfTI pair", nibabel.Nifti1Pair, ".img", ("c.img", "c.nii")),
        ("NIfTI pair header", nibabel.Nifti1Pair, ".hdr", ("c.hdr", "c.nii")),
        ("NIfTI-2 pair header", nibabel.Nifti2Pair, ".hdr", ("d.hdr", "d.nii")),
    ):
        for file_name in names:
            yield case(f"{name} as {file_name}", file_name, save(image_class, suffix))
    for content in (
        b"",
        b"DICM" * 200,
        b"\x93NUMPY\1\0",
        b"PK\3\4" * 200,
        b"\0" * 9999,
    ):
        yield case(
            f"{content[:6]} as .nii", "e.nii", lambda p, _, c=content: p.write_bytes(c)
        )


def _data():
    def case(name, place, change, affine=lambda a: a, expected=REFUSED):
        def write(path, scan):
            stem = {"field": "field", "mask": "mask"}.get(place[1], "chi")
            image = nibabel.load(scan / f"{stem}.nii")
            data = change(np.asarray(image.dataobj))
            made = nibabel.Nifti1Image(data, affine(image.affine), dtype=data.dtype)
            made.to_filename(path)

        return volume_case("data", name, "bad.nii", write, expected, place)

    def filled(value, dtype=np.float32):
        return lambda data: np.full(data.shape, value, dtype)

    reference = (reconstruct, "reference")
    for value in (np.nan, np.inf, -np.inf, 1e38, 0.0):
        yield case(f"all {value}", FIELD, filled(value))
    for value in (np.nan, np.inf, 0, 2, 255, -1, 0.5, 1e-3):
        yield case(f"all {value}", MASK, filled(value))
        yield case(f"all {value}", reference, filled(value))
    yield case("all 1e300", FIELD, filled(1e300, np.float64))
    yield case("0 and 255", MASK, lambda data: data * 255)
    yield case("float and noise", MASK, lambda data: data + np.float32(0.3))
    for place in (FIELD, MASK, reference, (evaluate, "reference")):
        yield case("one plane less", place, lambda data: data[..., 1:])
        yield case("axes swapped", place, lambda data: data.transpose(2, 0, 1))
        yield case(
            "moved by 5 mm", place, lambda d: d, lambda a: a + np.eye(4, k=3) * 5
        )
        yield case("turned", place, lambda d: d, lambda a: a @ np.diag([-1, 1, 1, 1]))
    for kind in ("complex64", "int64", "uint64", "float64"):
        fine = kind in ("float64", "uint64", "int64")
        expected = ACCEPTED if fine else REFUSED
        yield case(kind, MASK, lambda d, k=kind: d.astype(k), expected=expected)
    yield case("big-endian", FIELD, lambda d: d.astype(">f4"), expected=ACCEPTED)
    yield case("labels 0.5", (evaluate, "segmentation"), filled(0.5))
    yield case("labels 1e20", (evaluate, "segmentation"), filled(1e20))
    yield case("labels nan", (evaluate, "segmentation"), filled(np.nan))

    def swapped(path, scan):
        content = bytearray((scan / "field.nii").read_bytes())
        content[:4] = struct.pack(">i", 348)
        content[40:56] = np.frombuffer(content[40:56], "<i2").byteswap().tobytes()
        path.write_bytes(content)

    yield volume_case("data", "half of the header swapped", "bad.nii", swapped)
