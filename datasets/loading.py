"""Reads a data set by name, and builds it first where it is missing."""

import json
import sys
import zlib
from pathlib import Path

import numpy as np

from datasets.scan_listing import list_scans, only_scans

NEEDED = {"susceptibility", "mask", "white_matter", "voxel_size"}
MEASURED = {"local_field", "b0_direction"}
RECORD = "scans.json"

# TensorFlow Datasets is imported in the functions: scripts tell of wrong flags first.


def load_dataset(
    name, data_dir, split, scans_dir=None, at_most=None, measured_fields=False
):
    """A TFDS data set: of `datasets/`, built if it is missing, or a built folder.

    Args:
        name: "name/config" of `datasets/`, or a folder TFDS has built, with the
            features of `qsm_brain`.
        data_dir: path of the folder data sets are built in.
        split: what to read, in TFDS's words, such as "train[:10%]".
        scans_dir: path of the user's scans, for a data set made of them. Defaults to
            None, for one that is built already.
        at_most: int, examples of a whole split to read. Defaults to None: all.
        measured_fields: bool, whether it must have these. Defaults to False.

    Returns:
        `tf.data.Dataset` of stored examples, in a fixed order.

    Raises:
        InputError: no such data set, configuration or split, nothing in it, or not
            what training needs, or it was built from other scans, or is damaged, or
            cannot be written.
    """
    import tensorflow_datasets as tfds
    from google.protobuf import json_format

    from spinet_tf.errors import InputError

    try:
        if _is_built(name):
            builder = tfds.builder_from_directory(name)
        else:
            builder = _prepared(name, data_dir, scans_dir)
    except (json_format.ParseError, json.JSONDecodeError) as error:
        raise InputError(
            f"data set {name}: its description or record is damaged, {error}"
        ) from error
    if measured_fields and builder.name == "qsm_cosmos" and builder.version < "1.1.0":
        raise InputError(
            f"measured_fields: data set {name}: expected version 1.1.0 or later, got"
            f" {builder.version}, whose patches hold the field of sources outside"
        )
    needed = NEEDED | MEASURED if measured_fields else NEEDED
    missing = needed - set(builder.info.features)
    if missing:
        asked = "measured_fields: " if missing <= MEASURED else ""
        raise InputError(f"{asked}data set {name}: has no {', '.join(sorted(missing))}")
    if at_most is not None and split in builder.info.splits:
        held = builder.info.splits[split].num_examples
        split = f"{split}[:{min(at_most, held)}]"
    try:
        dataset = builder.as_dataset(
            split=split,
            shuffle_files=False,
            read_config=tfds.ReadConfig(try_autocache=False),
        )
    except ValueError as error:
        reason = str(error).strip().split("\n")[0]
        if "corresponds to no data" in reason:
            reason = "holds no example"
        raise InputError(f"data set {name}, {split}: {reason}") from error
    if not len(dataset):
        raise InputError(f"data set {name}, {split}: holds no example")
    return dataset


def may_be_of_scans(name, data_dir):
    """Whether a data set is made of scans; of a folder TFDS has built nobody knows.

    Args:
        name: as for `load_dataset`.
        data_dir: path of the folder data sets are built in.

    Returns:
        A bool.

    Raises:
        InputError: no such data set.
    """
    return _is_built(name) or bool(
        _own_builder(name, data_dir).MANUAL_DOWNLOAD_INSTRUCTIONS
    )


def only_coarse(stored, least, name):
    """The examples whose voxels are large enough, in the same order.

    Args:
        stored: `tf.data.Dataset` of stored examples.
        least: float [mm], of the mean of a voxel's three edges.
        name: str, of the data set, for the message.

    Returns:
        `tf.data.Dataset` of known length.

    Raises:
        InputError: none is.
    """
    import tensorflow as tf

    from spinet_tf.errors import InputError

    chosen = stored.filter(lambda e: tf.reduce_mean(e["voxel_size"]) >= least)
    count = chosen.reduce(np.int64(0), lambda total, _: total + 1).numpy()
    if not count:
        raise InputError(f"data set {name}: no example has voxels of {least:g} mm")
    return chosen.apply(tf.data.experimental.assert_cardinality(count))


def _prepared(name, data_dir, scans_dir):
    """The builder of a data set that is built, by now, of these scans."""
    import tensorflow as tf

    from spinet_tf.atomic_write import why_not_written
    from spinet_tf.errors import InputError

    builder = _own_builder(name, data_dir)
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
    import tensorflow_datasets as tfds

    from spinet_tf.atomic_write import write_json
    from spinet_tf.folder_lock import locked

    def wait():
        told = f"data set {name}: another process builds in {data_dir}, waiting"
        print(told, file=sys.stderr, flush=True)

    with locked(Path(data_dir), wait):
        builder = _own_builder(name, data_dir)
        if not Path(builder.data_dir).exists():
            config = tfds.download.DownloadConfig(manual_dir=scans_dir)
            builder.download_and_prepare(download_config=config)
            if scans:
                write_json(Path(builder.data_dir) / RECORD, scans)
    return builder


def scans_of(name, data_dir):
    """What tells the scans that a data set was built of from others.

    Args:
        name: as for `load_dataset`.
        data_dir: path of the folder data sets are built in.

    Returns:
        str, a checksum; empty for a data set that is of no scans, or was built without
        a record of them.
    """
    folder = name if _is_built(name) else _own_builder(name, data_dir).data_dir
    record = Path(folder) / RECORD
    return f"{zlib.crc32(record.read_bytes()):08x}" if record.exists() else ""


def _is_built(folder):
    return (Path(folder) / "dataset_info.json").exists()


def _has_files(folder):
    return folder and Path(folder).is_dir() and any(Path(folder).iterdir())


def _own_builder(name, data_dir):
    import importlib

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
