"""A folder that belongs to one training at a time."""

from contextlib import AbstractContextManager
from pathlib import Path

from spinet_tf.errors import InputError
from spinet_tf.folder_lock import locked


def claimed(folder: Path) -> AbstractContextManager[None]:
    """Keep other trainings out of a folder during the block.

    Args:
        folder: the run folder; made if missing.

    Raises:
        InputError: another training has it.
    """

    def refuse():
        raise InputError(
            f"{folder}: another training runs in it; use another run folder"
        )

    return locked(folder, refuse)
