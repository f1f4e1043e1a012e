"""Checkpoints with what no network of ours holds, in the right places."""

import pytest

from spinet_tf.errors import InputError
from spinet_tf.release import convert_release, expected_tensors
from tests.mat_files import write_v5


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def state(torch):
    return {name: torch.ones(shape) for name, shape in expected_tensors().items()}


def make_sparse(torch, value):
    return value.to_sparse()


def make_complex(torch, value):
    return value.to(torch.complex64)


def make_meta(torch, value):
    return value.to("meta")


def make_integer(torch, value):
    return value.to(torch.int64)


def make_list(torch, value):
    return value.tolist()


@pytest.mark.parametrize(
    "make", [make_sparse, make_complex, make_meta, make_integer, make_list]
)
def test_tensors_that_are_no_plain_ones(torch, state, tmp_path, make):
    name = "gen.0.weight"
    torch.save({**state, name: make(torch, state[name])}, tmp_path / "w.pth")
    write_v5(tmp_path / "stats.mat", out_mean=0.0, out_std=0.03)
    message = f"w.pth: .* not plain tensors of real numbers: {name}$"
    with pytest.raises(InputError, match=message):
        convert_release(tmp_path / "w.pth", tmp_path / "stats.mat")
