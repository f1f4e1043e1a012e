"""The flags of `spinet-qsm reconstruct`; nothing here imports TensorFlow."""

from spinet_cli.arguments_scan import (
    add_field_units,
    add_geometry,
    add_mask,
    add_method,
    add_report,
    add_server,
)


def add_reconstruct(parser):
    """Add the flags of `spinet-qsm reconstruct`.

    Args:
        parser: `argparse.ArgumentParser`.
    """
    files = parser.add_argument_group("files")
    files.add_argument(
        "--field",
        required=True,
        nargs="+",
        action="extend",
        metavar="FILE",
        help="local field: .nii, .nii.gz, or .mat (file.mat:NAME for one of several); "
        "several files are reconstructed one after another",
    )
    add_mask(files, several=True)
    files.add_argument(
        "--output",
        required=True,
        metavar="FILE|DIR",
        help="susceptibility [ppm], .nii or .nii.gz; a .json sidecar and a .png "
        "picture are written beside it; for several fields a folder, made if it does "
        "not exist, for NAME_chi.nii.gz of each",
    )
    files.add_argument(
        "--iterates",
        metavar="DIR",
        help="write the map after each unroll there; made if it does not exist",
    )
    add_report(files)

    field = parser.add_argument_group("field")
    add_field_units(field)
    add_geometry(field)

    zero = parser.add_argument_group("zero of susceptibility")
    zero.add_argument(
        "--reference",
        default="none",
        metavar="none|mean|FILE",
        help="subtract the mean of the brain mask, or that inside the mask FILE on the "
        "same grid, such as CSF, of 0 and 1 or above --mask-threshold; default none",
    )

    add_method(parser)
    add_server(parser)
