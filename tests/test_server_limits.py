"""What a server computes, for whom, and what it answers else."""

import concurrent.futures
import threading
import time
from types import SimpleNamespace
from unittest.mock import Mock

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
)

from spinet_tf.serving.listen import start_server
from spinet_tf.serving.server import Limits, ModelServer
from tests.served import predict_request


class Aborted(Exception):
    pass


def fake_context(seconds=100.0, active=True):
    def abort(code, details):
        raise Aborted(f"{code.name}: {details}")

    return SimpleNamespace(
        abort=abort, time_remaining=lambda: seconds, is_active=lambda: active
    )


def server_of(run, limits=None):
    """A `ModelServer` whose model, version 7, answers by `run`."""
    model = SimpleNamespace(
        version=7,
        run=run,
        signatures={"serving_default": SimpleNamespace(inputs={}, outputs={})},
    )
    store = SimpleNamespace(current=model)
    return ModelServer(store, "spinet_qsm", limits or Limits(1, 4, 2**20, 100))


def ask(server, context, **spec):
    message = predict_request({}, **spec).SerializeToString()
    return server.predict([message], context)


@pytest.mark.parametrize("solves", [1, 2])
def test_no_more_than_allowed_are_computed_at_a_time(solves):
    running, most, all_here = set(), [], threading.Barrier(solves)

    def run(*_):
        running.add(threading.get_ident())
        all_here.wait(timeout=20)
        time.sleep(0.05)  # for one more that must not come
        most.append(len(running))
        running.discard(threading.get_ident())
        return {}

    server = server_of(run, Limits(solves, 4, 2**20, 100))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: ask(server, fake_context()), range(4)))
    assert max(most) == solves


@pytest.mark.parametrize(
    ("gone", "code"),
    [({"seconds": 0.0}, "DEADLINE_EXCEEDED"), ({"active": False}, "CANCELLED")],
)
def test_nothing_is_computed_for_nobody(gone, code):
    run = Mock(return_value={})
    server = server_of(run, Limits(1, 1, 2**20, 100))
    with pytest.raises(Aborted, match=code):
        ask(server, fake_context(**gone))
    run.assert_not_called()
    ask(server, fake_context())  # the place is free again
    run.assert_called_once()


def test_who_is_gone_while_waiting_holds_no_place(monkeypatch):
    monkeypatch.setattr("spinet_tf.serving.line.POLL_SECONDS", 0.01)
    server = server_of(Mock(return_value={}))
    with (
        concurrent.futures.ThreadPoolExecutor(1) as pool,
        server._line.turn(lambda: None),
    ):
        waiting = pool.submit(ask, server, fake_context(active=False))
        with pytest.raises(Aborted, match="CANCELLED"):
            waiting.result(timeout=20)


def test_labels_are_refused_and_the_answer_says_what_it_is_of():
    server = server_of(Mock(return_value={}))
    spec = ask(server, fake_context()).model_spec
    told = spec.name, spec.version.value, spec.signature_name
    assert told == ("spinet_qsm", 7, "serving_default")
    message = predict_request({})
    message.model_spec.version_label = "stable"
    with pytest.raises(Aborted, match="INVALID_ARGUMENT: version label 'stable'"):
        server.predict([message.SerializeToString()], fake_context())
    with pytest.raises(Aborted, match="RESOURCE_EXHAUSTED: not enough memory"):
        ask(server_of(Mock(side_effect=MemoryError)), fake_context())


def test_status_and_metadata_of_what_is_not_there():
    server, context = server_of(None), fake_context()
    status = get_model_status_pb2.GetModelStatusRequest()
    metadata = get_model_metadata_pb2.GetModelMetadataRequest()
    for message, method in (
        (status, server.get_model_status),
        (metadata, server.get_model_metadata),
    ):
        message.model_spec.name = "other"
        with pytest.raises(Aborted, match="NOT_FOUND: model 'other'"):
            method([message.SerializeToString()], context)
    metadata.model_spec.name = "spinet_qsm"
    metadata.metadata_field.append("graph")
    with pytest.raises(Aborted, match="INVALID_ARGUMENT: metadata_field: .*'graph'"):
        server.get_model_metadata([metadata.SerializeToString()], context)


def test_status_follows_tf_serving():
    """Its get_model_status_impl.cc looks at no label, and for any name."""
    server, context = server_of(None), fake_context()

    def status(**spec):
        message = get_model_status_pb2.GetModelStatusRequest()
        message.model_spec.name = spec.pop("name", "spinet_qsm")
        message.model_spec.version_label = spec.pop("label", "")
        if "version" in spec:
            message.model_spec.version.value = spec["version"]
        return server.get_model_status([message.SerializeToString()], context)

    for spec in ({}, {"label": "stable"}, {"version": 7}):
        (found,) = status(**spec).model_version_status
        assert (found.version, found.state) == (7, found.AVAILABLE)
    with pytest.raises(Aborted, match="NOT_FOUND: model ''"):
        status(name="")
    with pytest.raises(Aborted, match="NOT_FOUND: version 6"):
        status(version=6)
    with pytest.raises(Aborted, match="INVALID_ARGUMENT: model_spec: expected"):
        server.get_model_status([b""], context)


def test_health_is_no_longer_good_at_the_end():
    limits = Limits(1, 1, 2**20, 100)
    server, port, say_goodbye = start_server(Mock(), "127.0.0.1:0", limits)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        states = []
        for _ in range(2):
            states.append(check(health_pb2.HealthCheckRequest(), timeout=20).status)
            say_goodbye()
    server.stop(None)
    assert states == [
        health_pb2.HealthCheckResponse.SERVING,
        health_pb2.HealthCheckResponse.NOT_SERVING,
    ]
