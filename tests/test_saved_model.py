"""The exported SavedModel: same answers, its own checks, nothing of ours in it."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from benchmarks.agreement import relative_error
from spinet_tf.reconstruct import Reconstructor
from spinet_tf.serving.answers import reconstruction_from
from spinet_tf.serving.saved_model import export_saved_model
from tests.networks import VARIANTS, small_model
from tests.served import in_keras, request


@pytest.fixture(scope="module")
def signatures(exported):
    return tf.saved_model.load(str(exported[1])).signatures


def call(signature, inputs):
    return {k: v.numpy() for k, v in signature(**inputs).items()}


@pytest.mark.parametrize("size", [(16, 12, 10), (9, 10, 7), (11, 13, 9)])
def test_equals_keras(exported, signatures, size):
    inputs = request(size)
    results = call(signatures["serving_default"], inputs)
    expected = in_keras(exported[0], inputs)
    assert relative_error(results["susceptibility"], expected) <= 1e-5
    assert results["susceptibility"].dtype == np.float32


def test_holds_the_network_once(exported):
    """And not once for each signature."""
    model, folder = exported
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    (meta_graph,) = saved.meta_graphs
    graph = meta_graph.graph_def
    parts = [graph.node, *(function.node_def for function in graph.library.function)]
    convolutions = [node for part in parts for node in part if node.op == "Conv3D"]
    assert len(convolutions) == model.unrolls * len(model.denoiser.convolutions)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_kind_of_network(variant, tmp_path):
    model = small_model(**VARIANTS[variant])
    folder = export_saved_model(model, tmp_path)
    inputs = request()
    loaded = tf.saved_model.load(str(folder)).signatures["serving_default"]
    difference = relative_error(
        call(loaded, inputs)["susceptibility"], in_keras(model, inputs)
    )
    assert difference <= 1e-5


def test_report_equals_the_reconstructors(exported, signatures):
    inputs = request()
    results = call(signatures["unrolls"], inputs)
    reconstructor = Reconstructor(exported[0])
    for sample in range(2):
        single = reconstructor(*(value[sample] for value in inputs.values()))
        for k, unroll in enumerate(single.unrolls):
            iterate = results["iterates"][sample, k]
            assert relative_error(iterate, unroll.susceptibility) <= 1e-5
            assert results["solver_iterations"][sample, k] == unroll.iterations
            assert results["solver_residual"][sample, k] == pytest.approx(
                unroll.relative_residual, rel=1e-3
            )
        assert results["data_consistency"][sample] == pytest.approx(
            single.data_consistency, rel=1e-5
        )


def test_tells_how_much_of_the_field_it_left_out(tmp_path):
    model = small_model(**VARIANTS["shipped"], initial_lambda=0.02)
    folder = export_saved_model(model, tmp_path)
    inputs = request((16, 12, 10))
    inputs["local_field"][0, 5, 4:8, 5] += 1
    inputs["local_field"][1] *= 0.1
    loaded = tf.saved_model.load(str(folder)).signatures["serving_default"]
    results = call(loaded, inputs)
    found = results["left_out"]
    assert found[0] > 0.001 and found[1] == 0
    reconstructor = Reconstructor(model)
    for sample in range(2):
        single = reconstructor(*(value[sample] for value in inputs.values()))
        assert found[sample] == pytest.approx(single.left_out, abs=1e-5)
        chi = results["susceptibility"][sample]
        assert relative_error(chi, single.susceptibility) <= 1e-4
    first = {name: value[:1] for name, value in results.items()}
    assert reconstruction_from(first, 1.0).left_out == found[0]
    del first["left_out"]  # as in earlier exports
    assert reconstruction_from(first, 1.0).left_out is None


def test_field_alone(exported, signatures):
    inputs = request()
    results = call(
        signatures["local_field_only"], {"local_field": inputs["local_field"]}
    )
    inputs["mask"] = (inputs["local_field"] != 0).astype(np.float32)
    inputs["voxel_size"] = np.ones((2, 3), np.float32)
    inputs["b0_direction"] = np.float32([[0, 0, 1]] * 2)
    expected = in_keras(exported[0], inputs)
    assert relative_error(results["susceptibility"], expected) <= 1e-5


def test_bfloat16(exported, tmp_path):
    model, _ = exported
    folder = export_saved_model(model, tmp_path, "bfloat16")
    loaded = tf.saved_model.load(str(folder)).signatures["serving_default"]
    inputs = request()
    difference = relative_error(
        call(loaded, inputs)["susceptibility"], in_keras(model, inputs)
    )
    assert 1e-6 < difference < 2e-2


def run_python(program, *arguments):
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_runs_without_keras_and_without_this_package(exported, tmp_path):
    inputs = request()
    np.savez(tmp_path / "inputs.npz", **inputs)
    program = """
        import sys
        sys.modules["keras"] = sys.modules["spinet_tf"] = None
        import numpy as np
        import tensorflow as tf

        model, inputs, output = sys.argv[1:]
        run = tf.saved_model.load(model).signatures["serving_default"]
        values = {k: tf.constant(v) for k, v in np.load(inputs).items()}
        np.save(output, run(**values)["susceptibility"])
    """
    output = tmp_path / "chi.npy"
    run_python(program, exported[1], tmp_path / "inputs.npz", output)
    expected = in_keras(exported[0], inputs)
    assert relative_error(np.load(output), expected) <= 1e-5


def test_holds_core_operations_only(exported):
    program = """
        import sys
        sys.modules["keras"] = None
        from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
        from tensorflow.python.framework import op_def_registry

        with open(sys.argv[1], "rb") as file:
            (graph,) = SavedModel.FromString(file.read()).meta_graphs
        functions = graph.graph_def.library.function
        nodes = [*graph.graph_def.node, *(n for f in functions for n in f.node_def)]
        ops = {node.op for node in nodes} - {f.signature.name for f in functions}
        assert {"FFT3D", "RFFT3D"} & ops and "Conv3D" in ops, ops
        print(sorted(op for op in ops if op_def_registry.get(op) is None))
        print(sorted(op for op in ops if "Py" in op))
    """
    assert run_python(program, exported[1] / "saved_model.pb") == "[]\n[]\n"


def test_saved_model_cli_runs_it(exported, tmp_path):
    inputs = request()
    for name, value in inputs.items():
        np.save(tmp_path / f"{name}.npy", value)
    files = ";".join(f"{name}={tmp_path / name}.npy" for name in inputs)
    command = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli"]
    command += ["run", "--dir", exported[1], "--tag_set=serve"]
    command += ["--signature_def=serving_default", f"--inputs={files}"]
    result = subprocess.run(
        [*command, f"--outdir={tmp_path}"], capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    expected = in_keras(exported[0], inputs)
    found = np.load(tmp_path / "susceptibility.npy")
    assert relative_error(found, expected) <= 1e-5
