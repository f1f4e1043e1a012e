"""NIfTI and MGH headers that lie."""

import struct

import nibabel
import numpy as np

from tests.hostile.case import ACCEPTED, EITHER, REFUSED, reconstruct, volume_case
from tests.nifti_files import write_nifti

NAN, INF = np.nan, np.inf
DIMENSIONS = (
    *([3, 0, 21, 16], [3, -5, 21, 16], [3, 18, 21, -32768], [3, 32767, 1, 1]),
    *([3, 32767, 32767, 32767], [0, 18, 21, 16], [-1, 18, 21, 16], [8, 18, 21, 16]),
    *([1, 6048, 1, 1], [2, 378, 16, 1], [4, 9, 21, 16, 2], [5, 9, 21, 4, 2, 4]),
    *([7, 18, 21, 4, 1, 1, 1, 4], [3, 1, 1, 1], [0x0300, 0x1200, 0x1500, 0x1000]),
    *([32767, 18, 21, 16], [3, 21, 18, 16], [7, 18, 21, 16, 0, 0, 0, 0]),
)
DIMENSIONS_2 = (
    *([3, 2**40, 2**40, 2**40], [3, 2**63 - 1, 2, 1], [3, -1, 21, 16]),
    *([3, 0, 21, 16], [2**62, 18, 21, 16], [3, 2**62, 4, 1], [3, 2**32, 2**32, 1]),
    *([3, 1000, 1000, 2000], [4, 18, 21, 16, 2**40]),
)
DATA_TYPES = {
    "none": 0,
    "1 bit": 1,
    "complex64": 32,
    "float64 of float32": 64,
    "RGB": 128,
    "all": 255,
    "int64 of float32": 1024,
    "uint64 of float32": 1280,
    "float128": 1536,
    "complex128": 1792,
    "complex256": 2048,
    "RGBA": 2304,
    "unknown": 9999,
    "negative": -1,
}
SINGULAR = {"srow_x": [1, 0, 0, 0], "srow_y": [1, 0, 0, 0], "srow_z": [0, 0, 1, 0]}
SHEARED = {"srow_x": [1, 0.5, 0, 0], "srow_y": [0, 1, 0, 0], "srow_z": [0, 0, 1, 0]}


def _header(name, expected=REFUSED, image_class=nibabel.Nifti1Image, place=None, **lie):
    def write(path, scan):
        image = nibabel.load(scan / "field.nii")
        data = np.asarray(image.dataobj)
        write_nifti(path, data, image.affine, image_class, **lie)

    kind = "NIfTI-2 header" if image_class is nibabel.Nifti2Image else "NIfTI header"
    return volume_case(kind, name, "bad.nii", write, expected, place)


def _extension(name, content, expected=REFUSED):
    """What follows the header of 348 bytes, with `vox_offset` after it."""

    def write(path, scan):
        plain = bytearray((scan / "field.nii").read_bytes())
        plain[108:112] = struct.pack("<f", 348 + len(content))
        path.write_bytes(plain[:348] + content + plain[352:])

    place = (reconstruct, "field")
    return volume_case("NIfTI extensions", name, "bad.nii", write, expected, place)


def _fields(*names, values, expected=REFUSED, place=None, **others):
    for name in names:
        for value in values:
            lie = {name: value, **others}
            yield _header(f"{name} {value}", expected, place=place, **lie)


def cases():
    """All cases, `Case` each."""
    as_field = (reconstruct, "field")
    for dim in DIMENSIONS:
        yield _header(f"dim {dim}", dim=dim)
    for dim in DIMENSIONS_2:
        yield _header(f"dim {dim}", image_class=nibabel.Nifti2Image, dim=dim)
    for offset in (-1, -(2**63), 2**40, 2**63 - 1, 543):
        image_class = nibabel.Nifti2Image
        name = f"vox_offset {offset}"
        yield _header(name, image_class=image_class, vox_offset=offset)
    for name, code in DATA_TYPES.items():
        yield _header(f"datatype {name}", datatype=code)
    yield from _fields("bitpix", values=(0, 1, -16, 64), expected=EITHER)
    offsets = (-352, -1, 1, 347, 351.5, NAN, INF, -INF, 1e30, 25000, 2.0**31)
    yield from _fields("vox_offset", values=offsets)
    yield from _fields("vox_offset", values=(0,), expected=EITHER)
    yield from _fields("magic", values=(b"ni1", b"n+3", b"n+1 ", b"", b"\0n+1"))
    yield from _fields("sizeof_hdr", values=(0, 540, -1, 0x5C010000), expected=EITHER)
    yield from _fields("scl_slope", values=(INF, 1e38), place=as_field)
    # To nibabel and others a slope of 0 or NaN is none.
    yield from _fields("scl_slope", values=(0, NAN), expected=ACCEPTED, place=as_field)
    yield from _fields(
        "scl_inter", values=(NAN, INF, -INF, 1e38), place=as_field, scl_slope=1
    )
    for edges in ([0, 1, 1], [-1, 1, 1], [1, NAN, 1], [1, 1, INF]):
        yield _header(f"pixdim {edges}", place=as_field, pixdim=[1, *edges])
    for qfac in (NAN, 5, 0):
        lie = {"pixdim": [qfac, 1.1, 0.9, 1.6]}
        yield _header(f"qfac {qfac}", EITHER, place=as_field, **lie)
    for edge in (1e-30, 1e30, 1e38, 1e6):
        lie = {"pixdim": [1, edge, edge, edge], "sform_code": 0, "qform_code": 0}
        yield _header(f"pixdim {edge}, no affine", place=as_field, **lie)
    yield from _fields("srow_x", "srow_z", values=([NAN] * 4, [INF] * 4, [0] * 4))
    yield from _fields("srow_y", values=([0, 1e30, 0, 0], [0, 1e-30, 0, 0]))
    yield from _fields("srow_y", values=([0, 1, 0, NAN], [0, 1, 0, 1e30]))
    for name, lie in (("singular", SINGULAR), ("sheared", SHEARED)):
        yield _header(f"sform {name}", sform_code=1, **lie)
    in_qform = {"sform_code": 0, "qform_code": 1}
    quaternions = ("quatern_b", "quatern_c", "quatern_d")
    yield from _fields(*quaternions, values=(NAN, INF, 1e30, 2), **in_qform)
    yield from _fields("qoffset_x", values=(NAN, INF), **in_qform)
    yield from _fields("xyzt_units", values=(255, 7), expected=EITHER)
    yield from _fields("sform_code", "qform_code", values=(-1, 32767), expected=EITHER)
    yield from _fields("intent_code", "slice_code", values=(99,), expected=EITHER)
    yield from _extensions()


def _extensions():
    def block(size, content=b"", code=4):
        return b"\1\0\0\0" + struct.pack("<ii", size, code) + content

    for size in (0, -16, 7, 16, 2**31 - 1, -(2**31)):
        name = f"size {size} in 16 bytes"
        expected = ACCEPTED if size == 16 else EITHER
        yield _extension(name, block(size, bytes(8)), expected)
    many = b"\1\0\0\0" + struct.pack("<iiq", 16, 0, 0) * 300_000
    yield _extension("300000 of them", many, EITHER)
    yield _extension("promised, none there", b"\1\0\0\0", EITHER)
    text = b"\xff\xfe" * 20_000
    yield _extension("a comment that is no text", block(40_008, text, 6), EITHER)
    yield _extension("DICOM that is none", block(40_008, text, 2), EITHER)
