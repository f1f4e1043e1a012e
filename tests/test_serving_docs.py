"""The Python of `docs/serving.md`, run as it stands."""

import os
import re
import stat
import textwrap

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, text_format

from benchmarks.agreement import relative_error
from tests.conftest import ROOT
from tests.served import in_keras, request, server_process
from tests.test_deploy import message_classes

SERVER = "localhost:8500"


def snippet(first_line):
    """The indented block of the document that starts with a line."""
    text = (ROOT / "docs" / "serving.md").read_text()
    blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.MULTILINE)
    (code,) = (
        block[block.index(first_line) :]
        for block in map(textwrap.dedent, blocks)
        if first_line in block
    )
    return code


def test_the_client(exported, tmp_path, monkeypatch):
    model, folder = exported
    monkeypatch.chdir(tmp_path)
    inputs = {name: value[:1] for name, value in request().items()}
    inputs["voxel_size"] = np.ones((1, 3), np.float32)
    inputs["b0_direction"] = np.float32([[0, 0, 1]])
    np.save("field.npy", inputs["local_field"][0])
    np.save("mask.npy", inputs["mask"][0])
    code = snippet("import grpc\n")
    assert SERVER in code
    found = {}
    with server_process(folder.parent) as (_, address):
        exec(code.replace(SERVER, address), found)
    assert relative_error(found["chi"], in_keras(model, inputs)[0]) <= 1e-5


def test_the_protoset(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(snippet("from google.protobuf.descriptor_pb2 import"), {})
    content = (tmp_path / "serving.protoset").read_bytes()
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(content).file:
        pool.Add(file)
    predict = pool.FindServiceByName("tensorflow.serving.PredictionService")
    status = pool.FindServiceByName("tensorflow.serving.ModelService")
    assert "Predict" in predict.methods_by_name
    assert "GetModelStatus" in status.methods_by_name


def test_the_ssl_config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pem = "-----BEGIN {0}-----\nAA+/==\n-----END {0}-----\n"
    (tmp_path / "server.key").write_text(pem.format("PRIVATE KEY"))
    (tmp_path / "server.crt").write_text(pem.format("CERTIFICATE"))
    (tmp_path / "ssl.config").touch(0o644)
    before = os.umask(0o022)
    try:
        exec(snippet("import json\n"), {})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "ssl.config").stat().st_mode) == 0o600
    written = (tmp_path / "ssl.config").read_text() + "client_verify: true\n"
    config = text_format.Parse(written, message_classes()["SSLConfig"]())
    assert config.server_key == pem.format("PRIVATE KEY")
    assert config.server_cert == pem.format("CERTIFICATE")
