"""What there is to do in a BIDS dataset, and what cannot be done."""

import warnings
from collections import defaultdict
from typing import NamedTuple

from spinet_cli.bids_dataset import MapFiles, map_files
from spinet_cli.provenance import recorded_warnings
from spinet_cli.scan_task import ScanTask, given_units
from spinet_tf.errors import InputError
from spinet_tf.field_sidecar import parse_sidecar

SPATIAL_KEYS = ("SpatialReference", "Resolution")


class PlannedScan(NamedTuple):
    """A scan, or what stands for one that is missing.

    Attributes:
        name: str, what messages call it, for example "sub-01_ses-1".
        files: `MapFiles`; None without a local field.
        task: `ScanTask`; None if it cannot be reconstructed.
        problem: str, why it cannot.
    """

    name: str
    files: MapFiles | None = None
    task: ScanTask | None = None
    problem: str = ""


def plan_scans(tree, arguments, dataset):
    """Find the scans that the flags ask for.

    Args:
        tree: `BidsTree`.
        arguments: the parsed flags.
        dataset: `Path` of the derivative to write.

    Returns:
        list of `PlannedScan`, those that are done before too.

    Raises:
        InputError: a label that the dataset has not, or nothing to reconstruct.
    """
    planned = []
    chosen = _chosen_sessions(tree, arguments)
    for session in chosen:
        fields = [field for field in tree.local_fields if field.session == session]
        if not fields:
            planned.append(PlannedScan(_name(session), problem="no local field"))
        by_map = defaultdict(list)
        for field in fields:
            by_map[field.map_name].append(field)
        for same in by_map.values():
            planned.append(_plan(tree, arguments, dataset, same))
    if arguments.session_label:
        subjects = {subject for subject, _ in chosen}
        for label in arguments.participant_label or ():
            if label.removeprefix("sub-") not in subjects:
                name = f"sub-{label.removeprefix('sub-')}"
                told = f"{name}: has none of the sessions asked for"
                warnings.warn(told, stacklevel=1)
    if not any(scan.files for scan in planned):
        raise InputError(
            f"{tree.folder}: no local field, expected such as"
            " sub-01/anat/sub-01_desc-local_fieldmap.nii.gz"
        )
    return planned


def _plan(tree, arguments, dataset, fields):
    field = fields[0]
    files = map_files(dataset, field)
    try:
        if len(fields) > 1:
            names = " and ".join(tree.name(field.path) for field in fields)
            raise InputError(f"several local fields for one map: {names}")
        mask = tree.mask_of(field)
        with recorded_warnings() as told:
            content, source = tree.metadata(field)
        sidecar = parse_sidecar(content, source, given_units(arguments))
        if sidecar.units.units == "ppm" and "Units" not in content:
            _check_ppm(arguments, source)
        details = _bids_details(tree, field, mask, content, source, sidecar.units)
    except InputError as error:
        return PlannedScan(field.map_name, files, problem=str(error))
    task = ScanTask(
        flags=arguments,
        field=str(field.path),
        mask=str(mask),
        output=str(files.output),
        picture=str(files.picture),
        units=sidecar.units,
        report=str(files.report) if arguments.report else None,
        b0_direction=sidecar.b0_direction,
        bids=details,
        warnings=tuple(told),
    )
    return PlannedScan(field.map_name, files, task)


def _check_ppm(arguments, source):
    """Check that nothing speaks against a field in ppm whose sidecars name no unit.

    Args:
        arguments: the parsed flags.
        source: path, of the sidecar or the field.

    Raises:
        InputError: there are flags for fields in other units.
    """
    if arguments.b0 is not None or arguments.te is not None:
        raise InputError(
            f"{source}: names no Units, and --b0 and --te are not for a field in ppm;"
            " give --field-units hz or rad, or Units in the sidecar"
        )


def _bids_details(tree, field, mask, content, source, units):
    for key in SPATIAL_KEYS:
        value = content.get(key, "")
        texts = value.values() if isinstance(value, dict) else [value]
        if not all(isinstance(text, str) for text in texts):
            raise InputError(f"{source}: expected {key} to be text, or texts by name")
    sources = [f"bids:input:{tree.name(path)}" for path in (field.path, mask)]
    details = {
        "Description": "magnetic susceptibility, by inversion of a local field",
        "SkullStripped": True,
        "Sources": sources,
    }
    if units.b0 is not None:
        details["MagneticFieldStrength"] = units.b0
    if "space" in field.entities:
        details["SpatialReference"] = sources[0]
    return details | {key: content[key] for key in SPATIAL_KEYS if key in content}


def _chosen_sessions(tree, arguments):
    chosen = tree.sessions
    for index, flag, prefix in (
        (0, "participant_label", "sub-"),
        (1, "session_label", "ses-"),
    ):
        wanted = getattr(arguments, flag)
        if not wanted:
            continue
        labels = [label.removeprefix(prefix) for label in wanted]
        for label in labels:
            if label not in {session[index] for session in tree.sessions}:
                raise InputError(
                    f"--{flag.replace('_', '-')}: no {prefix}{label} in {tree.folder}"
                )
        chosen = [session for session in chosen if session[index] in labels]
    if tree.sessions and not chosen:
        raise InputError(
            "--session-label: none of the participants asked for has such a session"
        )
    return chosen


def _name(session):
    subject, label = session
    return f"sub-{subject}_ses-{label}" if label else f"sub-{subject}"
