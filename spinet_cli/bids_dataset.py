"""The BIDS derivative that `spinet-qsm bids` writes."""

import os
from pathlib import Path
from typing import NamedTuple

from spinet_tf import __version__
from spinet_tf.atomic_write import atomic_path, made_folder, write_json
from spinet_tf.errors import InputError
from spinet_tf.field_sidecar import read_json_object
from spinet_tf.nifti import read_volume

BIDS_VERSION = "1.10.0"
DESCRIPTION = "dataset_description.json"
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
        return self.output.with_name(self.output.name.replace(".nii.gz", ".json"))

    def read_sidecar(self, report):
        """What the sidecar says, if everything is there.

        Args:
            report: bool, whether the report belongs to it.

        Returns:
            dict; None if a file is missing, or map or sidecar cannot be read.
        """
        others = [self.sidecar, self.picture, *([self.report] if report else [])]
        if not all(map(os.path.isfile, others)):
            return None
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
                if folder == dataset or not folder.is_dir() or any(folder.iterdir()):
                    break
                folder.rmdir()


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


def prepare_dataset(dataset, source):
    """Make the derivative's folder and write what tells of it, unless it is there.

    Args:
        dataset: `Path` of the derivative.
        source: `Path` of the dataset that is read.

    Raises:
        InputError: it cannot be written, or is a dataset of another kind.
    """
    with made_folder(dataset):
        description = dataset / DESCRIPTION
        if not description.exists():
            write_json(description, _description(source))
        elif read_json_object(description).get("DatasetType") != "derivative":
            raise InputError(f"{dataset}: expected a folder for a BIDS derivative")
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
