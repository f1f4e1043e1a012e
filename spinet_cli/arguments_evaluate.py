"""The flags of `spinet-qsm evaluate`."""

from spinet_cli.arguments_scan import add_mask, add_report


def add_evaluate(parser):
    """Add the flags to a parser."""
    parser.add_argument(
        "--reconstruction",
        required=True,
        nargs="+",
        action="extend",
        metavar="FILE",
        help="susceptibility [ppm], NIfTI or .mat; several are compared side by side",
    )
    parser.add_argument(
        "--label",
        nargs="+",
        action="extend",
        metavar="NAME",
        help="what to call each reconstruction; default its file name, of several "
        "without the suffix",
    )
    parser.add_argument(
        "--reference",
        required=True,
        metavar="FILE",
        help="the truth, or what is taken for it [ppm], same grid",
    )
    add_mask(parser)
    parser.add_argument(
        "--segmentation",
        metavar="FILE",
        help="integer labels, same grid, as the QSM challenges number regions (1 "
        "caudate to 16 calcification, docs/accuracy.md), not those of FreeSurfer; adds "
        "errors, and means of each region of 10 voxels or more",
    )
    parser.add_argument(
        "--output-dir",
        metavar="DIR",
        help="write metrics.json (of several maps, by their labels) and metrics.png "
        "there; made if it does not exist",
    )
    add_report(parser)
