"""`.keras` files that are damaged, hold code or lead elsewhere."""

import io
import itertools
import json
import os
import pickle
import zipfile

import h5py
import numpy as np

from tests.hostile.case import EITHER, REFUSED, Case, reconstruct
from tests.hostile.runner import CANARY

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
FLIPS = 24


class Canary:
    """What makes a file when it is unpickled."""

    def __reduce__(self):
        return os.system, (f"touch {CANARY}",)


def _export(scan, path):
    return ["export.py", f"--model={path}", "--output_dir=out/served"]


def _reconstruct(scan, path):
    return reconstruct(scan, method="spinet", model=path)


def _train(scan, path):
    flags = ("--run_dir=out/run", "--filters=4", "--blocks=1", "--unrolls=2")
    return ["train.py", f"--init_from={path}", *flags]


PLACES = itertools.cycle([_reconstruct, _reconstruct, _export, _train])


def _case(kind, name, write, expected=REFUSED):
    place = _reconstruct if expected == EITHER else next(PLACES)

    def make(folder, scan):
        write(folder / "bad.keras", scan)
        return place(scan, folder / "bad.keras")

    return Case(
        f"keras, {kind}", f"{name} [{place.__name__[1:]}]", make, "bad.keras", expected
    )


def _members(scan):
    with zipfile.ZipFile(scan / "tiny.keras") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _write(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _with_members(kind, name, change, expected=REFUSED, compression=zipfile.ZIP_STORED):
    """`change` is given the members, a dict of name to bytes, to be changed."""

    def write(path, scan):
        members = _members(scan)
        change(members)
        _write(path, members, compression)

    return _case(kind, name, write, expected)


def _with_config(name, change, expected=REFUSED):
    """`change` is given the config as a dict and may return another."""

    def edit(members):
        config = json.loads(members[CONFIG])
        changed = change(config)
        members[CONFIG] = json.dumps(config if changed is None else changed).encode()

    return _with_members("config", name, edit, expected)


def _with_weights(name, change, expected=REFUSED):
    """`change` is given the open HDF5 file."""

    def edit(members):
        content = io.BytesIO(members[WEIGHTS])
        with h5py.File(content, "r+") as file:
            change(file)
        members[WEIGHTS] = content.getvalue()

    return _with_members("weights", name, edit, expected)


def cases():
    """All cases, `Case` each."""
    yield from _damaged()
    yield from _archives()
    yield from _foreign_classes()
    yield from _wrong_arguments()
    yield from _weights()


def _damaged():
    generator = np.random.default_rng(14)
    for kept in (0, 1, 100, 5000, -1, -30):

        def cut(path, scan, kept=kept):
            path.write_bytes((scan / "tiny.keras").read_bytes()[:kept])

        yield _case("damaged", f"{kept} bytes", cut)
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
            yield _case("damaged", f"flip {i}", flip, EITHER)
        else:
            name = f"weights, flip {i}"
            yield _with_members("damaged", name, flip_weights, EITHER)


def _archives():
    def case(name, change, expected=REFUSED, compression=zipfile.ZIP_STORED):
        return _with_members("archive", name, change, expected, compression)

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
        _write(path, {CONFIG: bytes(2**30)}, zipfile.ZIP_DEFLATED)
        content = path.read_bytes()
        _write(path, {**_members(scan), "assets/a": content})

    yield _case("archive", "a bomb in it", bomb_of_bombs)

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

    yield _case("archive", "encrypted", encrypted)

    def false_size(path, scan):
        _write(path, _members(scan))
        content = bytearray(path.read_bytes())
        start = content.rindex(b"PK\x01\x02")
        content[start + 20 : start + 28] = b"\xff\xff\xff\x7f" * 2
        path.write_bytes(content)

    yield _case("archive", "false sizes", false_size)
    for suffix, write in (
        ("folder", lambda path, scan: path.mkdir()),
        ("FIFO", lambda path, scan: os.mkfifo(path)),
        ("missing", lambda path, scan: None),
        ("/dev/zero", lambda path, scan: path.symlink_to("/dev/zero")),
        ("HDF5", lambda path, scan: path.write_bytes(_members(scan)[WEIGHTS])),
        ("a pickle", lambda path, scan: path.write_bytes(canary)),
    ):
        yield _case("archive", suffix, write)


def _foreign_classes():
    inner = {"name": "x", "trainable": True, "dtype": "float32"}
    names = (
        *(("os", "system", None), ("subprocess", "Popen", None)),
        *(("builtins", "eval", None), ("builtins", "exec", "builtins>exec")),
        *(("keras.layers", "Lambda", None), ("keras.layers", "TFSMLayer", None)),
        *(
            ("keras.src.saving.saving_lib", "load_model", None),
            ("keras", "Model", None),
        ),
        *(("keras.utils", "get_file", None), ("keras.models", "Sequential", None)),
        *(("spinet_tf.model", "SpiNetQSM", "spinet_tf>SpiNetQSM2"),),
        *((None, "SpiNetQSM", "os>system"), ("this", "SpiNetQSM", None)),
        *(("antigravity", "x", None), ("os", "SpiNetQSM", "os>SpiNetQSM")),
        *((1, 2, 3), ([], {}, []), ("..", "../../evil", "../../evil")),
        *(("spinet_tf.denoiser", "Denoiser", "spinet_tf>Denoiser"),),
    )
    for module, class_name, registered in names:

        def rename(config, module=module, class_name=class_name, registered=registered):
            config.update(module=module, class_name=class_name)
            config.update(registered_name=registered)

        yield _with_config(f"{module}.{class_name}, {registered}", rename)
    code = {
        "module": "builtins",
        "class_name": "function",
        "config": "system",
        "registered_name": "os>system",
    }
    values = {
        "a function": code,
        "os.system": {**code, "module": "os", "class_name": "system"},
        "code": {"class_name": "__lambda__", "config": {"value": "canary"}},
        "a Lambda": {
            "module": "keras.layers",
            "class_name": "Lambda",
            "config": {**inner, "function": code},
            "registered_name": None,
        },
        "a tensor": {
            "class_name": "__tensor__",
            "config": {"value": [1], "dtype": "x"},
        },
        "a numpy array": {
            "class_name": "__numpy__",
            "config": {"value": 1, "dtype": "O"},
        },
        "bytes": {"class_name": "__bytes__", "config": {"value": "a"}},
        "an ellipsis": {"class_name": "__ellipsis__", "config": {}},
        "a slice": {"class_name": "__slice__", "config": {}},
        "a type": {"class_name": "__typespec__", "config": ["x"], "spec_name": "os"},
    }
    for name, value in values.items():
        for key in ("dtype", "filters", "name"):

            def put(config, key=key, value=value):
                config["config"][key] = value

            yield _with_config(f"{name} as {key}", put)

    def build_config(config):
        config["build_config"] = {"input_shape": [10**9] * 5}

    def compile_config(config):
        config["compile_config"] = {"optimizer": values["a Lambda"], "loss": code}

    yield _with_config("build_config", build_config, EITHER)
    yield _with_config("compile_config", compile_config, EITHER)


def _wrong_arguments():
    nan = float("nan")
    for key, wrong in (
        ("unrolls", (0, -1, 10**9, 2.5, "2", None, [2], nan)),
        ("mm_steps", (0, -1, 10**9, "1")),
        ("channels", (0, 2, 3, 10**9, "1")),
        ("filters", (0, -4, 5, 10**6, 4.5, "4", None)),
        ("blocks", (0, -1, 2, 10**7, "1")),
        ("dropout", (-1, 2, "a", nan)),
        ("chi_std", (0, -1, nan, "a", float("inf"))),
        ("chi_mean", (nan, "a", float("inf"), [1])),
        ("initial_lambda", (0, -1, nan, "a")),
        ("initial_p", (0, 3, -1, nan, "a")),
        ("dc_value", (nan, "a", float("inf"))),
        ("tolerance", (nan, -1, "a", float("inf"))),
        ("max_iterations", (-1, 0, "a", 1.5, nan)),
        ("dtype", ("float8", "complex64", "a", 7, [])),
        ("batch_norm", (False, "a")),
        ("nonsense", (1,)),
    ):
        for value in wrong:

            def put(config, key=key, value=value):
                config["config"][key] = value

            yield _with_config(f"{key} {value!r}", put)

    def raw(name, content):
        def edit(members):
            members[CONFIG] = content

        return _with_members("config", name, edit)

    yield raw("nothing", b"")
    yield raw("not UTF-8", b"\xff\xfe{}")
    yield raw("a list", b"[]")
    yield raw("a number", b"7")
    yield raw("null", b"null")
    yield raw("an empty object", b"{}")
    yield raw("not JSON", b"{'a': 1}")
    yield raw("100000 deep", b"[" * 100_000 + b"]" * 100_000)
    deep = b'{"config": ' * 50_000 + b"1" + b"}" * 50_000
    yield raw("objects, 50000 deep", deep)
    yield raw("50 MB", b'{"a": "' + b"x" * 50_000_000 + b'"}')
    yield raw("a number of 100000 digits", b'{"config": ' + b"9" * 100_000 + b"}")
    yield _with_config("no config", lambda config: config.pop("config") and None)


def _weights():
    def replaced(change):
        def edit(file):
            old = file[_first(file)]
            name, data = old.name, old[()]
            del file[name]
            change(file, name, data)

        return edit

    def case(name, change, expected=REFUSED):
        return _with_weights(name, replaced(change), expected)

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
    yield _with_weights("nothing in it", lambda file: [file.pop(k) for k in list(file)])
    yield _with_weights("one more", lambda file: file.create_group("other"), EITHER)

    def not_hdf5(members):
        members[WEIGHTS] = b"text" * 1000

    yield _with_members("weights", "not HDF5", not_hdf5)


def _first(file):
    """Name of the first dataset of more than one axis."""
    found = []
    file.visititems(
        lambda name, item: found.append(name) if getattr(item, "ndim", 0) > 1 else None
    )
    return found[0]
