"""`spinet-qsm convert`: the authors' PyTorch checkpoint to a .keras model."""

from spinet_cli.outputs import check_outputs
from spinet_tf.errors import InputError
from spinet_tf.model_files import save_model
from spinet_tf.release import convert_release


def run(arguments):
    """Run `spinet-qsm convert`.

    Args:
        arguments: the parsed flags.

    Raises:
        InputError: a file that cannot be used or written.
    """
    if not arguments.output.endswith(".keras"):
        raise InputError(f"{arguments.output}: expected an output file .keras")
    check_outputs([arguments.output], [arguments.checkpoint, arguments.stats])
    model = convert_release(arguments.checkpoint, arguments.stats)
    save_model(model, arguments.output)
    print(f"lambda  {model.lambda_:.4f}")
    print(f"p       {model.p:.4f}")
    print(f"wrote {arguments.output}")
