"""`spinet-qsm bids`: the local fields of a BIDS dataset, as a BIDS App does it."""

import os
import sys
import warnings
from pathlib import Path

from spinet_cli.bids_dataset import check_dataset, prepare_dataset
from spinet_cli.bids_plan import plan_scans
from spinet_cli.bids_settings import other_settings
from spinet_cli.each_scan import failure_line, report_failures, run_each
from spinet_cli.main import one_line
from spinet_cli.methods import prepare_method
from spinet_cli.one_scan import reconstruct_scan
from spinet_cli.reconstruct import check_method_flags
from spinet_tf.bids import BidsTree
from spinet_tf.errors import InputError


def run(arguments):
    """Run `spinet-qsm bids`.

    Args:
        arguments: the parsed flags.

    Returns:
        Exit code: 0, or 1 if a scan failed or is missing.

    Raises:
        InputError: a flag or folder that cannot be used.
    """
    check_method_flags(arguments)
    options = _check_pipeline_flags(arguments)
    dataset = Path(os.path.realpath(arguments.output))
    tree = BidsTree(arguments.input)
    if dataset == tree.folder:
        raise InputError(f"{arguments.output}: is the input, expected another folder")
    check_dataset(dataset, tree.folder)
    planned = plan_scans(tree, arguments, dataset)
    left = [scan for scan in planned if not _is_done(scan, arguments)]
    if not left:
        return 0
    if options is not None:
        return _run_on_beam(left, arguments, options, dataset, tree.folder)
    method = prepare_method(arguments)
    prepare_dataset(dataset, tree.folder)
    try:
        return run_each(left, lambda scan: _work(scan, method), lambda scan: scan.name)
    finally:
        _tidy(left, dataset)


def _check_pipeline_flags(arguments):
    if arguments.runner is None:
        if arguments.saved_model:
            raise InputError("--saved-model goes with --runner")
        return None
    from spinet_cli.bids_beam import check_pipeline_flags

    return check_pipeline_flags(arguments)


def _work(scan, method):
    if scan.problem:
        raise InputError(scan.problem)
    scan.files.make_folders()
    reconstruct_scan(scan.task, method)


def _run_on_beam(scans, arguments, options, dataset, source):
    from spinet_cli.bids_beam import prepare_saved_model, run_on_beam

    saved_model = prepare_saved_model(arguments)
    prepare_dataset(dataset, source)
    try:
        problems = run_on_beam(scans, saved_model, arguments.report, options, dataset)
    finally:
        _tidy(scans, dataset)
    failures = []
    for scan in scans:
        if scan.name in problems:
            failures.append(failure_line(scan.name, problems[scan.name]))
        else:
            print(f"wrote {scan.files.output}")
    return report_failures(failures, len(scans))


def _tidy(scans, dataset):
    """Remove the folders of scans that failed."""
    for scan in scans:
        if scan.files:
            scan.files.remove_empty_folders(dataset)


def _is_done(scan, arguments):
    sidecar = scan.files and scan.files.read_sidecar()
    if sidecar is None:
        return False
    note = f"{scan.name}: is done, {scan.files.output}"
    others = other_settings(scan, arguments, sidecar)
    if others:  # another map must not take its place for want of a picture
        warnings.warn(f"{note}, but with {'; '.join(others)}", stacklevel=1)
        return True
    if not scan.files.has_pictures(arguments.report):
        return False
    print(one_line(note), file=sys.stderr)
    return True
