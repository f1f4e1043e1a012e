"""Local fields and what belongs to them in a tree of BIDS datasets."""

import os
import warnings
from pathlib import Path
from typing import NamedTuple

from spinet_tf.bids_files import DESCRIPTION, find_files, not_taken
from spinet_tf.errors import InputError
from spinet_tf.field_sidecar import DIRECTION_KEYS, read_metadata
from spinet_tf.nifti import NIFTI_SUFFIXES

MAP_ENTITIES = (
    *("sub", "ses", "task", "acq", "ce", "rec", "run", "space", "chunk", "res"),
)
"""What BIDS allows in the name of a susceptibility map, in its order."""

_ERODED_MASK = "bgmask"  # QSMxT's, where its background removal gives a field
# Suffixes with a hyphen or an underscore are none of BIDS, and what they stand for.
_NOT_BIDS = {
    "_fieldmap-local.": "_desc-local_fieldmap.",  # qsm-forward
    "_mask_QSM.": f"_{_ERODED_MASK}.",  # SEPIA
}
# Of QSMxT's two passes this is the one that sees reliable phase only.
_SKIPPED_FOLDER = "bgremove-reliable"


class BidsFile(NamedTuple):
    """A file with a BIDS name.

    Attributes:
        path: absolute.
        entities: values by their keys, for example {"sub": "01", "run": "02"}.
        suffix: for example "mask".
    """

    path: Path
    entities: dict[str, str]
    suffix: str

    @property
    def session(self) -> tuple[str, str]:
        """Labels of subject and session, the latter "" if there is none."""
        return self.entities["sub"], self.entities.get("ses", "")

    @property
    def map_name(self) -> str:
        """The entities that a susceptibility map of this image has in its name."""
        return "_".join(
            f"{key}-{self.entities[key]}"
            for key in MAP_ENTITIES
            if key in self.entities
        )

    @property
    def scan_name(self) -> str:
        """All entities but `desc`, as they are in its name."""
        return "_".join(f"{key}-{value}" for key, value in _without_desc(self).items())

    def belongs_to(self, image: "BidsFile") -> bool:
        """Whether it has no entity, but for a `desc`, that the image has not."""
        return _without_desc(self).items() <= image.entities.items()


class BidsTree:
    """A BIDS dataset, raw or derivative, with the derivatives in it.

    Attributes:
        folder: `Path`, absolute and without links.
        sessions: sorted list of `(subject, session)`, labels; the session is "" where
            a subject has none.
        local_fields: list of `BidsFile`.

    Args:
        folder: the dataset.

    Raises:
        InputError: if there is no such folder, or its description cannot be read, or
            ancpbids is not installed.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(os.path.realpath(folder))
        self._paths, folders = find_files(self.folder)
        files = list(filter(None, map(_parse, self._paths)))
        self._images = [
            file
            for file in files
            if file.path.name.endswith(NIFTI_SUFFIXES) and "sub" in file.entities
        ]
        self._sidecars = [file for file in files if file.path.suffix == ".json"]
        self.local_fields = sorted(filter(_is_local_field, self._images))
        found = folders | {image.session for image in self._images}
        in_sessions = {subject for subject, session in found if session}
        fields = {field.session for field in self.local_fields}
        self.sessions = sorted(
            (subject, session)
            for subject, session in found
            # Files of a subject beside its sessions are no session of their own.
            if session or subject not in in_sessions or (subject, "") in fields
        )

    def mask_of(self, field: BidsFile) -> Path:
        """The mask of a local field.

        It is a `mask` without `desc` or with `desc-brain`, or QSMxT's eroded `bgmask`
        or SEPIA's `mask_QSM` in the same folder, the latter first.

        Args:
            field: one of `local_fields`.

        Returns:
            Its path, chosen as `best_for` does.

        Raises:
            InputError: if there is none, or several are as good.
        """
        eroded = [
            image
            for image in self.images(_ERODED_MASK)
            if image.path.parent == field.path.parent and image.belongs_to(field)
        ]
        masks = eroded or self.images("mask", None, "brain")
        return self.best_for(field, masks, "desc-brain_mask")

    def images(self, suffix: str, *desc: str | None) -> list[BidsFile]:
        """The images with a suffix, and with a `desc` if one is given."""
        return [
            image
            for image in self._images
            if image.suffix == suffix
            and (not desc or image.entities.get("desc") in desc)
        ]

    def best_for(
        self, field: BidsFile, candidates: list[BidsFile], expected: str
    ) -> Path:
        """What belongs best to a local field.

        It has no entity, but for `desc`, that the field has not. One in the field's
        folder goes before others, then one with more entities, then one with a `desc`.

        Args:
            field: one of `local_fields`.
            candidates: what to choose from.
            expected: `desc` and suffix, for messages.

        Returns:
            Its path.

        Raises:
            InputError: if there is none, or several are as good.
        """

        def merit(image: BidsFile) -> tuple[bool, int, bool]:
            together = image.path.parent == field.path.parent
            return together, len(_without_desc(image)), "desc" in image.entities

        candidates = [image for image in candidates if image.belongs_to(field)]
        if not candidates:
            kind = expected.split("_")[-1]
            raise InputError(
                f"no {kind} for {self.name(field.path)}, expected such as"
                f" {field.scan_name}_{expected}.nii.gz"
                + not_taken(kind, field.entities["sub"], self._paths)
            )
        best = max(map(merit, candidates))
        paths = [image.path for image in candidates if merit(image) == best]
        if len(paths) > 1:
            names = " and ".join(map(self.name, paths))
            raise InputError(f"{names} belong to {self.name(field.path)}, keep one")
        return paths[0]

    def metadata(self, image: BidsFile) -> tuple[dict, Path]:
        """What the sidecars of an image say, those nearest to it last.

        Those of a dataset that its own dataset, such as a derivative, lies in do not
        count.

        Args:
            image: such as one of `local_fields`.

        Returns:
            The metadata, and the nearest sidecar's path, or the image's without any.

        Raises:
            InputError: if one is not JSON.
        """
        content, sidecars = {}, self.sidecars_of(image)
        for path in sidecars:
            nearer = read_metadata(path)
            if not nearer.keys().isdisjoint(DIRECTION_KEYS):  # by either name
                content = {k: v for k, v in content.items() if k not in DIRECTION_KEYS}
            content |= nearer
        return content, sidecars[-1] if sidecars else image.path

    def sidecars_of(self, image: BidsFile) -> list[Path]:
        """The sidecars of an image, the nearest last; see `metadata`."""
        above = [p for p in image.path.parents if p.is_relative_to(self.folder)]
        own = next((p for p in above if (p / DESCRIPTION).exists()), self.folder)
        sidecars = [
            file
            for file in self._sidecars
            if file.suffix == image.suffix
            and file.entities.items() <= image.entities.items()
            and image.path.is_relative_to(file.path.parent)
        ]
        outer = [file.path for file in sidecars if not file.path.is_relative_to(own)]
        for path in outer:
            warnings.warn(
                f"{self.name(path)}: does not count in {self.name(own)}, which is a"
                " dataset of its own",
                stacklevel=2,
            )
        sidecars = [file for file in sidecars if file.path not in outer]
        sidecars.sort(key=lambda file: (len(file.path.parts), len(file.entities)))
        return [file.path for file in sidecars]

    def name(self, path: Path) -> str:
        """A path as seen from the folder."""
        return path.relative_to(self.folder).as_posix()


def _parse(path: Path) -> BidsFile | None:
    from ancpbids.utils import parse_bids_name

    if path.name == "fieldmap-local.json":
        return BidsFile(path, {"desc": "local"}, "fieldmap")
    if "_" not in path.name:  # A sidecar for all, such as localfield.json.
        return BidsFile(path, {}, path.stem)
    name = path.name
    for found, meant in _NOT_BIDS.items():
        name = name.replace(found, meant)
    parts = parse_bids_name(name)
    if not parts or not all(parts["entities"].values()):
        return None
    # Of sub-a-b the library would take sub-a.
    words = [f"{key}-{value}" for key, value in parts["entities"].items()]
    is_whole = name.split(".")[0] == "_".join([*words, parts["suffix"]])
    return BidsFile(path, parts["entities"], parts["suffix"]) if is_whole else None


def _is_local_field(image: BidsFile) -> bool:
    is_local = image.suffix == "fieldmap" and image.entities.get("desc") == "local"
    skipped = image.path.parent.name == _SKIPPED_FOLDER
    return (is_local or image.suffix == "localfield") and not skipped


def _without_desc(file: BidsFile) -> dict[str, str]:
    return {key: value for key, value in file.entities.items() if key != "desc"}
