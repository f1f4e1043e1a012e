"""The flags of `spinet-qsm serve`."""

import argparse
import socket
from types import SimpleNamespace

import pytest

from spinet_cli import serve
from spinet_cli.arguments import build_parser
from spinet_cli.main import main
from spinet_tf.errors import InputError
from spinet_tf.serving.server import Limits
from tests.command_line import run_words


def test_defaults_of_serve():
    parser = build_parser(argparse.ArgumentParser)
    flags = parser.parse_args(["serve", "--model-dir=x"])
    assert (flags.host, flags.port) == ("127.0.0.1", 8500)
    assert (flags.model_name, flags.model_dir) == ("spinet_qsm", "x")
    assert (flags.concurrent, flags.max_waiting) == (1, 16)
    assert flags.max_voxels == 320**3
    assert flags.max_message_mb * 2**20 > 8 * flags.max_voxels + 2**20
    for wrong in ("--port=65536", "--port=-1", "--max-message-mb=2048"):
        with pytest.raises(SystemExit):
            parser.parse_args(["serve", "--model-dir=x", wrong])


def test_help_tells_the_largest_message_there_is(capsys):
    assert main(["serve", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "MB of a request, up to 2047; larger ones are refused; default 288" in told


def test_one_address_of_a_host_is_enough(monkeypatch):
    def addresses(*hosts):
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (h, 0)) for h in hosts]
        monkeypatch.setattr(serve.socket, "getaddrinfo", lambda *_, **__: found)

    addresses("240.0.0.1", "127.0.0.1")
    serve._check_free("name", 0)
    addresses("240.0.0.1", "240.0.0.2")
    with pytest.raises(InputError, match="^name:0: cannot be listened on, Cannot ass"):
        serve._check_free("name", 0)


def test_flags_of_serve_reach_the_server(monkeypatch):
    monkeypatch.setattr(serve, "ModelStore", lambda _: SimpleNamespace(current=None))
    monkeypatch.setattr(serve, "_check_free", lambda *_: None)
    monkeypatch.setattr(serve.signal, "signal", lambda *_: None)
    monkeypatch.setattr(serve.logging, "basicConfig", lambda **_: None)
    started = []

    def start(*arguments):
        started.extend(arguments)
        raise InputError("far enough")

    monkeypatch.setattr(serve, "start_server", start)
    words = ("--concurrent=3", "--max-waiting=5", "--max-message-mb=2047")
    result = run_words("serve", "--model-dir=x", "--model-name=m", *words)
    assert "far enough" in result.err
    server, address, limits, tls = started
    assert (address, tls, server._name) == ("127.0.0.1:8500", None, "m")
    for host, address in (("::1", "[::1]:8500"), ("[::]", "[::]:8500")):
        run_words("serve", "--model-dir=x", f"--host={host}")
        assert started[-3] == address
    assert limits == Limits(3, 5, 2047 * 2**20, 320**3)
