"""Keeps the newest version of a model loaded."""

import contextlib
import logging
import threading
from pathlib import Path

from spinet_tf.errors import InputError
from spinet_tf.serving.saved_model import versions
from spinet_tf.serving.served_model import ServedModel

LOG = logging.getLogger(__name__)
POLL_SECONDS = 1.0  # as TF-Serving


def _files_in(folder):
    """What is in a folder, as far as size and time of change tell."""
    files = {}
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # renamed by who copies it
            stat = path.lstat()
            files[path] = stat.st_size, stat.st_ctime_ns
    return files


class ModelStore:
    """The newest version in a model's base directory, watched for newer ones.

    A new version takes over when it is loaded and warm; requests that run on the one
    before end there. A version that cannot be loaded is passed over until its files
    change.

    Args:
        folder: path of the base directory, which holds `1`, `2`, ...

    Raises:
        InputError: there is no version in it that can be loaded.
    """

    def __init__(self, folder):
        self._folder = Path(folder)
        self._tried = {}
        self.current = None
        if not self._folder.is_dir():
            raise InputError(f"{folder}: no such folder")
        failures = self.refresh()
        if self.current is None:
            raise InputError(
                "; ".join(
                    [
                        f"{folder}: expected a folder with version directories 1, 2, "
                        "..., each a SavedModel that export.py wrote",
                        *failures,
                    ]
                )
            )

    def refresh(self):
        """Load the newest version, unless it is loaded or was tried as it is now.

        Returns:
            list of str, which versions cannot be loaded, and why; logged where there
            is another to serve.
        """
        failures = []
        for number in reversed(versions(self._folder)):
            if self.current and number <= self.current.version:
                break
            version = self._folder / str(number)
            files = _files_in(version)
            if self._tried.get(number) == files:
                continue
            self._tried[number] = files
            try:
                self.current = ServedModel(version)
            except Exception as error:  # whatever is in the folder, the server lives
                # Those of TensorFlow say nothing in their representation.
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                failures.append(f"version {number} cannot be loaded: {reason}")
            else:
                LOG.info("version %d is ready", number)
                break
        if self.current:
            for failure in failures:
                LOG.error("%s", failure)
        return failures

    def watch(self):
        """Refresh now and then, in a thread of its own.

        Returns:
            A callable that ends it.
        """
        stopped = threading.Event()

        def loop():
            while not stopped.wait(POLL_SECONDS):
                try:
                    self.refresh()
                except OSError as error:
                    LOG.error("%s: %s", self._folder, error)

        threading.Thread(target=loop, daemon=True).start()
        return stopped.set
