"""One bad field of three in a call: it is listed, and the others are written."""

from tests.hostile import bad_files
from tests.hostile.case import LISTED, REFUSED, Case

GOOD = ("first", "last")
WRITTEN = tuple(
    f"out/maps/{name}_chi.{end}" for name in GOOD for end in ("json", "nii.gz", "png")
)
STRANGE = (
    *("a\nspinet-qsm: error: b.nii", "\x1b[2J.nii.gz", "\udcff.nii"),
    *("\u202egz.iin.nii", "$(touch canary).nii", ";touch canary;.nii"),
    "./--output=x.nii",
)


def cases():
    """All cases, `Case` each."""
    for name in bad_files.NAMES:
        yield _case(name, "bad.nii.gz", bad_files_named(name))
    yield _case("missing", "bad.nii.gz", lambda path, scan: None)
    yield _case("folder", "bad.nii.gz", lambda path, scan: path.mkdir())
    yield _case("no MATLAB file", "bad.mat:x", _write_mat, "bad.mat")
    yield _case("no such variable", "bad.mat:x", _link_mat, "bad.mat")
    yield _case("/proc/self/mem", "/proc/self/mem", lambda path, scan: None)
    for name in STRANGE:
        yield _case(f"called {name!r}", name, lambda path, scan: None, "")
    yield from _refused()


def bad_files_named(name):
    return lambda path, scan: bad_files.fields(scan)[name](path)


def _write_mat(path, scan):
    path.with_name("bad.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(500))


def _link_mat(path, scan):
    path.with_name("bad.mat").symlink_to(scan / "field_v5.mat")


def _words(folder, scan, fields, output="out/maps"):
    for name in GOOD:
        (folder / f"{name}.nii").symlink_to(scan / "field.nii")
    return [
        *("spinet-qsm", "reconstruct", "--method=tkd", f"--mask={scan / 'mask.nii'}"),
        *(f"--output={output}", "--field", *fields),
    ]


def _case(name, field, write, named=None):
    def make(folder, scan):
        write(folder / field, scan)
        return _words(folder, scan, ("first.nii", field, "last.nii"))

    named = field if named is None else named
    return Case("several fields", name, make, named, LISTED, WRITTEN)


def _refused():
    """What is wrong with all of them."""
    for name, fields, output in (
        ("the same twice", ("first.nii", "first.nii"), "out/maps"),
        ("the same name", ("first.nii", "none/first.nii.gz"), "out/maps"),
        ("an empty name", ("first.nii", ""), "out/maps"),
        ("a file as folder", ("first.nii", "last.nii"), "first.nii/maps"),
        ("a folder in none", ("first.nii", "last.nii"), "none/maps"),
        ("/dev/null as folder", ("first.nii", "last.nii"), "/dev/null"),
        ("a long name", ("first.nii", "n" * 300 + ".nii"), "out/maps"),
        ("NUL in a name", ("first.nii", "nul\0.nii"), "out/maps"),
        ("NUL in the folder", ("first.nii", "last.nii"), "out/nul\0"),
    ):

        def make(folder, scan, fields=fields, output=output):
            return _words(folder, scan, fields, output)

        yield Case("several fields", name, make, "", REFUSED)
