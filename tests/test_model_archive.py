"""`.keras` files that hold something else than a network of ours."""

import io
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest

from spinet_tf import SpiNetQSM
from spinet_tf.errors import InputError
from spinet_tf.model_files import load_model, save_model
from tests.command_line import write_model


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    path = write_model(tmp_path_factory.mktemp("model") / "tiny.keras")
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def refused(members, tmp_path):
    """What is said of a file with some members changed."""

    def refuse(changed):
        path = tmp_path / "bad.keras"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in {**members, **changed}.items():
                archive.writestr(name, content)
        with pytest.raises(InputError) as caught:
            load_model(path)
        return str(caught.value).removeprefix(f"{path}: ")

    return refuse


@pytest.mark.parametrize("name", ["assets/a", "../evil", "data.pkl", "a.npz"])
def test_other_members(refused, name):
    assert f"in it, found '{name}' too" in refused({name: b"evil"})


@pytest.mark.parametrize("name", ["config.json", "metadata.json"])
def test_large_members(refused, name):
    message = f"expected at most 1048576 bytes as {name}, it has 20000000"
    assert message in refused({name: bytes(20_000_000)})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe{}", "config.json: "),
        (b"[" * 100_000, "config.json: nested too deep"),
        (b"[]", "config.json describes no network"),
        (b'{"class_name": "SpiNetQSM"}', "config.json describes no network"),
    ],
)
def test_config_that_is_none(refused, content, message):
    assert message in refused({"config.json": content})


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"class_name": "system", "module": "os"}, "system"),
        ({"class_name": "Lambda", "module": "keras.layers"}, "Lambda"),
        ({"registered_name": "os>system"}, "os>system"),
        ({"registered_name": None}, "None"),
    ],
)
def test_foreign_classes(refused, members, changed, found):
    config = {**json.loads(members["config.json"]), **changed}
    message = refused({"config.json": json.dumps(config)})
    assert message == f"expected a SpiNet-QSM model, found {found}"


CODE = {"module": "os", "class_name": "system", "config": {}, "registered_name": None}
NAN = float("nan")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("dtype", CODE, "dtype is ('os', 'system')"),
        ("filters", CODE, "expected a plain value as 'filters'"),
        ("name", [CODE], "expected a plain value as 'name'"),
        ("blocks", 10**7, "the weights of 10000000 blocks of 4 filters do not fit"),
        ("filters", 10**6, "the weights of 1 blocks of 1000000 filters do not fit"),
        ("filters", 4.5, "expected integers > 0 as blocks and filters"),
        ("unrolls", 10**9, "unrolls must be an int from 1 to 100"),
        ("unrolls", None, "unrolls must be an int from 1 to 100"),
        ("batch_norm", None, "batch_norm must be True or False"),
        ("mm_steps", 10**9, "mm_steps must be an int from 1 to 100"),
        ("max_iterations", 0, "max_iterations must be an int from 1 to 10000"),
        ("chi_mean", NAN, "chi_mean must be a finite int or float"),
        ("chi_std", -1, "chi_std must be a finite int or float > 0"),
        ("dc_value", "a", "dc_value must be a finite int or float"),
        ("tolerance", -1, "tolerance must be an int or float from 0 to below 1"),
        ("adaptive_penalty", None, "adaptive_penalty must be True or False"),
        ("adaptive_penalty", True, "False without fill_outside"),
        ("batch_norm", "a", "batch_norm must be True or False"),
    ],
)
def test_arguments(refused, members, key, value, message):
    config = json.loads(members["config.json"])
    config["config"][key] = value
    assert message in refused({"config.json": json.dumps(config)})


def test_arguments_of_another_version(refused, members):
    config = json.loads(members["config.json"])
    config["config"] |= {"reference_noise": None, "penalty_order": 0.0}
    assert refused({"config.json": json.dumps(config)}) == (
        "saved by another version of spinet-tf, this one does not know"
        " reference_noise, penalty_order"
    )


def test_weights_that_are_none(refused, members):
    def changed(make):
        content = io.BytesIO(members["model.weights.h5"])
        with h5py.File(content, "r+") as file:
            make(file)
        return refused({"model.weights.h5": content.getvalue()})

    def huge(file):
        file.create_dataset("w", (10**5, 10**5), "f4", chunks=(8, 8))

    def virtual(file):
        layout = h5py.VirtualLayout((2,), "f4")
        layout[:] = h5py.VirtualSource("/dev/zero", "a", (2,))
        file.create_virtual_dataset("w", layout)

    def complex_numbers(file):
        file["w"] = np.ones(2, np.complex64)

    for make in (huge, virtual, complex_numbers):
        assert "'w' in it is no array of weights" in changed(make)


@pytest.mark.parametrize("name", ["model", "model.h5"])
def test_a_name_that_could_not_be_read_again_is_not_written(name, tmp_path):
    with pytest.raises(InputError, match=f"{name}: expected a name that ends in .ker"):
        save_model(SpiNetQSM(filters=2, blocks=1, unrolls=1), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_model_that_was_compiled_and_fitted(tmp_path):
    model = SpiNetQSM(filters=2, blocks=1, unrolls=1)
    model.compile("adam", "mae")
    field = np.ones((1, 6, 6, 6, 1), np.float32)
    inputs = {"local_field": field, "mask": field}
    inputs |= {"voxel_size": np.ones((1, 3)), "b0_direction": [[0.0, 0.0, 1.0]]}
    inputs = {name: np.float32(value) for name, value in inputs.items()}
    model.fit(inputs, field, verbose=0)
    save_model(model, tmp_path / "a.keras")
    again = load_model(tmp_path / "a.keras")
    for found, expected in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_model_that_could_not_be_read_again_is_not_written(tmp_path):
    with pytest.raises(TypeError, match="Sequential"):
        save_model(keras.Sequential(), tmp_path / "a.keras")
    assert not list(tmp_path.iterdir())
