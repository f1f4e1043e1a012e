"""Reads a data set by name, and builds it first where it is missing."""

import json

import numpy as np

from datasets.building import is_built, own_builder, prepared

NEEDED = {"susceptibility", "mask", "white_matter", "voxel_size"}
MEASURED = {"local_field", "b0_direction"}

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
        if is_built(name):
            builder = tfds.builder_from_directory(name)
        else:
            builder = prepared(name, data_dir, scans_dir)
    except (json_format.ParseError, json.JSONDecodeError) as error:
        raise InputError(
            f"data set {name}: its description or record is damaged, {error}"
        ) from error
    if measured_fields and _has_fields_of_sources_outside(builder):
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
    return is_built(name) or bool(
        own_builder(name, data_dir).MANUAL_DOWNLOAD_INSTRUCTIONS
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


def _has_fields_of_sources_outside(builder):
    """Whether it holds patches as they were made before; whole volumes are the same."""
    if builder.name != "qsm_cosmos" or builder.version >= "1.1.0":
        return False
    return None not in builder.info.features["mask"].shape
