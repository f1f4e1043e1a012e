"""TensorFlow Lite files, run in LiteRT and compared with Keras."""

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from tensorflow.lite.tools.flatbuffer_utils import convert_bytearray_to_object

from benchmarks.agreement import relative_error
from benchmarks.artefacts import B0_DIRECTION, VOXEL_SIZE
from benchmarks.scans import digital_scan
from examples.python.litert_reconstruct import read_metadata
from spinet_tf.errors import InputError
from spinet_tf.model_files import load_model
from spinet_tf.pretrained import PRETRAINED
from spinet_tf.reconstruct import Reconstructor
from spinet_tf.serving.answers import batch_of_one
from spinet_tf.serving.flatbuffer import check_self_contained, operators
from spinet_tf.serving.signatures import DEFAULT_SIGNATURE
from spinet_tf.serving.tflite import convert, export_tflite
from tests.grids import B0_DIRECTIONS
from tests.networks import VARIANTS, perturbed_model, small_model

SIZE = (10, 9, 13)
BOUND = {"float32": 1e-4, "float16": 1e-2}


def scan(size=SIZE, seed=0):
    rng = np.random.default_rng(seed)
    mask = np.zeros(size, np.float32)
    mask[1:-1, 2:, 1:-2] = 1
    return (0.02 * mask * rng.standard_normal(size)).astype(np.float32), mask


def run_litert(content, field, mask, voxel_size=VOXEL_SIZE, b0_direction=B0_DIRECTION):
    """All outputs of a file, without the batch axis."""
    run = Interpreter(model_content=content).get_signature_runner(DEFAULT_SIGNATURE)
    outputs = run(**batch_of_one((field, mask, voxel_size, b0_direction)))
    return {name: value[0] for name, value in outputs.items()}


def stores_a_volume(content, size):
    """Whether a file holds as many numbers as a volume or a half spectrum has."""
    x, y, z = size
    lengths = {
        len(b.data)
        for b in convert_bytearray_to_object(content).buffers
        if b.data is not None
    }
    voxels = x * y * z, x * y * (z // 2 + 1)
    return bool(lengths & {4 * n * channels for n in voxels for channels in (1, 2)})


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_computes_what_keras_does(variant):
    # With p = 2 the preconditioner is exact, and the residual nothing but rounding.
    model = perturbed_model(**{"initial_p": 1.5, **VARIANTS[variant]})
    field, mask = scan()
    expected = Reconstructor(model)(field, mask, VOXEL_SIZE, B0_DIRECTION)
    content = convert(model, SIZE)
    assert not stores_a_volume(content, SIZE)
    outputs = run_litert(content, field, mask)
    chi = outputs["susceptibility"]
    assert relative_error(chi, expected.susceptibility) < 1e-4
    assert (chi[mask == 0] == 0).all()
    assert outputs["data_consistency"] == pytest.approx(
        expected.data_consistency, rel=1e-4
    )
    assert outputs["left_out"] == (expected.left_out or 0)
    # A residual close to the tolerance may come to lie on its other side.
    iterations = [unroll.iterations for unroll in expected.unrolls]
    assert np.abs(outputs["solver_iterations"] - iterations).max() <= 1
    residuals = [unroll.relative_residual for unroll in expected.unrolls]
    np.testing.assert_allclose(outputs["solver_residual"], residuals, rtol=0.5)


def test_leaves_out_what_the_reconstructor_leaves_out():
    model = perturbed_model(**VARIANTS["shipped"], initial_lambda=0.02)
    field, mask = scan()
    field[5, 3:6, 4] += 1
    expected = Reconstructor(model)(field, mask, VOXEL_SIZE, B0_DIRECTION)
    assert expected.left_out > 0.5 / mask.sum()
    outputs = run_litert(convert(model, SIZE), field, mask)
    assert outputs["left_out"] == pytest.approx(expected.left_out, rel=1e-3)
    chi = outputs["susceptibility"]
    assert relative_error(chi, expected.susceptibility) < 1e-4


def test_one_file_serves_every_geometry():
    model = perturbed_model()
    content = convert(model, SIZE)
    in_keras = Reconstructor(model)
    field, mask = scan()
    results = []
    for voxel_size in ((1, 1, 1), (0.7, 1.3, 2)):
        for b0 in (*B0_DIRECTIONS, (0, 3, 0)):
            expected = in_keras(field, mask, voxel_size, b0).susceptibility
            outputs = run_litert(content, field, mask, voxel_size, b0)
            assert relative_error(outputs["susceptibility"], expected) < 1e-4
            results.append(expected)
    assert min(relative_error(results[0], other) for other in results[1:]) > 1e-2


def test_a_field_of_zeros_stays_finite():
    outputs = run_litert(convert(perturbed_model(), SIZE), *np.zeros((2, *SIZE), "f"))
    assert not outputs["susceptibility"].any()
    assert outputs["data_consistency"] == 0


def test_what_the_app_has_to_check_for():
    """No assertion runs there, so that `docs/tflite.md` says what comes out."""
    content = convert(perturbed_model(), SIZE)
    field, mask = scan()
    outputs = run_litert(content, field, np.zeros_like(mask))
    assert not outputs["susceptibility"].any()
    assert outputs["data_consistency"] == 0
    field[5, 5, 5] = np.nan
    outputs = run_litert(content, field, mask)
    assert np.isnan(outputs["susceptibility"]).all()
    assert np.isnan(outputs["solver_residual"]).all()


def test_operators_are_built_in_and_weights_are_there():
    model = small_model(filters=16, blocks=2)
    weights = sum(w.size for w in model.denoiser.get_weights())
    sizes = {}
    for precision in BOUND:
        content = convert(model, (8, 8, 8), precision)
        parsed = convert_bytearray_to_object(content)
        assert {"CONV_2D", "WHILE"} <= operators(parsed)
        assert not any(
            word in name
            for name in operators(parsed)
            for word in ("CUSTOM", "VAR", "CALL_ONCE", "FFT", "FLEX")
        )
        stored = sum(len(b.data) for b in parsed.buffers if b.data is not None)
        assert stored > weights * (4 if precision == "float32" else 2)
        sizes[precision] = stored
    assert sizes["float16"] < 0.6 * sizes["float32"]


@pytest.mark.parametrize("name", ["READ_VARIABLE", "CUSTOM"])
def test_a_file_that_is_not_self_contained_is_refused(name):
    from tensorflow.lite.python import schema_py_generated as schema

    parsed = convert_bytearray_to_object(convert(small_model(unrolls=1), (8, 8, 8)))
    check_self_contained(parsed)
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, name)
    parsed.operatorCodes.append(code)
    with pytest.raises(RuntimeError, match=name):
        check_self_contained(parsed)


def test_files_of_several_sizes(tmp_path):
    model = small_model(unrolls=1)
    paths = export_tflite(model, tmp_path / "new", [(8, 9, 10), (11, 8, 8)], "float16")
    names = ["spinet-qsm-8x9x10-float16.tflite", "spinet-qsm-11x8x8-float16.tflite"]
    assert [path.name for path in paths] == names
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(names)
    for path, size in zip(paths, [(8, 9, 10), (11, 8, 8)], strict=True):
        runner = Interpreter(str(path)).get_signature_runner(DEFAULT_SIGNATURE)
        shapes = {k: v["shape"].tolist() for k, v in runner.get_input_details().items()}
        assert shapes == {
            "local_field": [1, *size],
            "mask": [1, *size],
            "voxel_size": [1, 3],
            "b0_direction": [1, 3],
        }


def test_metadata_describe_the_tensors(tmp_path):
    (path,) = export_tflite(small_model(unrolls=2), tmp_path, [SIZE])
    metadata = read_metadata(path)
    assert metadata["matrix_size"] == list(SIZE)
    runner = Interpreter(str(path)).get_signature_runner(DEFAULT_SIGNATURE)
    for kind, details in (
        ("inputs", runner.get_input_details()),
        ("outputs", runner.get_output_details()),
    ):
        described = {name: t["shape"] for name, t in metadata[kind].items()}
        assert described == {k: v["shape"].tolist() for k, v in details.items()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sizes": []}, "at least one"),
        ({"sizes": [(8, 8)]}, r"three integers .* got \(8, 8\)"),
        ({"sizes": [(8, 8, 7)]}, "at least 8"),
        ({"sizes": [(8, 1025, 8)]}, "at most 1024 voxels along an axis"),
        ({"sizes": [(8, 8, 8.0)]}, "three integers"),
        ({"sizes": [64]}, r"three integers .* got \(64,\)"),
        ({"sizes": [(8, 8, 8)], "variant": "int4"}, "variant.*int4"),
        ({"sizes": [(8, 8, 8)], "model": object()}, "model: .*object"),
    ],
)
def test_bad_arguments_are_told_in_one_line(arguments, message, tmp_path):
    arguments = {"model": small_model(), "output_dir": tmp_path, **arguments}
    with pytest.raises(InputError, match=message) as caught:
        export_tflite(**arguments)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        export_tflite(small_model(), tmp_path / "file", [(8, 8, 8)])


def test_a_temporary_folder_that_is_full(tmp_path, monkeypatch):
    def fail(_, __, folder):
        message = f"{folder}/variables; No space left on device"
        raise tf.errors.ResourceExhaustedError(None, None, message)

    monkeypatch.setattr("spinet_tf.serving.tflite.write_graph", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    message = f"^{tmp_path}/[^/]*: cannot be written, No space left on device$"
    with pytest.raises(InputError, match=message):
        export_tflite(small_model(), tmp_path / "app", [(8, 8, 8)])
    assert not list(tmp_path.iterdir())


def check_heads(model, sizes):
    for size in sizes:
        scan = digital_scan(size, VOXEL_SIZE, B0_DIRECTION)
        expected = Reconstructor(model)(*scan)
        for precision, bound in BOUND.items():
            content = convert(model, (size,) * 3, precision)
            assert not stores_a_volume(content, (size,) * 3)
            outputs = run_litert(content, *scan)
            error = relative_error(outputs["susceptibility"], expected.susceptibility)
            assert error < bound, (size, precision)


def test_the_shipped_network_on_a_head():
    check_heads(load_model(PRETRAINED), [32])


@pytest.mark.reference
def test_the_released_network_on_a_head(released_model):
    check_heads(released_model, [32])


@pytest.mark.slow
@pytest.mark.reference
def test_both_networks_on_larger_heads(released_model):
    for model in (load_model(PRETRAINED), released_model):
        check_heads(model, [48, 64])
