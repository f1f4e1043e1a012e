"""JSON sidecars that are odd, and that no one should read to their end."""

import math
import os

import pytest

import spinet_tf.small_files
from spinet_tf.errors import InputError
from spinet_tf.field_sidecar import parse_sidecar, read_json_object


def refused(path):
    with pytest.raises(InputError) as caught:
        read_json_object(path)
    return str(caught.value).removeprefix(f"{path}: ")


def test_nested_too_deep(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"a": ' * 100_000)
    assert refused(path).startswith("cannot be read as JSON: ")


def test_no_plain_file(tmp_path):
    (tmp_path / "zeros.json").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "fifo.json")
    for name in ("zeros.json", "fifo.json", "."):
        message = "cannot be read, it is not a regular file"
        assert refused(tmp_path / name) == message
    assert "No such file" in refused(tmp_path / "none.json")


def test_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(spinet_tf.small_files, "LARGEST", 10)
    (tmp_path / "a.json").write_text('{"a": 123456}')
    assert refused(tmp_path / "a.json") == "expected at most 10 bytes"


def test_times_of_several_echoes(tmp_path):
    """They are minded where the field is in radians, and nowhere else."""
    content = {"EchoTime": [0.004, 0.008], "MagneticFieldStrength": 3}
    path = tmp_path / "a.json"
    assert parse_sidecar(content, path).units == ("ppm", 3.0, None)
    assert parse_sidecar({**content, "Units": "Hz"}, path).units == ("hz", 3.0, None)
    with pytest.raises(InputError, match="expected EchoTime to be a number"):
        parse_sidecar({**content, "Units": "rad"}, path)
    for times in ([0.004, "8 ms"], [math.nan], "0.004"):
        with pytest.raises(InputError, match="expected EchoTime to be a number"):
            parse_sidecar({"EchoTime": times}, path)


def test_byte_order_mark(tmp_path):
    (tmp_path / "a.json").write_text('{"Units": "ppm"}', encoding="utf-8-sig")
    assert read_json_object(tmp_path / "a.json") == {"Units": "ppm"}
