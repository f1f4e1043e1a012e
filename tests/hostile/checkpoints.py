"""The authors' checkpoint, forged: `convert` reads it with PyTorch."""

import io
import os
import pickle
import zipfile

import numpy as np

from tests.hostile.case import EITHER, REFUSED, Case
from tests.hostile.keras_case import Canary

FLIPS = 20


def _case(name, write, expected=REFUSED):
    def make(folder, scan):
        write(folder / "bad.pth", scan)
        flags = ("--checkpoint=bad.pth", f"--stats={scan / 'stats.mat'}")
        return ["spinet-qsm", "convert", *flags, "--output=out/m.keras"]

    return Case("checkpoints", name, make, "bad.pth", expected)


def cases():
    """All cases, `Case` each."""
    yield from _code()
    yield from _damaged()
    yield from _states()


def _content(name, content):
    return _case(name, lambda path, scan: path.write_bytes(content))


class _Call:
    def __init__(self, function, *arguments):
        self._call = function, arguments

    def __reduce__(self):
        return self._call


def _code():
    import torch

    code = "open('canary', 'w')"
    calls = {
        "os.system": Canary(),
        "eval": _Call(eval, code),
        "exec": _Call(exec, code),
        "getattr": _Call(getattr, os, "system"),
        "torch.load": _Call(torch.load, "other.pth"),
        "import": _Call(__import__, "antigravity"),
        "torch.hub": _Call(torch.hub.load, "a/b", "c"),
    }
    for name, call in calls.items():
        if name != "getattr":
            yield _content(f"pickle of {name}", pickle.dumps({"p": call}))

            def saved(path, scan, call=call):
                torch.save({"p": call}, path)

            yield _case(f"{name} in a state", saved)

    def in_zip(path, scan):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(Canary()))
            archive.writestr("archive/version", "3")

    def legacy(path, scan):
        torch.save({"p": Canary()}, path, _use_new_zipfile_serialization=False)

    def script(path, scan):
        class Module(torch.nn.Module):
            def forward(self, x):
                return x

        torch.jit.save(torch.jit.trace(Module(), torch.ones(1)), path)

    yield _case("code in a zip file", in_zip)
    yield _case("code in the old form", legacy)
    yield _case("TorchScript", script)
    yield _case("a whole network", lambda p, s: torch.save(torch.nn.Linear(2, 2), p))
    yield _case("numpy arrays", lambda p, s: torch.save({"p": np.ones(1)}, p))


def _damaged():
    generator = np.random.default_rng(15)
    for kept in (0, 1, 100, 1000, 50_000, -1, -100):

        def cut(path, scan, kept=kept):
            path.write_bytes((scan / "weights.pth").read_bytes()[:kept])

        yield _case(f"{kept} bytes", cut)
    for i in range(FLIPS):
        place, bits = generator.random(), int(generator.integers(1, 256))

        def flip(path, scan, i=i, place=place, bits=bits):
            content = bytearray((scan / "weights.pth").read_bytes())
            # The pickle comes first, and the numbers after it.
            content[int(place * (len(content) if i % 4 == 0 else 20_000))] ^= bits
            path.write_bytes(content)

        yield _case(f"flip {i}", flip, EITHER)
    yield _content("text", b"weights\n" * 100)
    yield _content("zeros", bytes(10_000))
    yield _case("a folder", lambda path, scan: path.mkdir())
    yield _case("a FIFO", lambda path, scan: os.mkfifo(path))
    yield _case("/dev/zero", lambda path, scan: path.symlink_to("/dev/zero"))
    yield _case("missing", lambda path, scan: None)
    deep = b"\x80\x02" + b"(" * 100_000 + b"l" * 100_000 + b"."
    yield _content("lists, 100000 deep", deep)
    yield _content("a string of 4 GB", b"\x80\x04B\xff\xff\xff\xff" + b"a" * 100)
    yield _content("a memo of 4 GB", b"\x80\x02Nr\xff\xff\xff\xff.")

    def bomb(path, scan):
        with (
            zipfile.ZipFile(scan / "weights.pth") as good,
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bad,
        ):
            for i, name in enumerate(good.namelist()):
                content = good.read(name)
                bad.writestr(name, bytes(2**30) if i == 3 else content)

    yield _case("bomb", bomb)


def _states():
    import torch

    def case(name, change, expected=REFUSED):
        def write(path, scan):
            state = torch.load(scan / "weights.pth", weights_only=True)
            changed = change(state)
            torch.save(state if changed is None else changed, path)

        return _case(name, write, expected)

    def put(**changed):
        return lambda state: state.update(changed)

    first = "gen.0.weight"
    shape = (32, 2, 3, 3, 3)
    sparse = torch.zeros(shape).to_sparse()
    tensors = {
        "of 1e12 numbers, all one": torch.zeros(1).expand(10**4, 10**4, 10**4),
        "sparse": sparse,
        "complex": torch.zeros(shape, dtype=torch.complex64),
        "meta": torch.zeros(shape, device="meta"),
        "quantised": torch.quantize_per_tensor(torch.zeros(shape), 0.1, 0, torch.qint8),
        "nan": torch.full(shape, float("nan")),
        "infinite": torch.full(shape, float("inf")),
        "float64 of 1e300": torch.full(shape, 1e300, dtype=torch.float64),
        "transposed": torch.zeros(shape[::-1]),
        "nested": torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
    }
    for name, tensor in tensors.items():
        yield case(f"tensor {name}", put(**{first: tensor}))
    for value in (None, "text", 1.0, [1, 2], {}):
        yield case(f"{value!r} for a tensor", put(**{first: value}))
    for key, wrong in (("p", (0.0, 2.5, -1.0)), ("lambda_val", (0.0, -1.0))):
        for value in wrong:
            yield case(f"{key} {value}", put(**{key: torch.tensor([value])}))
    yield case("empty", lambda state: {})
    yield case("a list", lambda state: list(state.values()))
    yield case("a tensor", lambda state: state["p"])
    yield case("numbers for names", lambda state: {1: state["p"]})

    def itself(state):
        state["self"] = state

    yield case("itself in it", itself, EITHER)
    stream = io.BytesIO()
    torch.save(torch.zeros(2), stream)
    yield _content("one tensor", stream.getvalue())
