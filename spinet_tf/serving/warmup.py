"""Requests with which TF-Serving warms up a model before it is said to be ready."""

import numpy as np
import tensorflow as tf

from spinet_tf.serving.signatures import (
    DEFAULT_SIGNATURE,
    FIELD_SIGNATURE,
    INPUTS,
    UNROLLS_SIGNATURE,
)

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
WARMUP_EDGE = 32
LEAST_VOXELS = 5**3  # of a request with anything in its mask, see below


def _example_inputs(edge):
    """A valid request of edge^3 voxels: a box as mask, and a weak field in it."""
    mask = np.zeros((1, edge, edge, edge), np.float32)
    mask[:, 2:-2, 2:-2, 2:-2] = 1
    noise = np.random.default_rng(0).standard_normal(mask.shape)
    return {
        "local_field": (0.01 * mask * noise).astype(np.float32),
        "mask": mask,
        "voxel_size": np.ones((1, 3), np.float32),
        "b0_direction": np.float32([[0, 0, 1]]),
    }


def write_warmup_requests(folder, max_voxels):
    """Write a request to each signature, in the form of TF-Serving.

    Args:
        folder: `Path` of the version directory.
        max_voxels: int, what the model accepts; `LEAST_VOXELS` or more.
    """
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    edge = min(WARMUP_EDGE, int(max_voxels ** (1 / 3) + 1e-6))
    inputs = _example_inputs(edge)
    names = {
        DEFAULT_SIGNATURE: list(INPUTS),
        UNROLLS_SIGNATURE: list(INPUTS),
        FIELD_SIGNATURE: ["local_field"],
    }
    path = folder / WARMUP_FILE
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, wanted in names.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.signature_name = signature
            for name in wanted:
                request.inputs[name].CopyFrom(tf.make_tensor_proto(inputs[name]))
            log = prediction_log_pb2.PredictLog(request=request)
            writer.write(
                prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString()
            )


def read_warmup_requests(folder):
    """The requests a version directory holds.

    Args:
        folder: `Path` of the version directory.

    Yields:
        The signature's name and a dict of arrays.
    """
    from tensorflow_serving.apis import prediction_log_pb2

    path = folder / WARMUP_FILE
    if not path.exists():
        return
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        request = log.predict_log.request
        yield (
            request.model_spec.signature_name,
            {name: tf.make_ndarray(value) for name, value in request.inputs.items()},
        )
