"""Reconstructs on a model server, by TF-Serving's protocol over gRPC."""

import json
import re

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from spinet_tf.errors import InputError
from spinet_tf.serving.answers import Answering, fault_in
from spinet_tf.serving.signatures import (
    DEFAULT_SIGNATURE,
    UNROLLS_SIGNATURE,
    fault_of,
)

UNLIMITED = -1
LOOPBACK = r"(dns:/*|ipv4:|ipv6:)?(localhost|127(\.\d+){3}|\[::1\]):\d+"
LARGEST_REQUEST = 2**31 - 2**20  # protobuf's limit, and names
RETRY_BUFFER = 2**30  # a request larger than it would not be sent a second time


def _retries(attempts, **method):
    return {
        "name": [method],
        "retryPolicy": {
            "maxAttempts": attempts,
            "initialBackoff": "0.5s",
            "maxBackoff": "5s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        },
    }


# A volume that ends one server should not end them all.
PREDICT = {"service": "tensorflow.serving.PredictionService", "method": "Predict"}
RETRIES = {"methodConfig": [_retries(5), _retries(3, **PREDICT)]}


class RemoteReconstructor(Answering):
    """What `Reconstructor` is, with the work done by a model server.

    The server's metadata are asked for first, so that another model is found out
    before a volume is sent.

    Attributes:
        version: int, of the model that answered last.
        unrolls: int, of the model.

    Args:
        address: str, "host:port".
        model_name: str, the model's name on the server. Defaults to "spinet_qsm".
        tls_ca: bytes, PEM certificates of who may have signed the server's. Defaults
            to None: no encryption.
        timeout: float, seconds that a request may take. Defaults to 600.
        iterates: bool, whether to fetch the map after each unroll. Defaults to False.

    Raises:
        InputError: the server cannot be reached, or has no such model.
    """

    def __init__(
        self,
        address,
        model_name="spinet_qsm",
        tls_ca=None,
        timeout=600.0,
        iterates=False,
    ):
        self._address = address
        self._timeout = timeout
        self._signature = UNROLLS_SIGNATURE if iterates else DEFAULT_SIGNATURE
        self._model_name = model_name
        options = [
            # gRPC's own limit is 4 MB, a volume of 160^3 has 16.
            ("grpc.max_send_message_length", UNLIMITED),
            ("grpc.max_receive_message_length", UNLIMITED),
            ("grpc.enable_retries", 1),
            ("grpc.per_rpc_retry_buffer_size", RETRY_BUFFER),
            ("grpc.service_config", json.dumps(RETRIES)),
        ]
        if re.fullmatch(LOOPBACK, address, re.IGNORECASE):  # no proxy leads there
            options.append(("grpc.enable_http_proxy", 0))
        self._security = "without TLS" if tls_ca is None else "with TLS"
        if tls_ca is not None:
            credentials = grpc.ssl_channel_credentials(tls_ca)
            channel = grpc.secure_channel(address, credentials, options)
        else:
            channel = grpc.insecure_channel(address, options)
        self._service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self._check_model()

    def predict(self, inputs):
        """Send a batch.

        Args:
            inputs: dict of float32 arrays, as the signature takes them.

        Returns:
            dict of arrays.

        Raises:
            InputError: the batch is too large for a request, or the server refuses it,
                or fails, or takes too long, or answers with something else.
        """
        if sum(value.nbytes for value in inputs.values()) > LARGEST_REQUEST:
            raise InputError(
                f"field: {self._address}: a request may have 2 GiB, this volume takes"
                " more"
            )
        request = predict_pb2.PredictRequest()
        request.model_spec.name = self._model_name
        request.model_spec.signature_name = self._signature
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        response = self._call(self._service.Predict, request)
        self.version = response.model_spec.version.value
        try:
            results = {
                name: tf.make_ndarray(value) for name, value in response.outputs.items()
            }
            fault = fault_in(results, self._signature, inputs["local_field"].shape)
        except (TypeError, ValueError) as error:  # a tensor that contradicts itself
            fault = error
        if fault:
            raise InputError(f"{self._address}: cannot use the answer, {fault}")
        return results

    def _check_model(self):
        request = get_model_metadata_pb2.GetModelMetadataRequest()
        request.model_spec.name = self._model_name
        request.metadata_field.append("signature_def")
        response = self._call(self._service.GetModelMetadata, request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        try:
            response.metadata["signature_def"].Unpack(signatures)
        except DecodeError:
            signatures.Clear()  # then it has no such signature
        found = signatures.signature_def[self._signature]
        fault = fault_of(self._signature, found)
        shape = found.outputs["solver_iterations"].tensor_shape.dim
        if not fault and (len(shape) != 2 or shape[1].size < 1):
            fault = "not a SpiNet-QSM model: it does not tell its number of unrolls"
        if fault:
            raise InputError(f"{self._address}: model {self._model_name!r} is {fault}")
        self.version = response.model_spec.version.value
        self.unrolls = shape[1].size

    def _call(self, method, request):
        try:
            return method(request, timeout=self._timeout)
        except grpc.RpcError as error:
            message = f"{self._address}: {error.code().name}: {error.details()}"
            if error.code() == grpc.StatusCode.UNAVAILABLE:
                message += f"; is it running, and {self._security}?"
            raise InputError(message) from error
