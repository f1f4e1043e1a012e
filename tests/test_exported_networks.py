"""The networks that people will export: the shipped one and the authors'."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.agreement import invivo_error, relative_error
from spinet_tf.copies import folded
from spinet_tf.model_files import load_model
from spinet_tf.pretrained import PRETRAINED
from spinet_tf.serving.client import RemoteReconstructor
from spinet_tf.serving.saved_model import export_saved_model
from tests.served import in_keras, request, server_process


def check_saved_model(model, tmp_path):
    model = folded(model, "float32")
    folder = export_saved_model(model, tmp_path)
    signature = tf.saved_model.load(str(folder)).signatures["serving_default"]
    for size in ((48, 40, 32), (33, 47, 29)):
        inputs = request(size)
        # Noise of 0.02 ppm is far from any scan: solves end unfinished, and what they
        # come to then depends on rounding.
        inputs["local_field"] *= np.float32(0.1)
        found = signature(**inputs)["susceptibility"].numpy()
        assert relative_error(found, in_keras(model, inputs)) <= 1e-5


def test_saved_model_of_the_shipped_network(tmp_path):
    check_saved_model(load_model(PRETRAINED), tmp_path)


@pytest.mark.reference
def test_saved_model_of_the_released_network(released_model, tmp_path):
    check_saved_model(released_model, tmp_path)


@pytest.mark.slow
@pytest.mark.reference
def test_released_network_over_grpc_in_vivo(released_model, reference_dir, tmp_path):
    export_saved_model(released_model, tmp_path)
    with server_process(tmp_path) as (_, address):
        error, _ = invivo_error(RemoteReconstructor(address), reference_dir)
    assert error <= 3e-4
