"""Export a network: `python export.py --model=M.keras --output_dir=served`."""

import os
import re
from pathlib import Path

from absl import flags

from spinet_cli.path_flags import define_path
from spinet_cli.script import run_script

# TensorFlow is imported in the functions: the script tells of wrong flags first.

ONLY_FOR = {
    "precision": "saved_model",
    "max_voxels": "saved_model",
    "notes": "saved_model",
    "weights": "tflite",
}
"""Flags whose value a file of another format would lack without a word."""


def define_flags():
    """Flags of the model and of what is written."""
    define_path("model", None, "A .keras model; default: the one that ships.")
    define_path(
        "output_dir",
        None,
        "DIR; SavedModels go to DIR/1, 2, ..., TFLite to DIR/tflite.",
    )
    flags.DEFINE_enum(
        "format", "saved_model", ["saved_model", "tflite", "all"], "What to write."
    )
    flags.DEFINE_enum(
        "precision", "float32", ["float32", "bfloat16"], "Of the SavedModel's CNN."
    )
    flags.DEFINE_integer(
        "max_voxels", 320**3, "Largest batch the SavedModel accepts.", 5**3, 2**31 - 1
    )
    flags.DEFINE_list("sizes", "64x64x64", "Matrix sizes, a TFLite file for each.")
    flags.DEFINE_enum(
        "weights", "float32", ["float32", "float16"], "Of the TFLite files."
    )
    define_path(
        "notes",
        None,
        "Markdown file to end the model card with.",
    )
    flags.register_validator("output_dir", bool, "expected a folder")
    for name, format_ in ONLY_FOR.items():
        _refuse_with_another(name, format_)


def _refuse_with_another(name, format_):
    def good(values):
        return values[name] == flags.FLAGS[name].default or (
            values["format"] in (format_, "all")
        )

    message = f"--{name} goes with --format={format_} or all"
    flags.register_multi_flags_validator([name, "format"], good, message)


def run(options):
    """Export with these flags.

    Args:
        options: `absl.flags.FlagValues`.

    Returns:
        list of `Path`, what was written.

    Raises:
        InputError: a flag or file that cannot be used, or a folder not written to.
    """
    from spinet_tf.atomic_write import made_folder
    from spinet_tf.errors import InputError
    from spinet_tf.model_files import load_model
    from spinet_tf.pretrained import PRETRAINED
    from spinet_tf.serving.saved_model import export_saved_model
    from spinet_tf.serving.tflite import export_tflite

    path = Path(options.model or PRETRAINED)
    sizes = dict.fromkeys(_matrix_size(text) for text in options.sizes)
    notes = _notes(path, options.notes)
    if not sizes and options.format != "saved_model":
        raise InputError("--sizes: expected at least one matrix size")
    model = load_model(path)
    files = []
    with made_folder(options.output_dir, parents=True) as folder:
        if options.format in ("tflite", "all"):
            files = export_tflite(model, folder / "tflite", sizes, options.weights)
        if options.format == "tflite":
            return files
        # Last: from then on a server may take it, and what fails later would be too
        # late.
        version = export_saved_model(
            model, folder, options.precision, options.max_voxels, notes
        )
    return [version, *files]


def _matrix_size(text):
    """Three integers of "64x64x64"."""
    from spinet_tf.errors import InputError
    from spinet_tf.serving.tflite import checked_size

    if not re.fullmatch(r"[0-9]{1,9}x[0-9]{1,9}x[0-9]{1,9}", text):
        raise InputError(f"--sizes: expected such as 64x64x64, got {text!r}")
    return checked_size(map(int, text.split("x")))


def _notes(model_path, notes):
    """What the model's makers say of it: for the one that ships, its own card."""
    from spinet_tf.pretrained import PRETRAINED
    from spinet_tf.small_files import read_bytes

    if notes:
        return read_bytes(notes).decode(errors="replace")
    shipped = os.path.realpath(model_path) == os.path.realpath(PRETRAINED)
    return Path(PRETRAINED).with_name("README.md").read_text("utf-8") if shipped else ""


def main(options):
    """Export, and say what was written."""
    for path in run(options):
        print(f"wrote {path}")


if __name__ == "__main__":
    run_script(define_flags, main)
