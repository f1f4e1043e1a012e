"""`spinet-qsm evaluate`: susceptibility maps against a reference."""

import contextlib
import os
import warnings
from typing import NamedTuple

import numpy as np

from spinet_cli.arguments_scan import MASK_THRESHOLD
from spinet_cli.map_units import warn_of_ppb
from spinet_cli.method_names import method_names
from spinet_cli.outputs import check_outputs
from spinet_cli.provenance import check_report_path, provenance, recorded_warnings
from spinet_tf.atomic_write import atomic_paths, made_folder, write_json
from spinet_tf.errors import InputError
from spinet_tf.evaluate import (
    LABEL_ROUNDING,
    evaluate,
    format_table,
    write_side_by_side,
)
from spinet_tf.evaluation_report import evaluation_sections
from spinet_tf.metrics_regions import REGION_NAMES
from spinet_tf.nifti import read_mask, read_volume
from spinet_tf.orientation import CanonicalAxes
from spinet_tf.page import write_page
from spinet_tf.report import warning_elements
from spinet_tf.volume import check_field, check_same_grids, most_placed

LARGEST_LABEL = 2**24  # Beyond it float32 has gaps.


def run(arguments):
    """Run `spinet-qsm evaluate`.

    Args:
        arguments: the parsed flags.

    Raises:
        InputError: a flag or file that cannot be used, or a file not written.
    """
    check_report_path(arguments.report)
    names = method_names(arguments.reconstruction, arguments.label)
    folder, report = arguments.output_dir, arguments.report
    with contextlib.ExitStack() as stack:
        messages = stack.enter_context(recorded_warnings())
        outputs = []
        if folder:
            stack.enter_context(made_folder(folder))
            outputs += [
                os.path.join(folder, f"metrics.{kind}") for kind in ("json", "png")
            ]
        if report:
            outputs.append(report)
        check_outputs(outputs, [])
        scans = _read(arguments, names)
        results = {
            name: evaluate(chi, scans.reference, scans.mask, scans.segmentation)
            for name, chi in scans.maps.items()
        }
        with atomic_paths(outputs) as paths:
            if folder:
                alone = len(results) == 1
                write_json(paths[0], results[names[0]] if alone else results)
                _write_picture(paths[1], scans)
            if report:
                _report(paths[-1], arguments, scans, results, messages)
    print(format_table(results))
    if outputs:
        print()
    for path in outputs:
        print(f"wrote {path}")


def _write_picture(path, scans):
    axes = CanonicalAxes(scans.affine)
    maps = {name: axes.turn(chi) for name, chi in scans.maps.items()}
    others = axes.turn(scans.reference), axes.turn(scans.mask)
    voxel_size = axes.turn_edges(scans.voxel_size)
    write_side_by_side(path, maps, *others, voxel_size, axes.sides)


def _report(path, arguments, scans, results, messages):
    shared = scans.reference, scans.mask, scans.affine, scans.voxel_size
    sections = evaluation_sections(scans.maps, *shared, results)
    files = [*arguments.reconstruction, arguments.reference, arguments.mask]
    if arguments.segmentation:
        files.append(arguments.segmentation)
    sections["Warnings"] = warning_elements(messages)
    sections["Provenance"] = provenance(arguments, files)
    write_page(path, f"Evaluation of {', '.join(results)}", sections)


class _Scans(NamedTuple):
    """What is compared.

    Attributes:
        maps: dict of name to float32 `(x, y, z)`, susceptibility [ppm].
        reference: float32 `(x, y, z)`, susceptibility [ppm].
        mask: bool `(x, y, z)`.
        segmentation: int32 `(x, y, z)`, or None.
        affine: float64 `(4, 4)`, of what knows best where it lies, or None.
        voxel_size: three floats [mm].
    """

    maps: dict
    reference: np.ndarray
    mask: np.ndarray
    segmentation: np.ndarray | None
    affine: np.ndarray | None
    voxel_size: tuple


def _read(arguments, names):
    """Everything that is read; warnings come when all can be used."""
    maps = [read_volume(path) for path in arguments.reconstruction]
    reference = read_volume(arguments.reference)
    mask = read_mask(
        arguments.mask, arguments.mask_threshold, threshold_flag=MASK_THRESHOLD
    )
    volumes = [*maps, reference, mask]
    labels = None
    if arguments.segmentation:
        segmentation = read_volume(arguments.segmentation)
        volumes.append(segmentation)
    check_same_grids(volumes)
    reference = check_field(reference, mask)
    if not reference.data[mask.data].any():
        raise InputError(
            f"{reference.name}: expected a susceptibility map, got only zeros in the"
            " mask"
        )
    if arguments.segmentation:
        labels = _labels(segmentation, mask.data)
    for chi in maps:
        bad = np.count_nonzero(~np.isfinite(chi.data) & mask.data)
        if bad:
            warnings.warn(
                f"{chi.name}: {bad} voxels inside the mask are NaN or infinite;"
                " they count as 0",
                stacklevel=2,
            )
    for chi in (reference, *maps):
        warn_of_ppb(chi, mask)
    located = most_placed([reference, *volumes])
    return _Scans(
        dict(zip(names, (chi.data for chi in maps), strict=True)),
        reference.data,
        mask.data,
        labels,
        located.affine,
        located.voxel_size or (1, 1, 1),
    )


def _labels(segmentation, mask):
    """The labels of a segmentation as integers."""
    labels = np.rint(segmentation.data)
    # NaN fails the comparisons too.
    wrong = ~(
        (np.abs(segmentation.data - labels) < LABEL_ROUNDING)
        & (np.abs(labels) < LARGEST_LABEL)
    )
    if wrong.any():
        raise InputError(
            f"{segmentation.name}: expected integer labels below {LARGEST_LABEL}, found"
            f" {segmentation.data[wrong][0]:g}"
        )
    labels = labels.astype(np.int32)
    known = {0, 12, *REGION_NAMES}  # their 12 has no name and no errors here
    unknown = sorted(set(np.unique(labels[mask]).tolist()) - known)
    if unknown:
        warnings.warn(
            f"{segmentation.name}: has labels that the QSM challenges have not, such as"
            f" {unknown[0]}; those of another atlas get wrong names and errors",
            stacklevel=2,
        )
    return labels
