"""The CSV log of a training, which one that goes on adds to."""

import csv
import math

from spinet_tf.atomic_write import atomic_path
from spinet_tf.training.validation import CHOSEN_BY


def keep_log_until(path, epochs):
    """Drop the log's lines of epochs that will be run again.

    Args:
        path: the CSV log; may be missing.
        epochs: int, epochs completed.
    """
    if not epochs:
        path.unlink(missing_ok=True)
    if not path.exists():
        return
    header, *lines = path.read_text("utf-8").splitlines(keepends=True) or [""]
    kept = [line for line in lines if int(line.split(",")[0]) < epochs]
    with atomic_path(path) as temporary:
        temporary.write_text(header + "".join(kept), "utf-8")


def best_in_log(path):
    """The best validation metric in a CSV log, or infinity.

    Args:
        path: the CSV log; may be missing or empty.

    Returns:
        float.
    """
    if not path.exists():
        return math.inf
    with open(path, newline="", encoding="utf-8") as file:
        values = [float(row[CHOSEN_BY]) for row in csv.DictReader(file)]
    return min((v for v in values if not math.isnan(v)), default=math.inf)
