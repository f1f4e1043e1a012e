"""`spinet-qsm serve` and its client as their users run them."""

import concurrent.futures
import re
import socket

import grpc
import numpy as np
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from tensorflow_serving.apis import get_model_metadata_pb2

from spinet_tf.errors import InputError
from spinet_tf.serving.client import RemoteReconstructor
from tests import command_line
from tests.served import (
    request,
    server_process,
)


def test_tls(exported, tmp_path):
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    key, chain, trusted = (tmp_path / name for name in ("key", "chain", "ca"))
    certificate.private_key_pem.write_to_path(key)
    certificate.cert_chain_pems[0].write_to_path(chain)
    authority.cert_pem.write_to_path(trusted)
    flags = [f"--tls-key={key}", f"--tls-cert={chain}"]
    with server_process(exported[1].parent, *flags) as (_, address):
        assert RemoteReconstructor(address, tls_ca=trusted.read_bytes()).version == 1
        other = trustme.CA().cert_pem.bytes()
        for wrong, hint in ((other, "with TLS"), (None, "without TLS")):
            with pytest.raises(InputError, match=f"{hint}|DEADLINE"):
                RemoteReconstructor(address, tls_ca=wrong, timeout=5)


@pytest.fixture(scope="module")
def address(exported):
    with server_process(exported[1].parent) as (_, address):
        yield address


METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"


class Flaky(grpc.GenericRpcHandler):
    """Has a model's metadata; fails the first predictions with a status."""

    def __init__(self, metadata, code, failures):
        self.metadata, self.code, self.failures = metadata, code, failures
        self.calls = 0

    def service(self, handler_call_details):
        if handler_call_details.method == METADATA:
            return grpc.unary_unary_rpc_method_handler(lambda *_: self.metadata)
        return grpc.unary_unary_rpc_method_handler(self._predict)

    def _predict(self, request, context):
        self.calls += 1
        if self.calls <= self.failures:
            context.abort(self.code, "not now")
        context.abort(grpc.StatusCode.NOT_FOUND, "at last")


@pytest.fixture
def metadata(address):
    message = get_model_metadata_pb2.GetModelMetadataRequest()
    message.model_spec.name = "spinet_qsm"
    message.metadata_field.append("signature_def")
    with grpc.insecure_channel(address) as channel:
        return channel.unary_unary(METADATA)(message.SerializeToString())


@pytest.mark.parametrize(
    ("code", "calls"), [("UNAVAILABLE", 3), ("INTERNAL", 1), ("RESOURCE_EXHAUSTED", 1)]
)
def test_only_what_is_unavailable_is_tried_again(metadata, code, calls):
    handler = Flaky(metadata, grpc.StatusCode[code], failures=2)
    server = grpc.server(
        concurrent.futures.ThreadPoolExecutor(1),
        options=[("grpc.max_receive_message_length", -1)],
    )
    server.add_generic_rpc_handlers([handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    remote = RemoteReconstructor(f"127.0.0.1:{port}")
    with pytest.raises(InputError, match="at last" if calls > 1 else code):
        remote.predict(request((100, 90, 80), batch=1))
    server.stop(None)
    assert handler.calls == calls


def test_command_line(address, exported, tmp_path):
    field = command_line.write(tmp_path / "field.nii.gz", command_line.susceptibility())
    mask = command_line.mask().astype(np.uint8)
    mask = command_line.write(tmp_path / "mask.nii.gz", mask)
    flags = {"field": field, "mask": mask, "iterates": tmp_path / "iterates"}
    output = tmp_path / "chi.nii.gz"
    result = command_line.succeed("reconstruct", server=address, output=output, **flags)
    assert "data-consistency error" in result.out
    sidecar = command_line.read_json(tmp_path / "chi.json")
    assert sidecar["Server"] == address
    assert (sidecar["Model"], sidecar["ModelVersion"]) == ("spinet_qsm", 1)
    last = command_line.read(tmp_path / "iterates" / "unroll-2.nii.gz")
    np.testing.assert_array_equal(command_line.read(output), last)


def refused(*words):
    result = command_line.run_words(*words)
    assert result.exit_code == 2
    assert result.err.count("\n") == 1
    assert result.err.startswith("spinet-qsm: error: ")
    return result.err


def test_command_line_without_a_server(tmp_path):
    field = command_line.write(tmp_path / "field.nii.gz", command_line.susceptibility())
    flags = [f"--field={field}", f"--mask={field}", f"--output={tmp_path / 'chi.nii'}"]
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        message = refused("reconstruct", f"--server={address}", "--timeout=1", *flags)
    assert address in message
    for extra in ("--model=x.keras", "--precision=bfloat16", "--method=tkd"):
        assert "--server" in refused("reconstruct", "--server=x:1", extra, *flags)
    assert "--tls-ca" in refused("reconstruct", "--tls-ca=x", *flags)
    (tmp_path / "ca").touch()
    empty = refused(
        "reconstruct", "--server=x:1", f"--tls-ca={tmp_path / 'ca'}", *flags
    )
    assert "ca: expected PEM certificates" in empty
    assert "--timeout" in refused("reconstruct", "--timeout=0", *flags)


def test_serve_refuses(tmp_path, exported):
    model_dir = f"--model-dir={exported[1].parent}"
    assert "missing: no such folder" in refused(
        "serve", f"--model-dir={tmp_path / 'missing'}", "--port=0"
    )
    assert "version directories" in refused(
        "serve", f"--model-dir={tmp_path}", "--port=0"
    )
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_text("no graph")
    message = refused("serve", f"--model-dir={tmp_path}", "--port=0")
    # Its kind, and what it says.
    assert re.search(r"wrote; version 1 cannot be loaded: \w+: .{9}", message)
    assert "go together" in refused("serve", model_dir, "--tls-key=x")
    assert "x: cannot be read" in refused(
        "serve", model_dir, "--tls-key=x", "--tls-cert=x"
    )
    for host in ("a..b", "240.0.0.1"):  # no name, and an address of nobody
        message = refused("serve", model_dir, f"--host={host}")
        assert f"{host}:8500: cannot be listened on, " in message
    for flag, expected in (
        ("--port=99999", "expected 0 to 65535, got '99999'"),
        ("--max-voxels=0", "expected an integer > 0, got '0'"),
    ):
        result = command_line.run_words("serve", model_dir, flag)
        assert result.exit_code == 2
        assert result.err.count("\n") == 1
        assert expected in result.err


def test_serve_refuses_keys(tmp_path):
    nothing = tmp_path / "nothing"
    nothing.write_text("no PEM")
    keys, chains = [], []
    for k in range(2):
        certificate = trustme.CA().issue_cert("127.0.0.1")
        keys.append(tmp_path / f"key{k}")
        chains.append(tmp_path / f"chain{k}")
        certificate.private_key_pem.write_to_path(keys[k])
        certificate.cert_chain_pems[0].write_to_path(chains[k])
    locked = tmp_path / "locked"
    key = load_pem_private_key(keys[0].read_bytes(), None)
    form = Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    locked.write_bytes(key.private_bytes(*form))
    for key, chain, reason in (
        (nothing, nothing, "no start line|NO_START_LINE|PEM"),
        (keys[1], chains[0], "KEY_VALUES_MISMATCH"),
        (locked, chains[0], "BAD|PEM"),
    ):
        message = refused(
            "serve", "--model-dir=x", f"--tls-key={key}", f"--tls-cert={chain}"
        )
        assert f"{chain}: expected a certificate chain in PEM that fits" in message
        assert re.search(f"the key {key}, .* password: .*({reason})", message)


def test_serve_refuses_a_port_in_use(address, exported):
    port = address.split(":")[1]
    message = refused("serve", f"--model-dir={exported[1].parent}", f"--port={port}")
    expected = f"127.0.0.1:{port}: cannot be listened on, Address already in use\n"
    assert message == f"spinet-qsm: error: {expected}"
