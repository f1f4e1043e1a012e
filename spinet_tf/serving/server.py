"""Answers requests in the protocol of TF-Serving, for where that is not at hand.

Predict, GetModelMetadata and GetModelStatus, with TF-Serving's status codes; one
model, its newest version. No path and no code comes from the wire.
"""

import logging
import threading
import time
from typing import NamedTuple

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
)

from spinet_tf.serving.answers import refusal
from spinet_tf.serving.line import Line
from spinet_tf.serving.signatures import DEFAULT_SIGNATURE
from spinet_tf.serving.tensors import (
    TooLarge,
    WireError,
    check_shape,
    decode_float32,
)

LOG = logging.getLogger(__name__)
LONGEST_SECONDS = 24 * 3600.0
STATUS_OF_CODE = {code.value[0]: code for code in grpc.StatusCode}


class Limits(NamedTuple):
    """What a server takes on.

    Attributes:
        solves: int, requests computed at the same time; the others wait, in the
            order they came.
        waiting: int, requests that wait or are computed; more are refused.
        message_bytes: int, bytes of the largest request.
        values: int, most values of one input, the whole batch together.
    """

    solves: int
    waiting: int
    message_bytes: int
    values: int


class ModelServer:
    """Answers for one model.

    The methods take a request's bytes, in a list which they empty, and gRPC's context,
    return the response, and abort with a status and a line that says what is wrong.

    Args:
        store: `ModelStore`.
        name: str, the model's name.
        limits: `Limits`.
    """

    def __init__(self, store, name, limits):
        self._store = store
        self._name = name
        self._limits = limits
        self._line = Line(limits.solves)
        self._waiting = threading.BoundedSemaphore(limits.waiting)

    def predict(self, message, context):
        """PredictionService/Predict."""
        if not self._waiting.acquire(blocking=False):
            context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"{self._limits.waiting} requests wait already",
            )
        try:
            return self._predict(message, context)
        except TooLarge as error:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        except WireError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except MemoryError:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "not enough memory")
        except tf.errors.OpError as error:
            context.abort(STATUS_OF_CODE[error.error_code], refusal(error))
        finally:
            self._waiting.release()

    def _predict(self, message, context):
        request = _parse(predict_pb2.PredictRequest, message, context)
        start = time.monotonic()
        model = self._find(request.model_spec, context)
        name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        if name not in model.signatures:
            context.abort(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"signature {name!r} not found, there are {sorted(model.signatures)}",
            )
        inputs = self._inputs(request, model.signatures[name])
        wanted = _outputs(request, model.signatures[name])
        del request  # it is as large as the volumes
        with self._line.turn(lambda: _check_somebody_waits(context)):
            results = model.run(name, inputs, _seconds_left(context))
        shapes = [list(value.shape) for value in inputs.values()]
        LOG.info("%s %s: %.2f s", name, shapes, time.monotonic() - start)
        response = predict_pb2.PredictResponse()
        self._describe(response.model_spec, model, name)
        for output in wanted:
            value = tf.make_tensor_proto(results[output])
            response.outputs[output].CopyFrom(value)
        return response

    def get_model_metadata(self, message, context):
        """PredictionService/GetModelMetadata."""
        request = _parse(
            get_model_metadata_pb2.GetModelMetadataRequest, message, context
        )
        model = self._find(request.model_spec, context)
        if list(request.metadata_field) != ["signature_def"]:
            context.abort(
                grpc.StatusCode.INVALID_ARGUMENT,
                "metadata_field: expected signature_def, "
                f"got {list(request.metadata_field)}",
            )
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, signature in model.signatures.items():
            signatures.signature_def[name].CopyFrom(signature)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        self._describe(response.model_spec, model)
        response.metadata["signature_def"].Pack(signatures)
        return response

    def get_model_status(self, message, context):
        """ModelService/GetModelStatus."""
        request = _parse(get_model_status_pb2.GetModelStatusRequest, message, context)
        if not request.HasField("model_spec"):
            _refuse_no_name(context)
        # Labels and an empty name are as nothing to TF-Serving, here alone.
        model = self._find_named(request.model_spec, context)
        response = get_model_status_pb2.GetModelStatusResponse()
        response.model_version_status.add(
            version=model.version,
            state=get_model_status_pb2.ModelVersionStatus.AVAILABLE,
        )
        return response

    def _find(self, spec, context):
        if not spec.name:
            _refuse_no_name(context)
        if spec.version_label:
            context.abort(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"version label {spec.version_label!r}: this server has no labels",
            )
        return self._find_named(spec, context)

    def _find_named(self, spec, context):
        model = self._store.current
        if spec.name != self._name:
            context.abort(
                grpc.StatusCode.NOT_FOUND,
                f"model {spec.name!r} not found, this server has {self._name!r}",
            )
        wanted = spec.version.value if spec.HasField("version") else model.version
        if wanted != model.version:
            context.abort(
                grpc.StatusCode.NOT_FOUND,
                f"version {wanted} of {self._name} not found, "
                f"this server has version {model.version}",
            )
        return model

    def _describe(self, spec, model, signature_name=""):
        spec.name = self._name
        spec.version.value = model.version
        spec.signature_name = signature_name

    def _inputs(self, request, signature):
        missing = sorted(set(signature.inputs) - set(request.inputs))
        unknown = sorted(set(request.inputs) - set(signature.inputs))
        if missing or unknown:
            raise WireError(
                f"inputs: expected {sorted(signature.inputs)}; "
                f"missing {missing}, unknown {unknown}"
            )
        inputs = {}
        for name, proto in request.inputs.items():
            inputs[name] = decode_float32(name, proto, self._limits.values)
            check_shape(name, inputs[name], signature.inputs[name])
        return inputs


def _refuse_no_name(context):
    context.abort(
        grpc.StatusCode.INVALID_ARGUMENT, "model_spec: expected a model's name"
    )


def _seconds_left(context):
    # Without a deadline gRPC says so many that no clock can count them.
    return min(context.time_remaining(), LONGEST_SECONDS)


def _check_somebody_waits(context):
    if _seconds_left(context) <= 0:
        context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "waited too long")
    if not context.is_active():
        context.abort(grpc.StatusCode.CANCELLED, "nobody waits for it")


def _parse(message_type, message, context):
    content = message.pop()
    try:
        return message_type.FromString(content)
    except DecodeError:
        context.abort(
            grpc.StatusCode.INVALID_ARGUMENT,
            f"expected a {message_type.__name__}, got {len(content)} bytes of another "
            "kind, or not all of them",
        )


def _outputs(request, signature):
    unknown = sorted(set(request.output_filter) - set(signature.outputs))
    if unknown:
        raise WireError(
            f"output_filter: expected some of {sorted(signature.outputs)}, "
            f"got {unknown}"
        )
    if len(set(request.output_filter)) < len(request.output_filter):
        raise WireError(
            f"output_filter: got an output twice in {list(request.output_filter)}"
        )
    return list(request.output_filter or signature.outputs)
