"""Reads a data set by name, and builds it first where it is missing."""

from pathlib import Path

# TensorFlow Datasets is imported in the functions: scripts tell of wrong flags first.


def load_dataset(name, data_dir, split):
    """A TFDS data set: of `datasets/`, built if it is missing, or a built folder.

    Args:
        name: "name/config" of `datasets/`, or the folder that holds a
            `dataset_info.json`.
        data_dir: path of the folder data sets are built in.
        split: what to read, in TFDS's words, such as "train[:10%]".

    Returns:
        `tf.data.Dataset` of stored examples, in a fixed order.

    Raises:
        InputError: no such data set, configuration or split, or nothing in it.
    """
    import tensorflow_datasets as tfds

    from spinet_tf.errors import InputError

    try:
        if (Path(name) / "dataset_info.json").exists():
            builder = tfds.builder_from_directory(name)
        else:
            builder = _own_builder(name, data_dir)
            builder.download_and_prepare()
        dataset = builder.as_dataset(
            split=split,
            shuffle_files=False,
            read_config=tfds.ReadConfig(try_autocache=False),
        )
    except (ValueError, AssertionError) as error:
        reason = str(error).strip().split("\n")[0]
        raise InputError(f"data set {name}, {split}: {reason}") from error
    if not len(dataset):
        raise InputError(f"data set {name}, {split}: holds no example")
    return dataset


def _own_builder(name, data_dir):
    import importlib

    from spinet_tf.errors import InputError

    package, _, config = name.partition("/")
    if not package or not (Path(__file__).parent / package).is_dir():
        raise InputError(f"data set {name}: neither in datasets/ nor a folder of TFDS")
    module = importlib.import_module(f"datasets.{package}.{package}_dataset_builder")
    return module.Builder(config=config or None, data_dir=data_dir)
