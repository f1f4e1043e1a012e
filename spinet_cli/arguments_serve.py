"""The flags of `spinet-qsm serve`; nothing here imports TensorFlow."""

import argparse
import re

MODEL_NAME = "spinet_qsm"
LARGEST_MESSAGE = 2047
"""In MB: protobuf's own limit is one byte less than 2048."""


def add_serve(parser):
    """Add the flags of `spinet-qsm serve`.

    Args:
        parser: `argparse.ArgumentParser`.
    """
    parser.add_argument(
        "--model-dir",
        "--model_dir",
        required=True,
        metavar="DIR",
        help="folder that export.py wrote to; its newest version is served",
    )
    parser.add_argument(
        "--model-name", default=MODEL_NAME, metavar="NAME", help=f"default {MODEL_NAME}"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; default 127.0.0.1"
    )
    parser.add_argument(
        "--port", type=_port, default=8500, help="0 takes a free one; default 8500"
    )
    parser.add_argument("--tls-key", metavar="FILE", help="encrypt; PEM private key")
    parser.add_argument("--tls-cert", metavar="FILE", help="PEM certificate chain")
    for flag, default, meaning in (
        ("--concurrent", 1, "requests computed at the same time"),
        ("--max-waiting", 16, "requests computed or waiting; more are refused"),
        ("--max-voxels", 320**3, "voxels of a batch; larger ones are refused"),
    ):
        parser.add_argument(
            flag,
            type=_positive_integer,
            default=default,
            metavar="N",
            help=f"{meaning}; default {default}",
        )
    parser.add_argument(
        "--max-message-mb",
        type=_message_size,
        default=288,
        metavar="N",
        help=f"MB of a request, up to {LARGEST_MESSAGE}; larger ones are refused; "
        "default 288",
    )


def _port(text):
    # gRPC would take 99999 for 34463.
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected 0 to 65535, got {text!r}")
    return int(text)


def _positive_integer(text):
    if not re.fullmatch("[0-9]{1,12}", text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected an integer > 0, got {text!r}")
    return int(text)


def _message_size(text):
    size = _positive_integer(text)
    if size > LARGEST_MESSAGE:
        raise argparse.ArgumentTypeError(
            f"expected an integer from 1 to {LARGEST_MESSAGE}, got {text!r}"
        )
    return size
