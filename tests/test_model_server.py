"""The client and the protocol, on a real server: ours, and TF-Serving's where it is."""

import shutil
from unittest.mock import Mock

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from spinet_tf.errors import InputError
from spinet_tf.serving.client import RemoteReconstructor
from spinet_tf.serving.listen import _handlers
from spinet_tf.serving.served_model import ServedModel
from spinet_tf.serving.server import Limits, ModelServer
from tests.served import (
    predict,
    predict_request,
    request,
    server_process,
    tensorflow_model_server,
)
from tests.test_saved_model_requests import BAD_REQUESTS, changed

SERVERS = {"spinet-qsm serve": server_process}
if shutil.which("tensorflow_model_server"):
    SERVERS["tensorflow_model_server"] = tensorflow_model_server


@pytest.fixture(scope="module", params=SERVERS)
def address(request, exported):
    with SERVERS[request.param](exported[1].parent) as (_, address):
        yield address


@pytest.fixture(scope="module")
def local(exported):
    return tf.saved_model.load(str(exported[1])).signatures


@pytest.mark.parametrize("signature", ["serving_default", "unrolls"])
def test_bit_equal_to_the_local_saved_model(address, local, signature):
    inputs = request((11, 13, 9))
    response = predict(address, predict_request(inputs, signature=signature))
    expected = local[signature](**inputs)
    assert set(response.outputs) == set(expected)
    for name, value in expected.items():
        found = tf.make_ndarray(response.outputs[name])
        np.testing.assert_array_equal(found, value.numpy())
    assert response.model_spec.version.value == 1


def test_client(address, local):
    inputs = request(batch=1)
    expected = {k: v.numpy()[0] for k, v in local["unrolls"](**inputs).items()}
    remote = RemoteReconstructor(address, iterates=True)
    assert (remote.version, remote.unrolls) == (1, 2)
    result = remote(*(value[0] for value in inputs.values()))
    np.testing.assert_array_equal(result.susceptibility, expected["susceptibility"])
    assert result.data_consistency == expected["data_consistency"]
    assert result.left_out == expected["left_out"] == 0
    assert [u.iterations for u in result.unrolls] == list(expected["solver_iterations"])
    for k, unroll in enumerate(result.unrolls):
        np.testing.assert_array_equal(unroll.susceptibility, expected["iterates"][k])


def test_volume_larger_than_grpcs_default_limit(address):
    size = (112, 110, 108)  # 5 MB; refused by the graph, which has to read it first
    inputs = request(size, batch=1)
    assert inputs["local_field"].nbytes > 4 * 2**20
    with pytest.raises(InputError, match="INVALID_ARGUMENT.*at most 128000 voxels"):
        RemoteReconstructor(address)(*(value[0] for value in inputs.values()))


def test_metadata_status_and_health(address):
    with grpc.insecure_channel(address) as channel:
        message = get_model_metadata_pb2.GetModelMetadataRequest()
        message.model_spec.name = "spinet_qsm"
        message.metadata_field.append("signature_def")
        service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        response = service.GetModelMetadata(message, timeout=20)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        assert response.metadata["signature_def"].Unpack(signatures)
        assert "serving_default" in signatures.signature_def

        message = get_model_status_pb2.GetModelStatusRequest()
        message.model_spec.name = "spinet_qsm"
        models = model_service_pb2_grpc.ModelServiceStub(channel)
        (status,) = models.GetModelStatus(message, timeout=20).model_version_status
        assert (status.version, status.state) == (1, status.AVAILABLE)


def status_of(address, message, **options):
    with pytest.raises(grpc.RpcError) as error:
        predict(address, message, **options)
    return error.value.code(), error.value.details()


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("case", BAD_REQUESTS)
def test_bad_values_and_shapes(address, case):
    (name, change), message = BAD_REQUESTS[case]
    code, details = status_of(address, predict_request(changed(name, change)))
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    # Ours compares with the signature first, and says so in words of its own.
    assert details.startswith(message) or "expected the shape" in details
    assert details.startswith(name)


def labelled(label):
    message = predict_request(request())
    message.model_spec.version_label = label
    return message


def filtered(*outputs):
    message = predict_request(request())
    message.output_filter.extend(outputs)
    return message


def without_mask():
    inputs = request()
    del inputs["mask"]
    return inputs


@pytest.mark.parametrize(
    ("message", "code", "words"),
    [
        (predict_request(without_mask()), "INVALID_ARGUMENT", "mask"),
        (predict_request({**request(), "echo": 1.0}), "INVALID_ARGUMENT", "echo"),
        (
            predict_request({**request(), "mask": request()["mask"].astype("f8")}),
            "INVALID_ARGUMENT",
            "mask",
        ),
        (predict_request(request(), name="other"), "NOT_FOUND", "other"),
        (predict_request(request(), name=""), "INVALID_ARGUMENT", ""),
        (labelled("stable"), "INVALID_ARGUMENT", "label"),
        (filtered("susceptibility", "susceptibility"), "INVALID_ARGUMENT", ""),
        (predict_request(request(), version=33), "NOT_FOUND", "33"),
        (predict_request(request(), signature="sum"), "FAILED_PRECONDITION", "sum"),
        (predict_request({}), "INVALID_ARGUMENT", "local_field"),
    ],
)
def test_bad_requests(address, message, code, words):
    found, details = status_of(address, message)
    assert found.name == code
    assert words in details


def test_wrong_model_is_named_before_a_volume_is_sent(address):
    with pytest.raises(InputError, match="NOT_FOUND.*other"):
        RemoteReconstructor(address, model_name="other")


def test_output_filter(address, local):
    message = predict_request(request())
    message.output_filter.append("susceptibility")
    response = predict(address, message)
    assert list(response.outputs) == ["susceptibility"]
    everything = predict(address, predict_request(request())).outputs
    assert response.outputs["susceptibility"] == everything["susceptibility"]
    message.output_filter.append("field")
    assert status_of(address, message)[0] == grpc.StatusCode.INVALID_ARGUMENT


def test_an_output_filter_makes_no_graph_of_its_own(exported, monkeypatch):
    """The session would keep one for each set of outputs."""
    model, asked = ServedModel(exported[1], warm_up=False), []
    run = model._session.run

    def watched(fetches, *others):
        asked.append(set(fetches))
        return run(fetches, *others)

    monkeypatch.setattr(model._session, "run", watched)
    server = ModelServer(Mock(current=model), "spinet_qsm", Limits(1, 1, 2**30, 2**20))
    context = Mock()
    context.time_remaining.return_value = 100.0
    message = predict_request(request(batch=1))
    message.output_filter.append("susceptibility")
    response = server.predict([message.SerializeToString()], context)
    assert list(response.outputs) == ["susceptibility"]
    assert asked == [set(model.signatures["serving_default"].outputs)]


def test_the_bytes_of_a_request_are_let_go():
    """gRPC keeps what it passes; that is a list, which is empty once it is read."""
    server = ModelServer(None, "m", Limits(1, 1, 2**20, 2**20))
    (services, _) = _handlers(server)
    details = Mock(method="/tensorflow.serving.PredictionService/Predict")
    handler = services.service(details)
    message = handler.request_deserializer(b"\xff" * 9)
    context = Mock()
    context.abort.side_effect = RuntimeError
    with pytest.raises(RuntimeError):
        handler.unary_unary(message, context)
    assert message == []
    assert "got 9 bytes of another kind" in context.abort.call_args.args[1]
