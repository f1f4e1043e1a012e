"""The authors' network and results; their files are not part of this project."""

import numpy as np
import pytest

from benchmarks.agreement import iterate_errors, relative_error
from spinet_tf.dipole_kernel import dipole_kernel
from spinet_tf.errors import InputError
from spinet_tf.release import convert_release, expected_tensors
from tests.command_line import read, succeed

pytestmark = pytest.mark.reference


@pytest.fixture(scope="module")
def golden(reference_dir):
    with np.load(reference_dir / "golden_48x40x32.npz") as file:
        return dict(file)


def test_learned_parameters(released_model):
    assert released_model.lambda_ == pytest.approx(0.0378, abs=5e-5)
    assert released_model.p == pytest.approx(1.5838, abs=5e-5)
    assert released_model.chi_std == pytest.approx(0.02892724)


def test_kernel(golden):
    kernel = dipole_kernel((48, 40, 32), np.ones((1, 3)), [[0, 0, 1]], 1 / 3)
    np.testing.assert_allclose(kernel[0], golden["dipole"][..., :17], atol=1e-6)


def test_every_iterate_with_a_converged_solve(released_model, golden):
    settings = {"tolerance": 1e-7, "max_iterations": 60}
    for *errors, _ in iterate_errors(released_model, golden, settings):
        assert max(errors) < 1e-4


def test_result_with_the_default_settings(released_model, golden):
    unrolls = list(iterate_errors(released_model, golden, {}))
    assert unrolls[-1][2] < 5e-4
    # 4, 9 and 9 where it was measured; 10, 13 and 13 without the preconditioner.
    first, *others = (iterations for *_, iterations in unrolls)
    assert first <= 6
    assert max(others) <= 11


def test_iterating_past_convergence_changes_nothing(released_model, golden):
    settings = {"tolerance": 0.0, "max_iterations": 1000}
    for *errors, _ in iterate_errors(released_model, golden, settings):
        assert max(errors) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "bound"), [("float32", 3e-4), ("bfloat16", 6e-3)]
)
def test_in_vivo(precision, bound, released_model_path, reference_dir, tmp_path):
    """Through the command line; the release's kernel is for 1 mm isotropic voxels."""
    succeed(
        "reconstruct",
        field=reference_dir / "invivo" / "localfield.nii.gz",
        mask=reference_dir / "invivo" / "mask.nii.gz",
        model=released_model_path,
        voxel_size="1,1,1",
        precision=precision,
        output=tmp_path / "chi.nii.gz",
    )
    inside = read(reference_dir / "invivo" / "mask.nii.gz") > 0
    with np.load(reference_dir / "golden_invivo_160.npz") as golden:
        expected = golden["chi_3_in_mask"].real
    susceptibility = read(tmp_path / "chi.nii.gz")[inside]
    assert relative_error(susceptibility, expected) <= bound


def write_checkpoint(path, change=lambda state: state):
    torch = pytest.importorskip("torch")
    state = {name: torch.ones(shape) for name, shape in expected_tensors().items()}
    torch.save(change(state), path)


def without(name):
    return lambda state: {key: x for key, x in state.items() if key != name}


def replaced(name, function):
    return lambda state: {**state, name: function(state[name])}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("gen.3.weight"), "missing tensors: gen.3.weight"),
        (
            replaced("gen.0.weight", lambda x: x[:, :1]),
            r"gen.0.weight \(32, 1, 3, 3, 3\) instead of \(32, 2, 3, 3, 3\)",
        ),
        (replaced("gen.5.weight", lambda x: x * float("nan")), "NaN or infinity"),
        (replaced("p", lambda x: x * 3), "0.001 <= p <= 2"),
        (replaced("p", lambda x: x * 1e-4), "0.001 <= p <= 2"),
        (replaced("lambda_val", lambda x: x * 1e-39), "lambda_val >= 1.2e-38"),
        (
            replaced("gen.2.3.bn1.running_var", lambda x: -x),
            "negative variances in tensors: gen.2.3.bn1.running_var",
        ),
        (replaced("lambda_val", lambda x: -x), "lambda_val >= 1.2e-38"),
        (lambda state: list(state.values()), "expected a dict of tensors"),
        (lambda state: {"model": 3}, "missing tensors"),
    ],
)
def test_a_checkpoint_that_is_not_theirs(change, message, reference_dir, tmp_path):
    path = tmp_path / "weights.pth"
    write_checkpoint(path, change)
    with pytest.raises(InputError, match=message) as caught:
        convert_release(path, reference_dir / "tr-stats.mat")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


class _Payload:
    def __reduce__(self):
        return print, ("executed",)


def test_a_pickle_is_not_executed(reference_dir, tmp_path, capsys):
    torch = pytest.importorskip("torch")
    path = tmp_path / "weights.pth"
    torch.save({"gen.0.weight": _Payload()}, path)
    with pytest.raises(InputError, match="not a PyTorch checkpoint"):
        convert_release(path, reference_dir / "tr-stats.mat")
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04broken"])
def test_a_damaged_checkpoint(content, reference_dir, tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a PyTorch checkpoint"):
        convert_release(path, reference_dir / "tr-stats.mat")


def test_missing_and_wrong_statistics(reference_dir, tmp_path):
    weights = reference_dir / "model_weights.pth"
    with pytest.raises(InputError, match="no such file"):
        convert_release(tmp_path / "absent.pth", reference_dir / "tr-stats.mat")
    with pytest.raises(InputError, match="absent.mat"):
        convert_release(weights, tmp_path / "absent.mat")
    (tmp_path / "text.mat").write_text("not MATLAB")
    with pytest.raises(InputError, match="text.mat"):
        convert_release(weights, tmp_path / "text.mat")
