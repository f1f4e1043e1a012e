"""The flags of `spinet-qsm bids`; nothing here imports TensorFlow."""

from spinet_cli.arguments_scan import (
    add_field_units,
    add_mask_threshold,
    add_method,
    add_server,
)


def add_bids(parser):
    """Add the flags of `spinet-qsm bids`.

    Args:
        parser: `argparse.ArgumentParser`.
    """
    parser.add_argument(
        "input", metavar="INPUT", help="BIDS dataset with local fields and masks"
    )
    parser.add_argument(
        "output",
        metavar="OUTPUT",
        help="BIDS derivative to write to; made if it does not exist",
    )
    parser.add_argument(
        "level",
        choices=("participant",),
        metavar="participant",
        help="what is analysed: each participant",
    )
    parser.add_argument(
        "--participant-label",
        "--participant_label",
        nargs="+",
        action="extend",
        metavar="LABEL",
        help="only these, with or without sub-",
    )
    parser.add_argument(
        "--session-label",
        "--session_label",
        nargs="+",
        action="extend",
        metavar="LABEL",
        help="only these, with or without ses-",
    )
    parser.add_argument(
        "--report",
        action="store_true",
        help="write a web page with pictures, numbers and provenance for each scan",
    )
    add_mask_threshold(parser)
    parser.add_argument(
        "--reference",
        choices=("none", "mean"),
        default="none",
        help="subtract the mean of the brain mask; default none",
    )
    # The geometry is that of each scan, and the maps of the unrolls are not for BIDS.
    parser.set_defaults(voxel_size="auto", b0_dir="auto", iterates=None)

    add_field_units(parser.add_argument_group("field, where its sidecar does not tell"))
    add_method(parser)
    add_server(parser)

    beam = parser.add_argument_group(
        "Apache Beam", "further flags are those of its pipelines, also after --"
    )
    beam.add_argument(
        "--runner",
        metavar="NAME",
        help="such as DirectRunner or FlinkRunner; default none, this process",
    )
    beam.add_argument(
        "--saved-model",
        "--saved_model",
        metavar="DIR",
        help="folder that export.py wrote to; default: --model is exported for the run",
    )
