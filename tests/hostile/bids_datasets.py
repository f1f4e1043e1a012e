"""BIDS datasets that are no datasets, loop or have strange names."""

import json
import os
import pickle

from tests.hostile import bad_files
from tests.hostile.bids_trees import BAD, WRITTEN, bids, write_tree
from tests.hostile.case import ACCEPTED, EITHER, LISTED, REFUSED, Case

DESCRIPTION = "dataset_description.json"
NO_LABELS = ("", "-", "2-3")


class Canary:
    def __reduce__(self):
        return os.mkdir, ("canary",)


def cases():
    """All cases, `Case` each."""
    yield from _descriptions()
    yield from _folders()
    yield from _loops()
    yield from _names()


def _case(name, spoil, words=bids, named="", expected=REFUSED, written=()):
    """`spoil` is a callable of the dataset's folder; `words` may be one of nothing."""

    def make(folder, scan):
        spoil(write_tree(folder, scan))
        return words()

    return Case("BIDS datasets", name, make, named, expected, written)


def _descriptions():
    contents = {
        **bad_files.BROKEN_JSON,
        "BIDSVersion of a list": '{"BIDSVersion": [[1]]}',
        "BIDSVersion of a path": '{"BIDSVersion": "../../../etc/passwd"}',
        "BIDSVersion NaN": '{"BIDSVersion": NaN}',
        "names of no text": '{"Name": {"a": NaN}, "GeneratedBy": 7, "License": [[]]}',
    }
    places = {
        "a folder": lambda path: path.mkdir(),
        "link to /dev/zero": lambda path: path.symlink_to("/dev/zero"),
        "link to itself": lambda path: path.symlink_to(path),
        "FIFO": os.mkfifo,
    }
    for name, content in contents.items():
        content = content if isinstance(content, bytes) else content.encode()
        places[name] = lambda path, content=content: path.write_bytes(content)
    for name, place in places.items():
        # Nothing of it is needed, so that it may pass.
        yield _case(
            f"{DESCRIPTION} of the input, {name}",
            lambda tree, place=place: place(tree / DESCRIPTION),
            named="raw",
            expected=EITHER,
        )

        def spoil(tree, place=place):
            (tree.parent / "out" / "maps").mkdir()
            place(tree.parent / "out" / "maps" / DESCRIPTION)

        # The link to nothing is replaced.
        expected = ACCEPTED if name == "link to itself" else REFUSED
        yield _case(
            f"{DESCRIPTION} of the output, {name}", spoil, bids, "maps", expected
        )


def _folders():
    def nothing(tree):
        return None

    for name, folder in (
        ("missing", "none"),
        ("a file", f"raw/{BAD}/anat/{BAD}_mask.nii.gz"),
        ("/dev/zero", "/dev/zero"),
        ("empty", "out"),
        ("no name", ""),
        ("NUL", "nul\0"),
        ("escape codes", "\x1b[2J\nb"),
        ("5000 letters", "n" * 5000),
    ):
        yield _case(f"input, {name}", nothing, lambda f=folder: bids(f))
    for name, folder in (
        ("a file", f"raw/{BAD}/anat/{BAD}_mask.nii.gz"),
        ("below a file", f"raw/{BAD}/anat/{BAD}_mask.nii.gz/maps"),
        ("/dev/null", "/dev/null"),
        ("in no folder", "none/maps"),
        ("the input", "raw/../raw"),
        ("NUL", "out/nul\0"),
        ("5000 letters", "out/" + "n" * 5000),
    ):
        yield _case(f"output, {name}", nothing, lambda f=folder: bids("raw", f))

    def link(tree):
        (tree.parent / "link").symlink_to(tree)

    yield _case("output, link to the input", link, lambda: bids("raw", "link"))

    def raw(tree):
        content = {"Name": "Heads", "BIDSVersion": "1.10.0"}
        (tree / DESCRIPTION).write_text(json.dumps(content))

    yield _case("input in the output", raw, lambda: bids("raw/sub-1", "raw"))
    for label in ("..", "1/..", "\x1b[2J", "", "nul\0", "*"):
        yield _case(
            f"--participant-label={label!r}",
            nothing,
            lambda word=f"--participant-label={label}": bids("raw", "out/maps", word),
        )


def _loops():
    def case(name, spoil, expected=ACCEPTED, words=bids):
        return _case(name, spoil, words, "raw", expected)

    def up(tree):
        (tree / "sub-1" / "up").symlink_to("..")

    def many(tree):
        for name in "abcdef":
            (tree / name).symlink_to(".")

    def root(tree):
        (tree / "root").symlink_to("/")

    def deep(tree):
        folder = os.open(tree, os.O_RDONLY)
        for _ in range(900):
            os.mkdir("a", dir_fd=folder)
            below = os.open("a", os.O_RDONLY, dir_fd=folder)
            os.close(folder)
            folder = below
        os.close(folder)

    def backslash(tree):
        (tree / r"a\..").mkdir()

    def hidden_pickle(tree):
        (tree / ".ancpbids-dataset.pickle").write_bytes(pickle.dumps(Canary()))

    def tables(tree):
        os.mkfifo(tree / "participants.tsv")
        os.mkfifo(tree / "participants.json")
        (tree / ".bidsignore").symlink_to("/dev/zero")

    yield case("link to the folder above", up)
    yield case("six links to their folder", many)
    yield case("output in the input", lambda tree: None, words=_twice_inside)
    yield case("900 folders in one another", deep, REFUSED)
    yield case("backslash in a name", backslash)
    yield case("pickle of the library", hidden_pickle)
    yield case("FIFOs as tables", tables)


def _twice_inside():
    return bids("raw", "raw/maps")


def _names():
    for label in (
        *("a\nb", "\x1b[2J", "$(touch canary)", ";touch canary;", "\udcff", "a'b", ""),
        *("\u0663", "\u202e1", "9" * 200, "-", "2-3", "a b", "&<script>"),
    ):

        def spoil(tree, label=label):
            subject = tree / f"sub-{label}"
            os.rename(tree / BAD, subject)
            for suffix in ("localfield", "mask"):
                name = f"{BAD}_{suffix}.nii.gz"
                renamed = f"sub-{label}_{suffix}.nii.gz"
                os.rename(subject / "anat" / name, subject / "anat" / renamed)

        if label in NO_LABELS:
            yield _case(f"label {label!r}", spoil, bids, "no local", LISTED, WRITTEN)
        else:
            yield _case(f"label {label[:20]!r}", spoil, expected=ACCEPTED)
