"""Flags that several subcommands have; nothing here imports TensorFlow."""

from spinet_cli.arguments_serve import MODEL_NAME

METHODS = ("spinet", "tkd", "tikhonov")
FIELD_UNITS = ("ppm", "hz", "rad")
PRECISIONS = ("float32", "bfloat16")
MASK_THRESHOLD = "--mask-threshold"
TIMEOUT = 600.0


def add_report(parser):
    """Add `--report`, a file."""
    parser.add_argument(
        "--report",
        metavar="FILE",
        help="write a web page with pictures, numbers and provenance, .html",
    )


def add_mask(parser, several=False):
    """Add `--mask`, one or several, and `--mask-threshold`."""
    meaning = "brain mask, 0 and 1, same grid"
    options = {}
    if several:
        meaning += "; one for all fields or one for each"
        options = {"nargs": "+", "action": "extend"}
    parser.add_argument(
        "--mask", required=True, metavar="FILE", help=meaning, **options
    )
    add_mask_threshold(parser)


def add_mask_threshold(parser):
    """Add `--mask-threshold`."""
    parser.add_argument(
        MASK_THRESHOLD,
        type=float,
        metavar="T",
        help="for a probability mask: inside is above T",
    )


def add_geometry(parser):
    """Add `--voxel-size` and `--b0-dir`."""
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


def add_field_units(field):
    """Add the unit of a field and what its conversion needs."""
    field.add_argument(
        "--field-units",
        choices=FIELD_UNITS,
        type=str.lower,
        help="default ppm; if given, a field in ppm that is no brain's, such as a "
        "phantom's, is a warning rather than refused",
    )
    field.add_argument(
        "--b0", type=float, metavar="T", help="field strength in tesla, for hz and rad"
    )
    field.add_argument(
        "--te", type=float, metavar="S", help="echo time in seconds, for rad"
    )


def add_method(parser):
    """Add what reconstructs."""
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
    method.add_argument(
        "--pad",
        type=float,
        default=0.0,
        metavar="MM",
        help="zeros on every side of the volume in mm, against what the circular "
        "convolution wraps around; default 0",
    )
    method.add_argument(
        "--keep-slices",
        action="store_true",
        help="let the network have thick slices as they are; default: where an edge of "
        "a voxel is 1.6 mm or more and at least twice the shortest, the field is "
        "interpolated along it, to parts no shorter than the shortest edge nor than "
        "0.8 mm, and the map averaged again",
    )


def add_server(parser):
    """Add a model server that reconstructs."""
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
        default=TIMEOUT,
        metavar="S",
        help=f"seconds a request may take; default {TIMEOUT:g}",
    )
