"""Where a report comes from: flags, files, versions, warnings and the time."""

import argparse
import contextlib
import datetime
import os
import platform
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from spinet_cli.arguments import SUBCOMMANDS
from spinet_tf import __version__
from spinet_tf.errors import InputError
from spinet_tf.nifti import split_array_name
from spinet_tf.page import table

PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "nibabel", "matplotlib", "nilearn")
SUFFIXES = (".html", ".htm")


def check_report_path(path):
    """Check the suffix of a report.

    Args:
        path: what `--report` was given; None for no report.

    Raises:
        InputError: it is not that of a web page.
    """
    if path is not None and Path(path).suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: expected a report .html")


@contextlib.contextmanager
def recorded_warnings():
    """Keep the warnings of a block, which are shown as ever.

    Yields:
        list of str that grows.
    """
    messages, show = [], warnings.showwarning

    def record(message, *args, **kwargs):
        messages.append(str(message))
        show(message, *args, **kwargs)

    warnings.showwarning = record
    try:
        yield messages
    finally:
        warnings.showwarning = show


def provenance(arguments, files):
    """The elements of a section that tells where a report comes from.

    Args:
        arguments: the parsed flags.
        files: list of paths that were read or are written.

    Returns:
        list of elements of `spinet_tf.page`.
    """
    names = _flag_names(arguments.subcommand)
    flags = {
        names[key]: " ".join(value) if isinstance(value, list) else value
        for key, value in vars(arguments).items()
        if value is not None and key in names
    }
    now = datetime.datetime.now(datetime.timezone.utc)
    made = {
        "made": now.isoformat(" ", "seconds"),
        "command": f"spinet-qsm {arguments.subcommand}",
        "spinet-tf": __version__,
        "Python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
    }
    return [
        table(made.items(), caption="Software"),
        table(flags.items(), caption="Flags, the defaults too"),
        table(
            [(path, os.path.abspath(path), _size(path)) for path in files],
            ("", "absolute path", "bytes"),
            "Files",
        ),
    ]


def _flag_names(subcommand):
    """What its `--help` calls each flag and argument, by where the value is kept."""
    parser = argparse.ArgumentParser()
    _, add_arguments = SUBCOMMANDS[subcommand]
    add_arguments(parser)
    # All else that is kept, such as the geometry of `bids`, has no flag; what Beam is
    # given belongs to how the work was spread, not to how a map was made.
    return {
        action.dest: (action.option_strings or [action.metavar])[0]
        for action in parser._actions
    }


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _size(path):
    file_name, _ = split_array_name(str(path))
    return os.path.getsize(file_name) if os.path.isfile(file_name) else "-"
