"""The CSV log of a training, which one that goes on adds to."""

import csv
import math

from spinet_tf.atomic_write import atomic_path
from spinet_tf.errors import InputError
from spinet_tf.training.validation import CHOSEN_BY


def keep_log_until(path, epochs):
    """Drop the log's lines of epochs that will be run again.

    Args:
        path: the CSV log; may be missing.
        epochs: int, epochs completed.

    Raises:
        InputError: a line does not begin with a number.
    """
    if not epochs:
        path.unlink(missing_ok=True)
    if not path.exists():
        return
    header, *lines = _text(path).splitlines(keepends=True) or [""]
    kept = [
        line
        for line in lines
        if line.strip() and _number(line.strip().split(",")[0], "epoch", path) < epochs
    ]
    with atomic_path(path) as temporary:
        temporary.write_text(header + "".join(kept), "utf-8")


def best_in_log(path):
    """The best validation metric in a CSV log, or infinity.

    Args:
        path: the CSV log; may be missing or empty.

    Returns:
        float.

    Raises:
        InputError: a line does not tell it.
    """
    if not path.exists():
        return math.inf
    rows = csv.DictReader(_text(path).splitlines())
    values = [_number(row.get(CHOSEN_BY), CHOSEN_BY, path) for row in rows]
    return min((v for v in values if not math.isnan(v)), default=math.inf)


def _text(path):
    # What is no text is no number either, and is told of where one is read.
    return path.read_text("utf-8", errors="replace")


def _number(text, column, path):
    try:
        return float(text or "")
    except ValueError as error:
        raise InputError(
            f"{path}: expected a number for {column} in every line, as a training"
            f" writes it, got {text!r}; mend the file, or remove it: the best epoch is"
            " then chosen among those to come"
        ) from error
