"""Hostile words on the command line and in flagfiles: one printable line, code 2."""

import pytest
import scipy.io

from tests.command_line import (
    refused,
    run_words,
)


def test_a_message_is_one_printable_line(flags, tmp_path):
    """A name in a hostile file is not to command the terminal."""
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"phs": 1.0})
    path.write_bytes(path.read_bytes().replace(b"phs", b"\x1b[m"))
    refused(
        tmp_path,
        r"it holds \\x1b\[m 1x1 double\n$",
        "reconstruct",
        **{**flags, "field": path},
    )
    words = ["reconstruct", "--nothing=" + "x" * 10_000]
    assert len(run_words(*words).err) < 1000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"--flagfile=some.flags\n", "some.flags is within itself"),
        (b"--flagfile=other.flags\n", "some.flags is within itself"),
        (b"--flagfile=/dev/zero\n", "Unable to open flagfile /dev/zero, not a file"),
        (b"--method=" + b"x" * 2**20, "expected at most 1048576 bytes in some.flags"),
        (b"--iterates=a\0b\n", r"expected words without NUL, got '--iterates=a\\x00b'"),
    ],
)
def test_hostile_flagfile(flags, tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some.flags").write_bytes(content)
    (tmp_path / "other.flags").write_text("--flagfile=some.flags\n")
    refused(tmp_path, message, "reconstruct", **flags, flagfile="some.flags")


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("mask_threshold", "--", "argument --mask-threshold: got '--'"),
        ("timeout", "1e400", "--timeout: expected seconds > 0 and .* 1e.09, got inf"),
        ("timeout", "1e10", "--timeout: expected seconds > 0 and .* 1e.09, got 1e.10"),
        ("server", "\udcff:1", "--server: expected printable characters"),
        ("b0_dir", "1.7e308,1.7e308,0", "--b0-dir: expected a vector longer than 0"),
        ("server", " ", "--server: expected HOST:PORT, got nothing"),
        ("server", "", "argument --server: got nothing"),
        ("model", "", "argument --model: got nothing"),
        ("iterates", "", "argument --iterates: got nothing"),
        ("tls_ca", "/dev/zero", "/dev/zero: cannot be read, it is not a regular file"),
        ("model", "n" * 5000 + ".keras", "n.keras: no such model file|nnn \\.\\.\\."),
    ],
)
def test_hostile_value(flags, tmp_path, flag, value, message):
    flags = {**flags, "method": "spinet"}
    if flag == "tls_ca":
        flags["server"] = "localhost:1"
    refused(tmp_path, message, "reconstruct", **flags, **{flag: value})


def test_certificates_that_are_none(network_flags, tmp_path):
    """gRPC would tell of them in lines of its own."""
    path = tmp_path / "ca.pem"
    path.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    flags = {**network_flags, "server": "localhost:1", "model": None, "tls_ca": path}
    refused(tmp_path, "ca.pem: expected PEM certificates, ", "reconstruct", **flags)
