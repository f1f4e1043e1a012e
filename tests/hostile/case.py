"""One bad input, and the commands it can be given to."""

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path

REFUSED = "refused"
ACCEPTED = "accepted"
EITHER = "refused or accepted"
LISTED = "listed as failed"


@dataclasses.dataclass(frozen=True)
class Case:
    """One bad input.

    Attributes:
        kind: the table's row.
        name: what is bad.
        make: callable of the case's own folder and that of a good scan; writes the
            input and returns the words of the command line, the program first.
        named: what the message has to contain.
        expected: REFUSED; ACCEPTED for what is odd and yet valid; EITHER for random
            damage, which may hit what nobody reads; LISTED for one of several scans:
            the others go on, and it is told at the end, with exit code 1.
        written: of a LISTED case, the only files that it may leave, and must.
    """

    kind: str
    name: str
    make: Callable[[Path, Path], list[str]]
    named: str = ""
    expected: str = REFUSED
    written: tuple[str, ...] = ()


def reconstruct(scan, **changed):
    """`reconstruct` of the good scan but for the flags given; None leaves one out."""
    flags = {
        "method": "tkd",
        "field": scan / "field.nii",
        "mask": scan / "mask.nii",
        "output": "out/map.nii.gz",
        **changed,
    }
    return ["spinet-qsm", "reconstruct", *_words(flags)]


def evaluate(scan, **changed):
    flags = {
        "reconstruction": scan / "chi.nii",
        "reference": scan / "chi.nii",
        "mask": scan / "mask.nii",
        "output-dir": "out/comparison",
        **changed,
    }
    return ["spinet-qsm", "evaluate", *_words(flags)]


def simulate(scan, **changed):
    flags = {
        "susceptibility": scan / "chi.nii",
        "mask": scan / "mask.nii",
        "output": "out/field.nii",
        **changed,
    }
    return ["spinet-qsm", "simulate", *_words(flags)]


def _words(flags):
    return [f"--{name}={value}" for name, value in flags.items() if value is not None]


# Where a volume is read: each bad file goes to the next of them.
PLACES = itertools.cycle(
    [
        (reconstruct, "field"),
        (reconstruct, "mask"),
        (evaluate, "reconstruction"),
        (reconstruct, "reference"),
        (simulate, "susceptibility"),
        (evaluate, "reference"),
        (simulate, "mask"),
        (evaluate, "segmentation"),
    ]
)


def volume_case(
    kind, name, file_name, write, expected=REFUSED, place=None, **flags
) -> Case:
    """A bad volume, given to one of the commands that read volumes.

    Args:
        kind: see `Case`.
        name: see `Case`.
        file_name: of the volume; the message has to contain it.
        write: callable of the path and the scan's folder.
        expected: see `Case`.
        place: pair of command and flag. Defaults to the next of `PLACES`.
        **flags: other flags of the command.
    """
    command, flag = place or next(PLACES)

    def make(folder, scan):
        write(folder / file_name, scan)
        return command(scan, **{flag: folder / file_name}, **flags)

    return Case(kind, f"{name} [{flag}]", make, file_name, expected)
