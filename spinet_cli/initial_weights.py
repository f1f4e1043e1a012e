"""The weights a training starts from, those of another network."""

from spinet_tf.errors import InputError
from spinet_tf.model_files import load_model

SIZE = ("channels", "filters", "blocks", "batch_norm")
"""What of a network decides how many weights it has."""
NO_DIFFERENCE = (*SIZE, "name", "dtype", "dropout", "initial_lambda", "initial_p")
"""What of a network its weights tell, or do not depend on."""


def take_weights(network, path):
    """Give a network the weights of a file, and print what else differs.

    Args:
        network: `SpiNetQSM`; changed in place.
        path: path of a `.keras` model.

    Raises:
        InputError: it is not a model, or one of another size.
    """
    first = load_model(path)
    theirs, own = first.get_config(), network.get_config()
    unlike = [name for name in SIZE if theirs[name] != own[name]]
    if unlike:
        raise InputError(
            f"{path}: its network is of another size than these flags':"
            f" {_values(theirs, unlike)} rather than {_values(own, unlike)}"
        )
    network.set_weights(first.get_weights())
    if type(first) is not type(network):
        print(f"{path} is a {type(first).__name__}, this training has none")
    for name, value in theirs.items():
        if name not in NO_DIFFERENCE and own.get(name, value) != value:
            print(f"{path} has {name}={value}, this training {name}={own[name]}")


def _values(config, names):
    return " ".join(f"{name}={config[name]}" for name in names)
