"""`.keras` files that are damaged, or hold more or less than they should."""

import io
import os
import pickle
import zipfile

import h5py
import numpy as np

from tests.hostile.case import EITHER, REFUSED
from tests.hostile.keras_case import (
    CONFIG,
    METADATA,
    WEIGHTS,
    Canary,
    keras_case,
    members_of,
    with_members,
    with_weights,
    write_members,
)

FLIPS = 24


def cases():
    """All cases, `Case` each."""
    yield from _damaged()
    yield from _archives()
    yield from _weights()


def _damaged():
    generator = np.random.default_rng(14)
    for kept in (0, 1, 100, 5000, -1, -30):

        def cut(path, scan, kept=kept):
            path.write_bytes((scan / "tiny.keras").read_bytes()[:kept])

        yield keras_case("damaged", f"{kept} bytes", cut)
    for i in range(FLIPS):
        place, bits = generator.random(), int(generator.integers(1, 256))

        def flip(path, scan, i=i, place=place, bits=bits):
            content = bytearray((scan / "tiny.keras").read_bytes())
            content[int(place * len(content))] ^= bits
            path.write_bytes(content)

        def flip_weights(members, place=place, bits=bits):
            content = bytearray(members[WEIGHTS])
            content[int(place * len(content))] ^= bits
            members[WEIGHTS] = bytes(content)

        if i % 2:
            yield keras_case("damaged", f"flip {i}", flip, EITHER)
        else:
            name = f"weights, flip {i}"
            yield with_members("damaged", name, flip_weights, EITHER)


def _archives():
    def case(name, change, expected=REFUSED, compression=zipfile.ZIP_STORED):
        return with_members("archive", name, change, expected, compression)

    for member in (CONFIG, METADATA, WEIGHTS):
        expected = EITHER if member == METADATA else REFUSED
        yield case(f"no {member}", lambda m, name=member: m.pop(name), expected)
    yield case("nothing", lambda m: m.clear())
    canary = pickle.dumps(Canary())
    for name in ("data.pkl", "assets/data.pkl", CONFIG, WEIGHTS, "model.weights.npz"):

        def add_pickle(members, name=name):
            if name.endswith("npz"):
                del members[WEIGHTS]
            members[name] = canary

        yield case(f"pickle as {name}", add_pickle)

    def pickled_npz(members):
        content = io.BytesIO()
        np.savez(content, a=np.array([Canary()], object), allow_pickle=True)
        members["model.weights.npz"] = content.getvalue()
        del members[WEIGHTS]

    yield case("pickle in the arrays", pickled_npz)
    for name in ("../evil", "/tmp/evil-hostile", "assets/../../evil", "a/" * 400):
        yield case(f"member {name[:20]}", lambda m, n=name: m.update({n: b"evil"}))
    for name in (CONFIG, WEIGHTS, METADATA, "assets/bomb"):

        def bomb(members, name=name):
            members[name] = bytes(3 * 10**8)

        yield case(f"300 MB as {name}", bomb, compression=zipfile.ZIP_DEFLATED)

    def bomb_of_bombs(path, scan):
        write_members(path, {CONFIG: bytes(2**30)}, zipfile.ZIP_DEFLATED)
        content = path.read_bytes()
        write_members(path, {**members_of(scan), "assets/a": content})

    yield keras_case("archive", "a bomb in it", bomb_of_bombs)

    def many(members):
        members.update({f"assets/{i}": b"" for i in range(20_000)})

    yield case("20000 members", many)

    def encrypted(path, scan):
        content = (scan / "tiny.keras").read_bytes()
        path.write_bytes(
            content.replace(
                b"PK\x01\x02\x14\x03\x14\0\0", b"PK\x01\x02\x14\x03\x14\0\1"
            )
        )

    yield keras_case("archive", "encrypted", encrypted)

    def false_size(path, scan):
        write_members(path, members_of(scan))
        content = bytearray(path.read_bytes())
        start = content.rindex(b"PK\x01\x02")
        content[start + 20 : start + 28] = b"\xff\xff\xff\x7f" * 2
        path.write_bytes(content)

    yield keras_case("archive", "false sizes", false_size)
    for suffix, write in (
        ("folder", lambda path, scan: path.mkdir()),
        ("FIFO", lambda path, scan: os.mkfifo(path)),
        ("missing", lambda path, scan: None),
        ("/dev/zero", lambda path, scan: path.symlink_to("/dev/zero")),
        ("HDF5", lambda path, scan: path.write_bytes(members_of(scan)[WEIGHTS])),
        ("a pickle", lambda path, scan: path.write_bytes(canary)),
    ):
        yield keras_case("archive", suffix, write)


def _weights():
    def replaced(change):
        def edit(file):
            old = file[_first(file)]
            name, data = old.name, old[()]
            del file[name]
            change(file, name, data)

        return edit

    def case(name, change, expected=REFUSED):
        return with_weights(name, replaced(change), expected)

    for value in (np.nan, np.inf):

        def fill(file, name, data, value=value):
            data.flat[0] = value
            file[name] = data

        yield case(f"one {value}", fill)
    yield case("missing", lambda file, name, data: None)
    yield case("of another shape", lambda f, n, d: f.create_dataset(n, data=d[..., 1:]))
    yield case("transposed", lambda f, n, d: f.create_dataset(n, data=d.T))
    yield case("of no shape", lambda f, n, d: f.create_dataset(n, data=1.0))
    yield case("a text", lambda f, n, d: f.create_dataset(n, data="canary"))
    yield case("complex", lambda f, n, d: f.create_dataset(n, data=d + 1j))
    yield case(
        "float64 of 1e300",
        lambda f, n, d: f.create_dataset(n, data=np.full(d.shape, 1e300)),
    )
    yield case("empty", lambda f, n, d: f.create_dataset(n, data=h5py.Empty("f4")))
    yield case("a group", lambda f, n, d: f.create_group(n))
    shape = (10**5, 10**5, 10**3)
    yield case(
        "huge", lambda f, n, d: f.create_dataset(n, shape, "f4", chunks=(8, 8, 8))
    )

    def link(file, name, data):
        file[name] = h5py.ExternalLink("/etc/passwd", "/a")

    def raw(file, name, data):
        file.create_dataset(
            name, data.shape, "f4", external=[("/dev/zero", 0, data.nbytes)]
        )

    def virtual(file, name, data):
        layout = h5py.VirtualLayout(data.shape, "f4")
        layout[:] = h5py.VirtualSource(".", "a", data.shape)
        file.create_virtual_dataset(name, layout)

    def loop(file, name, data):
        file[name] = h5py.SoftLink(name)

    def packed(file, name, data):
        options = {"chunks": data.shape, "compression": "gzip"}
        made = file.create_dataset(name, data.shape, "f4", **options)
        made.id.write_direct_chunk((0,) * data.ndim, b"text" * 50)

    for name, change in (
        ("external link", link),
        ("external data", raw),
        ("virtual", virtual),
        ("loop of links", loop),
        ("chunk that is not packed", packed),
    ):
        yield case(name, change)
    yield with_weights("nothing in it", lambda file: [file.pop(k) for k in list(file)])
    yield with_weights("one more", lambda file: file.create_group("other"), EITHER)

    def not_hdf5(members):
        members[WEIGHTS] = b"text" * 1000

    yield with_members("weights", "not HDF5", not_hdf5)


def _first(file):
    """Name of the first dataset of more than one axis."""
    found = []
    file.visititems(
        lambda name, item: found.append(name) if getattr(item, "ndim", 0) > 1 else None
    )
    return found[0]
