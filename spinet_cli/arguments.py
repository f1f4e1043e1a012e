"""The flags of every subcommand; nothing here imports TensorFlow."""

import argparse
import functools

from spinet_cli.arguments_serve import MODEL_NAME, add_serve

METHODS = ("spinet", "tkd", "tikhonov")
FIELD_UNITS = ("ppm", "hz", "rad")
PRECISIONS = ("float32", "bfloat16")


def build_parser(parser_class):
    """Make the parser of the command line.

    Args:
        parser_class: `argparse.ArgumentParser` or a subclass.

    Returns:
        An instance of it; what it parses has `subcommand` and the flags of that.
    """
    parser = parser_class(
        prog="spinet-qsm",
        description="Quantitative susceptibility mapping with SpiNet-QSM.",
        epilog="'spinet-qsm SUBCOMMAND --help' tells the flags of a subcommand.",
    )
    subparsers = parser.add_subparsers(
        dest="subcommand", title="subcommands", required=True
    )
    for name, (summary, add_arguments) in SUBCOMMANDS.items():
        subparser = subparsers.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            allow_abbrev=False,
            formatter_class=functools.partial(
                argparse.HelpFormatter, max_help_position=32
            ),
        )
        add_arguments(subparser)
        subparser.add_argument(
            "--flagfile",
            metavar="FILE",
            help="read flags from a text file, --flag=value a line; # is a comment",
        )
    return parser


def _add_reconstruct(parser):
    files = parser.add_argument_group("files")
    files.add_argument(
        "--field",
        required=True,
        nargs="+",
        metavar="FILE",
        help="local field: .nii, .nii.gz, or .mat (file.mat:NAME for one of several); "
        "several files are reconstructed one after another",
    )
    _add_mask(files, nargs="+")
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

    _add_report(files)

    field = parser.add_argument_group("field")
    field.add_argument(
        "--field-units", choices=FIELD_UNITS, default="ppm", help="default ppm"
    )
    field.add_argument(
        "--b0", type=float, metavar="T", help="field strength in tesla, for hz and rad"
    )
    field.add_argument(
        "--te", type=float, metavar="S", help="echo time in seconds, for rad"
    )
    _add_geometry(field)

    zero = parser.add_argument_group("zero of susceptibility")
    zero.add_argument(
        "--reference",
        default="none",
        metavar="none|mean|FILE",
        help="subtract the mean of the brain mask, or that inside the mask FILE on the "
        "same grid, such as CSF; default none",
    )

    method = parser.add_argument_group("method")
    method.add_argument(
        "--method", choices=METHODS, default="spinet", help="default spinet"
    )
    method.add_argument(
        "--model", metavar="FILE", help="a .keras model; default the one that ships"
    )
    method.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="of the CNN; the physics is float32; default float32",
    )
    method.add_argument(
        "--memory-limit",
        type=float,
        metavar="GB",
        help="memory to take, in 10^9 bytes; a smaller one is slower; default what "
        "the machine has left",
    )

    server = parser.add_argument_group("model server")
    server.add_argument(
        "--server",
        metavar="HOST:PORT",
        help="let a model server do it: TF-Serving, or 'spinet-qsm serve'",
    )
    server.add_argument(
        "--model-name",
        default=MODEL_NAME,
        metavar="NAME",
        help=f"the model's name on the server; default {MODEL_NAME}",
    )
    server.add_argument(
        "--tls-ca",
        metavar="FILE",
        help="encrypt; PEM certificates of who signed the server's",
    )
    server.add_argument(
        "--timeout",
        type=float,
        default=600.0,
        metavar="S",
        help="seconds a request may take; default 600",
    )


def _add_evaluate(parser):
    parser.add_argument(
        "--reconstruction",
        required=True,
        metavar="FILE",
        help="susceptibility [ppm], NIfTI or .mat",
    )
    parser.add_argument(
        "--reference",
        required=True,
        metavar="FILE",
        help="the truth, or what is taken for it [ppm], same grid",
    )
    _add_mask(parser)
    parser.add_argument(
        "--segmentation",
        metavar="FILE",
        help="integer labels, same grid; adds errors and means per region",
    )
    parser.add_argument(
        "--output-dir",
        metavar="DIR",
        help="write metrics.json and metrics.png there; made if it does not exist",
    )
    _add_report(parser)


def _add_simulate(parser):
    parser.add_argument(
        "--susceptibility", required=True, metavar="FILE", help="[ppm], NIfTI or .mat"
    )
    _add_mask(parser)
    parser.add_argument(
        "--output", required=True, metavar="FILE", help="local field [ppm], NIfTI"
    )
    parser.add_argument(
        "--noise",
        type=float,
        default=0.0,
        metavar="S",
        help="standard deviation of white noise in ppm; default 0",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="of the noise, at least 0; default 0",
    )
    _add_geometry(parser)


def _add_convert(parser):
    parser.add_argument(
        "--checkpoint",
        required=True,
        metavar="FILE",
        help="the authors' model_weights.pth",
    )
    parser.add_argument(
        "--stats", required=True, metavar="FILE", help="the authors' tr-stats.mat"
    )
    parser.add_argument(
        "--output", required=True, metavar="FILE", help="model to write, .keras"
    )


def _add_report(parser):
    parser.add_argument(
        "--report",
        metavar="FILE",
        help="write a web page with pictures, numbers and provenance, .html",
    )


def _add_mask(parser, nargs=None):
    meaning = "brain mask, 0 and 1, same grid"
    if nargs:
        meaning += "; one for all fields or one for each"
    parser.add_argument(
        "--mask", required=True, nargs=nargs, metavar="FILE", help=meaning
    )
    parser.add_argument(
        "--mask-threshold",
        type=float,
        metavar="T",
        help="for a probability mask: inside is above T",
    )


def _add_geometry(parser):
    parser.add_argument(
        "--voxel-size",
        default="auto",
        metavar="auto|X,Y,Z",
        help="voxel size in mm; auto: from the NIfTI affine",
    )
    parser.add_argument(
        "--b0-dir",
        default="auto",
        metavar="auto|X,Y,Z",
        help="B0 direction in voxel axes, of any length; auto: from the NIfTI affine",
    )


SUBCOMMANDS = {
    "reconstruct": ("reconstruct susceptibility from a local field", _add_reconstruct),
    "evaluate": ("compare a susceptibility map with a reference", _add_evaluate),
    "simulate": ("simulate the local field of a susceptibility map", _add_simulate),
    "serve": ("serve an exported network over gRPC", add_serve),
    "convert": ("convert the authors' checkpoint to a .keras model", _add_convert),
}
