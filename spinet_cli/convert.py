"""Convert the authors' PyTorch checkpoint to a .keras model."""


def add_arguments(parser):
    """Add the flags of `spinet-qsm convert`."""
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


def run(arguments):
    """Run `spinet-qsm convert`."""
    from spinet_tf.atomic_write import check_writable
    from spinet_tf.errors import InputError
    from spinet_tf.model_files import save_model
    from spinet_tf.release import convert_release

    if not arguments.output.endswith(".keras"):
        raise InputError(f"{arguments.output}: expected an output file .keras")
    check_writable(arguments.output)
    model = convert_release(arguments.checkpoint, arguments.stats)
    save_model(model, arguments.output)
    print(f"lambda  {model.lambda_:.4f}")
    print(f"p       {model.p:.4f}")
    print(f"wrote {arguments.output}")
