"""`spinet-qsm bids`: the local fields of a BIDS dataset, as a BIDS App does it."""

import sys
from pathlib import Path

from spinet_cli.bids_dataset import prepare_dataset
from spinet_cli.bids_plan import plan_scans
from spinet_cli.each_scan import run_each
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
    dataset = Path(arguments.output).absolute()
    tree = BidsTree(arguments.input)
    if dataset.resolve() == tree.folder.resolve():
        raise InputError(f"{arguments.output}: is the input, expected another folder")
    planned = plan_scans(tree, arguments, dataset)
    left = [scan for scan in planned if not _is_done(scan, arguments)]
    if not left:
        return 0
    method = prepare_method(arguments)
    prepare_dataset(dataset, tree.folder)

    def work(scan):
        if scan.problem:
            raise InputError(scan.problem)
        scan.files.make_folders()
        try:
            reconstruct_scan(scan.task, method)
        finally:
            scan.files.remove_empty_folders(dataset)

    return run_each(left, work, lambda scan: scan.name)


def _is_done(scan, arguments):
    if scan.files is None or not scan.files.is_complete(arguments.report):
        return False
    print(f"{scan.name}: is done, {scan.files.output}", file=sys.stderr)
    return True
