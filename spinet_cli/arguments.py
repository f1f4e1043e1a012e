"""The flags of every subcommand; nothing here imports TensorFlow."""

import argparse
import functools
import importlib.metadata

from spinet_cli.arguments_bids import add_bids
from spinet_cli.arguments_evaluate import add_evaluate
from spinet_cli.arguments_reconstruct import add_reconstruct
from spinet_cli.arguments_scan import add_geometry, add_mask
from spinet_cli.arguments_serve import add_serve


class _Version(argparse.Action):
    """Shows the version, that of the installed package: it is there at once."""

    def __call__(self, parser, *_):
        try:
            version = importlib.metadata.version("spinet-tf")
        except importlib.metadata.PackageNotFoundError:
            from spinet_tf import __version__ as version  # with TensorFlow
        print(f"{parser.prog} {version}")
        parser.exit()


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
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="show the version and exit"
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


def _add_simulate(parser):
    parser.add_argument(
        "--susceptibility", required=True, metavar="FILE", help="[ppm], NIfTI or .mat"
    )
    add_mask(parser)
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
        metavar="N",
        help="of the noise, at least 0; default 0",
    )
    add_geometry(parser)


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


SUBCOMMANDS = {
    "reconstruct": ("reconstruct susceptibility from a local field", add_reconstruct),
    "bids": ("reconstruct the local fields of a BIDS dataset", add_bids),
    "evaluate": ("compare susceptibility maps with a reference", add_evaluate),
    "simulate": ("simulate the local field of a susceptibility map", _add_simulate),
    "serve": ("serve an exported network over gRPC", add_serve),
    "convert": ("convert the authors' checkpoint to a .keras model", _add_convert),
}
