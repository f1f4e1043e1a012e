"""Values of flags that are nonsense, and paths that cannot be."""

from tests.hostile.case import ACCEPTED, REFUSED, Case, evaluate, reconstruct, simulate

NUMBERS = (
    "nan",
    "inf",
    "-inf",
    "1e400",
    "",
    " ",
    "\u0663\u00bd",
    "1,2",
    "0x10",
    "--",
    "1 2",
)
VECTORS = (
    *("", ",", "1,2", "1,2,3,4", "1,,2", "nan,1,1", "1,inf,1", "1e400,1,1", "-1,1,1"),
    *("0,1,1", "1;1;1", "1,1,\u2460", "(1,1,1)", "1e-300,1,1", "\x1b[31m,1,1"),
)
STRANGE = ("a\nb", "\x1b[2J", "\udcff\udcfe", "n" * 5000, "", "nul\0byte", "a/" * 3000)


def cases():
    """All cases, `Case` each."""
    yield from _numbers()
    yield from _vectors()
    yield from _paths()
    yield from _combinations()
    yield from _scripts()


def _case(kind, name, words, named="", expected=REFUSED):
    """`words` is a list of str, or a callable of the scan's folder that gives one."""

    def make(folder, scan):
        return words(scan) if callable(words) else words

    return Case(kind, name, make, named, expected)


def _flag(command, flag, value, kind="values", expected=REFUSED, **others):
    def words(scan):
        return command(scan, **{flag: value}, **others)

    name = f"--{flag}={value[:30]!r}"
    # In the message it may be the flag or the file.
    return _case(f"{kind} of flags", name, words, "", expected)


def _numbers():
    for value in NUMBERS:
        for flag in ("mask-threshold", "memory-limit", "timeout"):
            yield _flag(reconstruct, flag, value, **_spinet(flag))
        for flag, others in (
            ("b0", {"field-units": "hz"}),
            ("te", {"field-units": "rad", "b0": "3"}),
        ):
            yield _flag(reconstruct, flag, value, **others)
        yield _flag(simulate, "noise", value)
        yield _flag(simulate, "seed", value)
    for value in ("0", "-1"):
        yield _flag(reconstruct, "b0", value, **{"field-units": "hz"})
        yield _flag(reconstruct, "memory-limit", value, method="spinet")
    for value in ("-1", "1" * 5000, "1e3"):
        yield _flag(simulate, "seed", value)
    for value in ("-1", "1e39"):
        yield _flag(simulate, "noise", value)


def _spinet(flag):
    return {"method": "spinet"} if flag == "memory-limit" else {}


def _vectors():
    for value in VECTORS:
        yield _flag(reconstruct, "voxel-size", value)
        if value not in ("-1,1,1", "0,1,1", "1e-300,1,1"):
            yield _flag(simulate, "b0-dir", value)
    for value in ("0,0,0", "0,0,1e-200", "1.7e308,1e308,1e308"):
        yield _flag(reconstruct, "b0-dir", value)
    yield _flag(reconstruct, "voxel-size", "1e308,1e308,1e308")


def _paths():
    for value in STRANGE:
        for command, flag in (
            (reconstruct, "field"),
            (reconstruct, "mask"),
            (reconstruct, "output"),
            (evaluate, "segmentation"),
        ):
            if flag != "segmentation" or value:
                yield _flag(command, flag, value, "paths")
                # Strange, but the file system takes them.
                fine = flag == "output" and value in STRANGE[:3]
                expected = ACCEPTED if fine else REFUSED
                yield _flag(command, flag, f"{value}.nii", "paths", expected)
    for value in STRANGE:
        yield _flag(reconstruct, "model", f"{value}.keras", "paths", method="spinet")
        yield _flag(reconstruct, "field", f"{value}.mat:{value}", "paths")
    for value in ("/", "/dev/null", "/proc/self/mem", "/dev/full", "none/a.nii", "out"):
        yield _flag(reconstruct, "output", value, "paths")
        yield _flag(reconstruct, "iterates", f"{value}/x/y", "paths", method="spinet")
        yield _flag(evaluate, "output-dir", f"{value}/x/y", "paths")
        yield _flag(reconstruct, "report", value, "paths")
    for value in ("a\nb.html", "nul\0byte.html", "n" * 300 + ".html", "none/a.html"):
        yield (
            _flag(evaluate, "report", value, "paths")
            if value[1] != "\n"
            else _flag(evaluate, "report", "a\nb.html/c.html", "paths")
        )


def _combinations():
    def case(name, *words):
        return _case("command lines", name, ["spinet-qsm", *words])

    yield case("nothing")
    yield case("empty word", "")
    yield case("unknown subcommand", "\x1b[31mrm")
    yield case("10000 words", *["x"] * 10_000)
    yield case("a word of 1 MB", "x" * 10**6)
    yield case("only --", "--")
    for subcommand in ("reconstruct", "evaluate", "simulate", "convert", "serve"):
        yield case(f"{subcommand} without flags", subcommand)
        yield case(f"{subcommand} --\u2028", subcommand, "--\u2028=1")
    for server in (
        *("", ":", "a:b:c", "host:99999", "\n:1", "unix:/dev/null", "localhost:1"),
        *("n" * 5000 + ":1", "[::1", "http://x:1", "dns:///x:1\0", "\udcff:1"),
    ):

        def words(scan, server=server):
            flags = {"method": None, "server": server, "timeout": "2"}
            return reconstruct(scan, **flags)

        yield _case("command lines", f"--server={server[:30]!r}", words)
    for port in ("-1", "65536", "1e3", "", "\u0663"):
        yield case(f"serve --port={port}", "serve", "--model-dir=out", f"--port={port}")
    for folder in ("", "none", "out", "/dev/zero", "nul\0"):
        yield case(f"serve {folder!r}", "serve", f"--model-dir={folder}", "--port=0")


def _scripts():
    def case(program, *words):
        name = f"{program} {' '.join(words)[:40]!r}"
        return _case("scripts", name, [program, *words])

    for flag in ("learning_rate", "tolerance", "noise_high", "chi_std", "clip_norm"):
        for value in ("nan", "inf", "-1", "", "1e400", "a"):
            yield case("train.py", "--run_dir=out/run", f"--{flag}={value}")
    for flag in ("steps", "filters", "batch_size", "unrolls"):
        for value in ("0", "-1", "1.5", "", "nan"):
            yield case("train.py", "--run_dir=out/run", f"--{flag}={value}")
    for dataset in ("", "/", "..", "../..", "os", "qsm_brain/../x", "\x1b[31m", "x\0"):
        yield case("train.py", "--run_dir=out/run", f"--dataset={dataset}")
    yield case("train.py", "--run_dir=nul\0", "--init_from=none.keras")
    for size in ("0x0x0", "-1x2x3", "64", "64x64", "\u0663x4x4", "1e9x1x1", "9" * 50):
        flags = ("--output_dir=out", "--format=tflite", f"--sizes={size}")
        yield case("export.py", *flags)
    for words in (
        *(["--max_voxels=0"], ["--max_voxels=nan"], ["--precision=float8"]),
        *(["--notes=none.md"], ["--notes=/"], ["--model=none.keras"], ["--model=/"]),
        *(
            ["--model=nul\0.keras"],
            ["--output_dir=/dev/null/x"],
            ["--output_dir=nul\0"],
        ),
    ):
        yield case("export.py", "--output_dir=out/served", *words)
