"""A `.keras` file with something changed, given to a program that reads it."""

import io
import itertools
import json
import os
import zipfile

import h5py

from tests.hostile.case import EITHER, REFUSED, Case, reconstruct
from tests.hostile.runner import CANARY

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"


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


def keras_case(kind, name, write, expected=REFUSED):
    place = _reconstruct if expected == EITHER else next(PLACES)

    def make(folder, scan):
        write(folder / "bad.keras", scan)
        return place(scan, folder / "bad.keras")

    return Case(
        f"keras, {kind}", f"{name} [{place.__name__[1:]}]", make, "bad.keras", expected
    )


def members_of(scan):
    with zipfile.ZipFile(scan / "tiny.keras") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_members(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def with_members(kind, name, change, expected=REFUSED, compression=zipfile.ZIP_STORED):
    """`change` is given the members, a dict of name to bytes, to be changed."""

    def write(path, scan):
        members = members_of(scan)
        change(members)
        write_members(path, members, compression)

    return keras_case(kind, name, write, expected)


def with_config(name, change, expected=REFUSED):
    """`change` is given the config as a dict and may return another."""

    def edit(members):
        config = json.loads(members[CONFIG])
        changed = change(config)
        members[CONFIG] = json.dumps(config if changed is None else changed).encode()

    return with_members("config", name, edit, expected)


def with_weights(name, change, expected=REFUSED):
    """`change` is given the open HDF5 file."""

    def edit(members):
        content = io.BytesIO(members[WEIGHTS])
        with h5py.File(content, "r+") as file:
            change(file)
        members[WEIGHTS] = content.getvalue()

    return with_members("weights", name, edit, expected)
