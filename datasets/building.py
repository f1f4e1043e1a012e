"""Builds a data set of `datasets/` where it is missing, with a record of its scans."""

import importlib
import itertools
import json
import os
import re
import shutil
import sys
import zlib
from pathlib import Path

from datasets.scan_listing import list_scans, only_scans

RECORD = "scans.json"
WORKSHOP = ".building"

# Libraries are imported in the functions: scripts tell of wrong flags first.


def prepared(name, data_dir, scans_dir):
    """The builder of a data set of `datasets/` that is built, by now, of these scans.

    Args:
        name: "name/config" of `datasets/`.
        data_dir: path of the folder data sets are built in.
        scans_dir: path of the user's scans; None for one that is built already.

    Returns:
        `tfds.core.DatasetBuilder`.

    Raises:
        InputError: no such data set, no scans, other scans than it was built from, or
            it cannot be written.
        json.JSONDecodeError: the record of its scans is damaged.
    """
    import tensorflow as tf

    from spinet_tf.atomic_write import why_not_written
    from spinet_tf.errors import InputError

    builder = own_builder(name, data_dir)
    is_there = Path(builder.data_dir).exists()
    scans = None
    if builder.MANUAL_DOWNLOAD_INSTRUCTIONS and (scans_dir or not is_there):
        if not _has_files(scans_dir):
            raise InputError(
                f"data set {name}: expected a folder of your scans as scans_dir, "
                f"got {scans_dir}"
            )
        scans = list_scans(scans_dir)

    # One that is there may be where nothing can be written, a lock neither.
    if not is_there:
        try:
            builder = _build(name, data_dir, scans_dir, scans)
        except (OSError, tf.errors.OpError, RuntimeError) as error:
            cause = error.__cause__ or error  # TFDS raises others in their place
            of_files = isinstance(cause, OSError | tf.errors.OpError)
            reason = why_not_written(cause) if of_files else None
            if reason is None:
                raise
            raise InputError(
                f"data set {name}: cannot be built in {data_dir}, {reason}"
            ) from error
    record = Path(builder.data_dir) / RECORD
    if (
        scans
        and record.exists()
        and only_scans(json.loads(record.read_text())) != scans
    ):
        raise InputError(
            f"data set {name}: {builder.data_dir} was built from other scans than"
            f" there are in {scans_dir} now; remove it or use another data_dir"
        )
    return builder


def _build(name, data_dir, scans_dir, scans):
    """Build a data set, unless another process is quicker; its builder."""
    from spinet_tf.folder_lock import locked

    def wait():
        told = f"data set {name}: another process builds in {data_dir}, waiting"
        print(told, file=sys.stderr, flush=True)

    with locked(Path(data_dir), wait):
        folder = Path(own_builder(name, data_dir).data_dir)
        if not folder.exists():
            _build_aside(name, Path(data_dir) / WORKSHOP, folder, scans_dir, scans)
    return own_builder(name, data_dir)


def _build_aside(name, workshop, folder, scans_dir, scans):
    """Build a data set in a workshop, and move it whole, with its record, to a folder.

    What is half built where data sets lie may be another program's, as `tfds build`
    knows no lock; what is in this folder is ours.
    """
    import tensorflow_datasets as tfds

    from spinet_tf.atomic_write import write_json

    shutil.rmtree(workshop, ignore_errors=True)  # of a process that was killed
    try:
        builder = own_builder(name, str(workshop))
        config = tfds.download.DownloadConfig(manual_dir=scans_dir)
        builder.download_and_prepare(download_config=config)
        if scans:
            # Without a record it would pass for one of any scans.
            write_json(Path(builder.data_dir) / RECORD, scans)
        folder.parent.mkdir(parents=True, exist_ok=True)
        if not folder.exists():  # else another program was quicker
            os.rename(builder.data_dir, folder)
            print(f"Moved to {folder}.", flush=True)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def scans_of(name, data_dir):
    """What tells the scans that a data set was built of from others.

    Args:
        name: as for `load_dataset`.
        data_dir: path of the folder data sets are built in.

    Returns:
        str, a checksum; empty for a data set that is of no scans, or was built without
        a record of them.
    """
    record = _record_of(name, data_dir)
    return f"{zlib.crc32(record.read_bytes()):08x}" if record.exists() else ""


def check_same_scans(names, data_dir):
    """Check that no subject can be in different splits of different data sets.

    Subjects are dealt out by what there is of them, so that one may be trained on in
    one data set and judged by in another that was built when there were more.

    Args:
        names: list of str, each as for `load_dataset`, of data sets that are built.
        data_dir: path of the folder data sets are built in.

    Raises:
        InputError: two have records of different scans, with a subject in both, or a
            record is damaged.
    """
    from spinet_tf.errors import InputError

    listed = {}
    for name in names:
        record = _record_of(name, data_dir)
        try:
            if record.exists():
                listed[name] = only_scans(json.loads(record.read_text()))
        except json.JSONDecodeError as error:
            raise InputError(f"{record}: is damaged, {error}") from error
    for one, other in itertools.combinations(listed, 2):
        shared = _subjects(listed[one]) & _subjects(listed[other])
        if listed[one] != listed[other] and shared:
            raise InputError(
                f"data sets {one} and {other}: expected both built from the same scans,"
                f" got different ones with {min(shared)} in both, which may be in train"
                " of one and in validation of the other"
            )


def _record_of(name, data_dir):
    folder = name if is_built(name) else own_builder(name, data_dir).data_dir
    return Path(folder) / RECORD


def _subjects(scans):
    found = (re.search(r"sub-[A-Za-z0-9]+", name) for name in scans)
    return {each[0] for each in found if each}


def is_built(folder):
    """Whether TFDS has built a data set in this folder itself."""
    return (Path(folder) / "dataset_info.json").exists()


def _has_files(folder):
    return folder and Path(folder).is_dir() and any(Path(folder).iterdir())


def own_builder(name, data_dir):
    """The builder of a data set of `datasets/`, built or not.

    Args:
        name: "name/config".
        data_dir: path of the folder data sets are built in.

    Returns:
        `tfds.core.DatasetBuilder`.

    Raises:
        InputError: no such data set or configuration.
    """
    from spinet_tf.errors import InputError

    package, _, config = name.partition("/")
    known = package.isidentifier() and (Path(__file__).parent / package).is_dir()
    if not known:
        raise InputError(f"data set {name}: neither in datasets/ nor a folder of TFDS")
    module = importlib.import_module(f"datasets.{package}.{package}_dataset_builder")
    names = [each.name for each in module.Builder.BUILDER_CONFIGS]
    if config not in names:
        raise InputError(
            f"data set {name}: expected {package}/ with one of {', '.join(names)}"
        )
    return module.Builder(config=config, data_dir=data_dir)
