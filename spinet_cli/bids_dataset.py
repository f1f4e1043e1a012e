"""The BIDS derivative that `spinet-qsm bids` writes."""

import os
from pathlib import Path
from typing import NamedTuple

from spinet_cli.scan_task import without_suffix
from spinet_tf import __version__
from spinet_tf.atomic_write import atomic_path, made_folder, write_json
from spinet_tf.bids_files import DESCRIPTION
from spinet_tf.errors import InputError
from spinet_tf.field_sidecar import read_json_object
from spinet_tf.nifti import read_volume

BIDS_VERSION = "1.10.0"
README = """Susceptibility maps [ppm] by spinet-qsm, one for each local field.

The pictures, and the reports if there are any, are in the folders `figures`.
"""


class MapFiles(NamedTuple):
    """The files of one map.

    Attributes:
        output: `Path` of the map.
        picture: `Path`.
        report: `Path`.
    """

    output: Path
    picture: Path
    report: Path

    @property
    def sidecar(self):
        """`Path` of the sidecar."""
        return Path(f"{without_suffix(str(self.output))}.json")

    def has_pictures(self, report):
        """Whether the picture is there, and the report if that is wanted.

        Args:
            report: bool, whether it is.

        Returns:
            bool.
        """
        return all(map(os.path.isfile, [self.picture, *([self.report] * report)]))

    def read_sidecar(self):
        """What the sidecar says, if the map is there too.

        Returns:
            dict; None if map or sidecar cannot be read.
        """
        try:
            read_volume(self.output)
            return read_json_object(self.sidecar)
        except InputError:
            return None

    def make_folders(self):
        """Make the folders of the files.

        Raises:
            InputError: they cannot be made.
        """
        for path in (self.output, self.picture):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InputError(
                    f"{path.parent}: cannot be made, {error.strerror}"
                ) from error

    def remove_empty_folders(self, dataset):
        """Remove the folders of the files, up to the dataset's, that hold nothing.

        Args:
            dataset: `Path` of the dataset.
        """
        for path in (self.output, self.picture):
            for folder in path.parents:
                if folder == dataset:
                    break
                try:
                    folder.rmdir()
                except OSError:  # it holds something, or is not there
                    break


def map_files(dataset, field):
    """Where the map of a local field goes.

    Args:
        dataset: `Path` of the derivative.
        field: `BidsFile`.

    Returns:
        `MapFiles`.
    """
    subject, session = field.session
    folder = dataset / f"sub-{subject}"
    if session:
        folder /= f"ses-{session}"
    stem = f"{field.map_name}_Chimap"
    return MapFiles(
        folder / "anat" / f"{stem}.nii.gz",
        folder / "figures" / f"{stem}.png",
        folder / "figures" / f"{stem}.html",
    )


def check_dataset(dataset, source):
    """Check that the derivative, if it is there, is that of the dataset.

    Args:
        dataset: `Path` of the derivative.
        source: `Path` of the dataset that is read.

    Raises:
        InputError: it is of another dataset, or of another kind.
    """
    path = dataset / DESCRIPTION
    if not os.path.exists(path):  # nor can a name be that is too long
        return
    description = read_json_object(path)
    if description.get("DatasetType") != "derivative":
        raise InputError(f"{dataset}: expected a folder for a BIDS derivative")
    links = description.get("DatasetLinks")
    found = links.get("input") if isinstance(links, dict) else None
    if found != source.as_uri():
        raise InputError(
            f"{dataset}: is not the derivative of {source}, its {DESCRIPTION} has"
            f" {'no input' if found is None else f'the input {found}'}; take another"
            " folder, or, if the dataset was moved, remove that file"
        )


def prepare_dataset(dataset, source):
    """Make the derivative's folder and write what tells of it, unless it is there.

    Args:
        dataset: `Path` of the derivative.
        source: `Path` of the dataset that is read.

    Raises:
        InputError: it cannot be written.
    """
    with made_folder(dataset):
        description = dataset / DESCRIPTION
        if not description.exists():
            write_json(description, _description(source))
        for name, text in ((".bidsignore", "figures\n"), ("README", README)):
            if not (dataset / name).exists():
                with atomic_path(dataset / name) as temporary:
                    temporary.write_text(text, "utf-8")


def _description(source):
    uri = source.as_uri()
    return {
        "Name": "Susceptibility maps by spinet-qsm",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "spinet-qsm", "Version": __version__}],
        "SourceDatasets": [{"URL": uri}],
        "DatasetLinks": {"input": uri},
    }
