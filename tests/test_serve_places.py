"""What `spinet-qsm serve` sets up around the model: its port, places, and the end."""

import threading
from types import SimpleNamespace
from unittest.mock import Mock

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import predict_pb2

from spinet_cli import serve
from spinet_tf.errors import InputError
from spinet_tf.serving.listen import start_server
from spinet_tf.serving.server import Limits
from tests.command_line import run_words

LIMITS = Limits(1, 1, 2**20, 100)


def test_a_port_is_not_shared():
    """Two servers at one port would each get some of the calls."""
    server, port, _ = start_server(Mock(), "127.0.0.1:0", LIMITS)
    try:
        with pytest.raises(InputError, match=f"127.0.0.1:{port}: cannot be listened"):
            start_server(Mock(), f"127.0.0.1:{port}", LIMITS)
    finally:
        server.stop(None).wait()


def test_health_is_told_while_all_places_are_taken():
    begun, may_end = threading.Event(), threading.Event()

    def predict(*_):
        begun.set()
        may_end.wait(20)
        return predict_pb2.PredictResponse()

    model_server = SimpleNamespace(
        predict=predict, get_model_metadata=None, get_model_status=None
    )
    server, port, _ = start_server(model_server, "127.0.0.1:0", LIMITS)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        pending = call.future(b"")
        assert begun.wait(20)
        check = health_pb2_grpc.HealthStub(channel).Check
        status = check(health_pb2.HealthCheckRequest(), timeout=10).status
        may_end.set()
        pending.result(timeout=20)
    server.stop(None).wait()
    assert status == health_pb2.HealthCheckResponse.SERVING


def test_says_goodbye_before_it_stops(monkeypatch):
    done = Mock()
    store = Mock(current=SimpleNamespace(version=1))
    monkeypatch.setattr(serve, "ModelStore", lambda _: store)
    monkeypatch.setattr(serve, "_check_free", lambda *_: None)
    monkeypatch.setattr(serve.signal, "signal", lambda *_: None)
    monkeypatch.setattr(serve.logging, "basicConfig", lambda **_: None)
    terminated = Mock()
    terminated.wait.return_value = True
    monkeypatch.setattr(serve, "threading", Mock(Event=lambda: terminated))
    monkeypatch.setattr(serve, "os", Mock(_exit=done.exit))
    started = done.server, 8500, done.say_goodbye
    monkeypatch.setattr(serve, "start_server", lambda *_: started)
    assert (
        "serving m version 1"
        in run_words("serve", "--model-dir=x", "--model-name=m").out
    )
    order = [name for name, *_ in done.mock_calls]
    assert order == ["say_goodbye", "server.stop", "server.stop().wait", "exit"]
    store.watch.return_value.assert_called_once()
