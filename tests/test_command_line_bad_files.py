"""Input files that are refused: code 2, one line, nothing written."""

import gzip
import zipfile

import keras
import numpy as np
import pytest

from spinet_tf.model_files import load_model, save_model
from tests.command_line import (
    mask,
    oblique_affine,
    read,
    refused,
    write,
)
from tests.mat_files import write_v5, write_v73


@pytest.fixture
def reconstruct(flags, tmp_path):
    """A `reconstruct` with some flags changed, which must be refused."""

    def refuse(message, **changed):
        refused(tmp_path, message, "reconstruct", **{**flags, **changed})

    return refuse


@pytest.fixture
def with_model(reconstruct, tmp_path):
    def refuse(message, model):
        iterates = tmp_path / "iterates"
        reconstruct(message, method="spinet", model=model, iterates=iterates)

    return refuse


@pytest.fixture
def field(scan):
    return read(scan / "field.nii.gz")


@pytest.mark.parametrize("name", ["field", "mask"])
def test_missing(reconstruct, tmp_path, name):
    for file_name in ("none.nii.gz", "none.mat"):
        path = tmp_path / file_name
        reconstruct(f"error: {path}: no such file", **{name: path})
    reconstruct(
        f"error: {tmp_path}: expected a file, it is a folder", **{name: tmp_path}
    )


def test_truncated(reconstruct, scan, tmp_path):
    content = (scan / "field.nii.gz").read_bytes()
    for kept in (len(content) // 2, len(content) - 4):
        path = tmp_path / "cut.nii.gz"
        path.write_bytes(content[:kept])
        reconstruct("cut.nii.gz: damaged or not a NIfTI file", field=path)
    path = tmp_path / "cut.nii"
    path.write_bytes(gzip.decompress(content)[:5000])
    reconstruct("cut.nii: truncated, the header promises", field=path)


def test_not_a_nifti_file(reconstruct, tmp_path):
    (tmp_path / "text.nii").write_text("local field\n" * 100)
    reconstruct("text.nii: not a NIfTI file", field=tmp_path / "text.nii")
    (tmp_path / "text.nii.gz").write_text("local field\n" * 100)
    reconstruct("text.nii.gz: damaged or not", field=tmp_path / "text.nii.gz")
    (tmp_path / "empty.nii").touch()
    reconstruct("empty.nii: not a NIfTI file", mask=tmp_path / "empty.nii")
    (tmp_path / "field.dcm").write_text("DICM")
    message = "field.dcm: expected a .nii, .nii.gz or .mat file"
    reconstruct(message, field=tmp_path / "field.dcm")


def test_four_dimensions(reconstruct, tmp_path, field):
    path = write(tmp_path / "echoes.nii", np.stack([field, field], axis=-1))
    message = r"echoes.nii: expected a 3-D image, got shape \(18, 21, 16, 2\)"
    reconstruct(message, field=path)


@pytest.mark.parametrize("write_mat", [write_v5, write_v73])
def test_matlab_file(reconstruct, tmp_path, field, write_mat):
    path = tmp_path / "scan.mat"
    write_mat(path, phs=field, msk=mask(), te=np.array([[0.02]]))
    reconstruct("scan.mat: holds several 3-D arrays, name one", field=path)
    reconstruct("scan.mat: has no numeric 3-D array 'phase'", field=f"{path}:phase")
    reconstruct("scan.mat: has no numeric 3-D array 'te'", field=f"{path}:te")
    both = {"field": f"{path}:phs", "mask": f"{path}:msk"}
    reconstruct("scan.mat:phs: has no affine, give --voxel-size X,Y,Z", **both)
    message = "scan.mat:phs: has no affine, give --b0-dir X,Y,Z"
    reconstruct(message, **both, voxel_size="1,1,1")
    path.write_bytes(path.read_bytes()[:200])
    reconstruct("scan.mat: cannot be read as a MATLAB file", field=path)


def test_another_shape(reconstruct, tmp_path):
    path = write(tmp_path / "mask.nii", mask()[:-1].astype(np.uint8))
    message = r"mask.nii: shape \(17, 21, 16\) differs from \(18, 21, 16\) of .*field"
    reconstruct(message, mask=path)


def test_another_affine(reconstruct, tmp_path):
    affine = oblique_affine((21, 10))
    path = write(tmp_path / "mask.nii", mask().astype(np.uint8), affine)
    reconstruct("mask.nii: the affine differs from that of .*field.nii.gz", mask=path)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_field_not_finite_in_the_mask(reconstruct, tmp_path, field, bad):
    field[9, 10, 8] = bad
    path = write(tmp_path / "field.nii", field)
    reconstruct("field.nii: 1 of .* voxels inside the mask are NaN or inf", field=path)


@pytest.mark.parametrize(
    ("scale", "units", "message"),
    [
        (128, {}, "[0-9.]+ ppm, .* it looks like Hz"),
        (16, {}, "[0-9.]+ ppm, .* it looks like radians"),
        (1e-6, {}, "it looks like Tesla or a fraction of B0"),
        (0, {}, "the field is 0 everywhere in the mask"),
        (1, {"field_units": "hz", "b0": 3}, "it looks like ppm"),
        (400, {"field_units": "rad", "b0": 3, "te": 0.02}, "20 radians or .* like Hz"),
    ],
)
def test_field_of_another_unit(reconstruct, tmp_path, field, scale, units, message):
    brain = field * np.float32(0.05 / np.percentile(np.abs(field[mask()]), 99))
    path = write(tmp_path / "field.nii", brain * np.float32(scale))
    reconstruct(f"field.nii: .*{message}", field=path, **units)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0, 0), "mask.nii: the mask is empty"),
        ((0, 255), "mask.nii: .* --mask-threshold"),
        ((0.1, 0.9), "mask.nii: .* --mask-threshold"),
        ((0, np.nan), "mask.nii: .* voxels of the mask are NaN or infinite"),
    ],
)
def test_bad_mask(reconstruct, tmp_path, values, message):
    path = write(tmp_path / "mask.nii", np.where(mask(), *values[::-1]).astype("f4"))
    reconstruct(message, mask=path)


def test_model_of_another_kind(with_model, tmp_path):
    path = tmp_path / "plain.keras"
    keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)]).save(path)
    with_model("plain.keras: expected a SpiNet-QSM model, found Sequential", path)


def test_model_with_code(with_model, tmp_path):
    path = tmp_path / "lambda.keras"
    layers = [keras.layers.Input((3,)), keras.layers.Lambda(lambda x: x)]
    keras.Sequential(layers).save(path)
    with_model("lambda.keras: expected a SpiNet-QSM model, found Sequential", path)


def test_file_that_is_no_model(with_model, scan, tmp_path):
    with_model("none.keras: no such model file", tmp_path / "none.keras")
    with_model("field.nii.gz: expected a .keras file", scan / "field.nii.gz")
    path = tmp_path / "bad.keras"
    path.write_text("not a model\n")
    with_model("bad.keras: damaged or not a .keras file", path)
    path.write_bytes((scan / "tiny.keras").read_bytes()[:5000])
    with_model("bad.keras: damaged or not a .keras file", path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", b"\x80\x04.")
    with_model("bad.keras: not a SpiNet-QSM model: .*config.json", path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"filters": 4', b'"filters": 5', "not a SpiNet-QSM model: .* not be loaded"),
        (
            b'"unrolls": 2',
            b'"unrolls": 0',
            ".* unrolls must be an int from 1 to 100",
        ),
        (
            b"spinet_tf>SpiNetQSM",
            b"spinet_tf>Other",
            "expected .*, found spinet_tf>Other",
        ),
    ],
)
def test_model_with_another_config(with_model, scan, tmp_path, old, new, message):
    path = tmp_path / "bad.keras"
    with (
        zipfile.ZipFile(scan / "tiny.keras") as good,
        zipfile.ZipFile(path, "w") as bad,
    ):
        for name in good.namelist():
            content = good.read(name)
            if name == "config.json":
                assert old in content
                content = content.replace(old, new)
            bad.writestr(name, content)
    with_model(f"bad.keras: {message}", path)


def test_model_with_nan(with_model, scan, tmp_path):
    model = load_model(scan / "tiny.keras")
    weights = model.get_weights()
    weights[0].flat[0] = np.nan
    model.set_weights(weights)
    save_model(model, tmp_path / "bad.keras")
    message = "bad.keras: the weights hold NaN or infinity"
    with_model(message, tmp_path / "bad.keras")
