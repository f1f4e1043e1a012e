"""`spinet-qsm evaluate`: a susceptibility map against a reference."""

import contextlib
import os
import warnings
from pathlib import Path

import numpy as np

from spinet_cli.outputs import check_outputs
from spinet_cli.provenance import check_report_path, provenance, recorded_warnings
from spinet_tf.atomic_write import atomic_paths, made_folder, write_json
from spinet_tf.errors import InputError
from spinet_tf.evaluate import (
    evaluate,
    format_table,
    write_comparison,
)
from spinet_tf.nifti import read_mask, read_volume
from spinet_tf.orientation import CanonicalAxes
from spinet_tf.page import write_page
from spinet_tf.report import evaluation_sections, warning_elements
from spinet_tf.volume import check_field, check_same_grid

LABEL_ROUNDING = 1e-3
LARGEST_LABEL = 2**24  # Beyond it float32 has gaps.


def run(arguments):
    """Run `spinet-qsm evaluate`.

    Args:
        arguments: the parsed flags.

    Raises:
        InputError: a file that cannot be used or written.
    """
    check_report_path(arguments.report)
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
        reconstruction, reference, mask, segmentation = _read(arguments)
        maps = reconstruction.data, reference.data, mask.data
        result = evaluate(*maps, segmentation)
        voxel_size = reference.voxel_size or reconstruction.voxel_size or (1, 1, 1)
        with atomic_paths(outputs) as paths:
            if folder:
                write_json(paths[0], result)
                axes = CanonicalAxes(_affine(reconstruction, reference, mask))
                turned = map(axes.turn, maps)
                write_comparison(paths[1], *turned, axes.turn_edges(voxel_size))
            if report:
                volumes = (reconstruction, reference, mask)
                _report(paths[-1], arguments, volumes, voxel_size, result, messages)
    print(format_table({Path(reconstruction.name).name: result}))
    if outputs:
        print()
    for path in outputs:
        print(f"wrote {path}")


def _report(path, arguments, volumes, voxel_size, result, messages):
    name = Path(volumes[0].name).name
    sections = evaluation_sections(
        *(volume.data for volume in volumes),
        _affine(*volumes),
        voxel_size,
        result,
        name,
    )
    files = [arguments.reconstruction, arguments.reference, arguments.mask]
    if arguments.segmentation:
        files.append(arguments.segmentation)
    sections["Warnings"] = warning_elements(messages)
    sections["Provenance"] = provenance(arguments, files)
    write_page(path, f"Evaluation of {name}", sections)


def _affine(*volumes):
    """The affine that all have that have one."""
    return next((v.affine for v in volumes if v.affine is not None), None)


def _read(arguments):
    """Both maps and the mask as volumes, the labels as an array or None."""
    reconstruction = read_volume(arguments.reconstruction)
    reference = read_volume(arguments.reference)
    mask = read_mask(arguments.mask, arguments.mask_threshold)
    check_same_grid(reconstruction, reference)
    check_same_grid(reconstruction, mask)
    reference = check_field(reference, mask)
    bad = np.count_nonzero(~np.isfinite(reconstruction.data) & mask.data)
    if bad:
        warnings.warn(
            f"{reconstruction.name}: {bad} voxels inside the mask are NaN or infinite;"
            " they count as 0",
            stacklevel=2,
        )
    if not arguments.segmentation:
        return reconstruction, reference, mask, None
    segmentation = read_volume(arguments.segmentation)
    check_same_grid(reconstruction, segmentation)
    return reconstruction, reference, mask, _labels(segmentation)


def _labels(segmentation):
    """The labels of a segmentation as integers."""
    labels = np.rint(segmentation.data)
    # NaN fails the comparisons too.
    wrong = ~(
        (np.abs(segmentation.data - labels) < LABEL_ROUNDING)
        & (np.abs(labels) < LARGEST_LABEL)
    )
    if wrong.any():
        raise InputError(
            f"{segmentation.name}: expected integer labels, found"
            f" {segmentation.data[wrong][0]:g}"
        )
    return labels.astype(np.int32)
