"""`spinet-qsm serve`: a model server with the protocol of TF-Serving."""

import errno
import logging
import os
import signal
import socket
import ssl
import sys
import threading

from spinet_tf.errors import InputError
from spinet_tf.serving.listen import start_server
from spinet_tf.serving.model_store import ModelStore
from spinet_tf.serving.server import Limits, ModelServer
from spinet_tf.small_files import read_bytes

GRACE_SECONDS = 10


def run(arguments):
    """Run `spinet-qsm serve` until it is interrupted or terminated.

    Args:
        arguments: the parsed flags.

    Raises:
        InputError: a flag or file that cannot be used.
    """
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    limits = Limits(
        solves=arguments.concurrent,
        waiting=arguments.max_waiting,
        message_bytes=arguments.max_message_mb * 2**20,
        values=arguments.max_voxels,
    )
    tls = _tls(arguments)
    host = arguments.host.removeprefix("[").removesuffix("]")
    _check_free(host, arguments.port)
    if ":" in host:  # IPv6
        host = f"[{host}]"
    store = ModelStore(arguments.model_dir)
    model_server = ModelServer(store, arguments.model_name, limits)
    terminated = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: terminated.set())
    server, port, say_goodbye = start_server(
        model_server, f"{host}:{arguments.port}", limits, tls
    )
    stop_watching = store.watch()
    print(
        f"serving {arguments.model_name} version {store.current.version} "
        f"on {host}:{port}",
        flush=True,
    )
    try:
        # A signal that another thread takes would not wake this one.
        while not terminated.wait(timeout=1):
            pass
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one changes nothing
        say_goodbye()
        stop_watching()
        server.stop(GRACE_SECONDS).wait()
        sys.stdout.flush()
        os._exit(0)  # a solve that nobody waits for any more would hold up the end


def _tls(arguments):
    if not arguments.tls_key and not arguments.tls_cert:
        return None
    if not (arguments.tls_key and arguments.tls_cert):
        raise InputError("--tls-key and --tls-cert go together")
    pair = read_bytes(arguments.tls_key), read_bytes(arguments.tls_cert)
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("ALL:@SECLEVEL=0")  # weak keys too: gRPC decides
        context.load_cert_chain(
            arguments.tls_cert, arguments.tls_key, password=lambda: ""
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise InputError(
            f"{arguments.tls_cert}: expected a certificate chain in PEM that fits the"
            f" key {arguments.tls_key}, which has no password: {reason}"
        ) from error
    return pair


def _check_free(host, port):
    """Check an address before a network is loaded for it; gRPC would not say why."""
    try:
        _bind_for_a_moment(host, port)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{host}:{port}: cannot be listened on, {reason}") from error


def _bind_for_a_moment(host, port):
    """Of the addresses of a name gRPC takes those there are, one at least."""
    none_there = None
    for family, kind, _, _, address in socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        try:
            with socket.socket(family, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
                probe.listen()
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise
            none_there = error
        else:
            return
    raise none_there
