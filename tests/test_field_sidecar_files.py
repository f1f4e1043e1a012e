"""JSON sidecars that no one should read to their end."""

import os

import pytest

import spinet_tf.small_files
from spinet_tf.errors import InputError
from spinet_tf.field_sidecar import read_json_object


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
