"""The flags of `spinet-qsm serve`; nothing here imports TensorFlow."""

import argparse
import re

MODEL_NAME = "spinet_qsm"


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
        (
            "--max-message-mb",
            288,
            "MB of a request; larger ones are refused, and those of 2048 always",
        ),
    ):
        parser.add_argument(
            flag,
            type=_positive_integer,
            default=default,
            metavar="N",
            help=f"{meaning}; default {default}",
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
