"""`spinet-qsm evaluate` as its user runs it."""

import contextlib
import io

import numpy as np
import pytest

from spinet_cli.main import main
from tests.command_line import (
    PNG,
    SHAPE,
    evaluate,
    listing,
    mask,
    oblique_affine,
    read,
    read_json,
    refused,
    succeed,
    susceptibility,
    write,
)


def test_evaluation(scan, tmp_path):
    result = evaluate(scan, output_dir=tmp_path / "scores")
    scores = read_json(tmp_path / "scores" / "metrics.json")
    assert (tmp_path / "scores" / "metrics.png").read_bytes().startswith(PNG)
    assert len(listing(tmp_path)) == 3
    assert 0.7 < scores["challenge"]["correlation"] < 1
    assert scores["regions"] == []
    assert "tikhonov.nii.gz" in result.out
    assert f"{scores['release']['rmse']:.2f}" in result.out
    assert f"{scores['challenge']['xsim']:.4f}" in result.out
    assert "Regions" not in result.out
    assert result.out.endswith(f"wrote {tmp_path / 'scores' / 'metrics.png'}\n")


def test_evaluation_knows_a_wrong_b0_direction(scan, tmp_path):
    succeed(
        "reconstruct",
        field=scan / "field.nii.gz",
        mask=scan / "mask.nii.gz",
        b0_dir="1,0,0",
        output=tmp_path / "wrong.nii",
        method="tikhonov",
    )
    evaluate(scan, output_dir=tmp_path / "right")
    flags = {"reconstruction": tmp_path / "wrong.nii", "output_dir": tmp_path / "wrong"}
    evaluate(scan, **flags)
    right, wrong = (
        read_json(tmp_path / name / "metrics.json")["challenge"]
        for name in ("right", "wrong")
    )
    assert right["nrmse"] < 0.8 * wrong["nrmse"]
    assert right["correlation"] > wrong["correlation"] + 0.1


def test_evaluation_per_region(scan, tmp_path):
    labels = np.zeros(SHAPE, np.int16)
    labels[:9], labels[9:] = 8, 9
    segmentation = write(tmp_path / "labels.nii", labels)
    result = evaluate(scan, segmentation=segmentation, output_dir=tmp_path)
    scores = read_json(tmp_path / "metrics.json")
    regions = {region["name"]: region for region in scores["regions"]}
    assert list(regions) == ["white matter", "grey matter"]
    inside = mask() & (labels == 8)
    assert regions["white matter"]["voxels"] == np.count_nonzero(inside)
    expected = read(scan / "chi.nii.gz")[inside].mean()
    assert regions["white matter"]["reference_mean"] == pytest.approx(expected)
    assert scores["challenge"]["nrmse_tissue"] == pytest.approx(
        scores["challenge"]["nrmse_detrend"]
    )
    assert scores["challenge"]["nrmse_blood"] is None
    assert "grey matter" in result.out


def test_evaluation_of_the_truth(scan, tmp_path):
    flags = {"reconstruction": scan / "chi.nii.gz", "output_dir": tmp_path}
    result = evaluate(scan, **flags)
    scores = read_json(tmp_path / "metrics.json")
    assert scores["release"]["rmse"] == scores["challenge"]["nrmse"] == 0
    assert scores["challenge"]["correlation"] == pytest.approx(1)
    assert scores["release"]["psnr"] is None  # infinite, which JSON cannot hold
    assert " inf\n" in result.out


def test_evaluation_counts_nan_as_zero(scan, tmp_path):
    holes = read(scan / "tikhonov.nii.gz")
    holes[9, 9, 6:9] = np.nan
    path = write(tmp_path / "holes.nii", holes)
    result = evaluate(scan, reconstruction=path, output_dir=tmp_path)
    assert result.err == (
        f"spinet-qsm: warning: {path}: 3 voxels inside the mask are NaN or infinite;"
        " they count as 0\n"
    )
    coverage = read_json(tmp_path / "metrics.json")["challenge"]["coverage"]
    assert coverage == pytest.approx(1 - 3 / np.count_nonzero(mask()))


def test_evaluation_on_a_terminal_without_arrows(scan):
    flags = {
        "reconstruction": scan / "tikhonov.nii.gz",
        "reference": scan / "chi.nii.gz",
        "mask": scan / "mask.nii.gz",
    }
    terminal = io.TextIOWrapper(io.BytesIO(), "ascii")
    with contextlib.redirect_stdout(terminal):
        exit_code = main(["evaluate", *(f"--{k}={v}" for k, v in flags.items())])
    assert exit_code == 0
    assert b"RMSE [%]   ?" in terminal.buffer.getvalue()


@pytest.fixture
def refuse(scan, tmp_path):
    """An `evaluate` with some flags changed, which must be refused."""
    flags = {
        "reconstruction": scan / "field.nii.gz",
        "reference": scan / "chi.nii.gz",
        "mask": scan / "mask.nii.gz",
        "output_dir": tmp_path / "scores",
    }

    def refuse(message, **changed):
        refused(tmp_path, message, "evaluate", **{**flags, **changed})

    return refuse


@pytest.mark.parametrize(
    "name", ["reconstruction", "reference", "mask", "segmentation"]
)
def test_bad_file(refuse, tmp_path, name):
    refuse("none.nii: no such file", **{name: tmp_path / "none.nii"})
    ones = np.ones(SHAPE, np.float32)
    path = write(tmp_path / "other.nii", ones[:-1])
    refuse(r"shape \(.*\) differs from \(.*\) of", **{name: path})
    write(path, ones, oblique_affine((0, 0)))
    refuse("the affine differs from that of", **{name: path})


def test_bad_reference(refuse, scan, tmp_path):
    reference = read(scan / "chi.nii.gz")
    reference[9, 10, 8] = np.nan
    path = write(tmp_path / "chi.nii", reference)
    refuse("chi.nii: 1 of .* voxels inside the mask are NaN", reference=path)
    write(path, np.zeros(SHAPE, np.float32))
    refuse("chi.nii: expected a susceptibility map, got only zeros", reference=path)


@pytest.mark.parametrize("bad", [1.5, np.nan, 1e20])
def test_bad_segmentation(refuse, tmp_path, bad):
    labels = np.ones(SHAPE, np.float32)
    labels[0, 0, 0] = bad
    path = write(tmp_path / "labels.nii", labels)
    message = f"labels.nii: expected integer labels below 16777216, found {bad:g}"
    refuse(message.replace("+", r"\+"), segmentation=path)


def test_bad_folder(refuse, tmp_path):
    refuse("none/scores: cannot be made", output_dir=tmp_path / "none" / "scores")
    (tmp_path / "file").touch()
    refuse("file: cannot be made, File exists", output_dir=tmp_path / "file")
    (tmp_path / "full" / "metrics.png").mkdir(parents=True)
    refuse("metrics.png: cannot be written", output_dir=tmp_path / "full")


def test_a_map_called_as_the_reference(refuse):
    refuse("field.nii.gz: called 'reference' as is the reference", label="reference")


def test_a_probability_mask(tmp_path):
    write(tmp_path / "chi.nii", susceptibility(1))
    write(tmp_path / "truth.nii", susceptibility())
    inside = mask() & (np.arange(mask().size).reshape(mask().shape) % 2 == 0)
    write(tmp_path / "p.nii", np.where(inside, 0.8, 0.3 * mask()).astype(np.float32))
    labels = write(tmp_path / "labels.nii", np.full(mask().shape, 8, np.int16))
    succeed(
        *("evaluate",),
        **{"reconstruction": tmp_path / "chi.nii", "mask": tmp_path / "p.nii"},
        **{"reference": tmp_path / "truth.nii", "segmentation": labels},
        **{"mask_threshold": 0.5, "output_dir": tmp_path},
    )
    (region,) = read_json(tmp_path / "metrics.json")["regions"]
    assert region["voxels"] == np.count_nonzero(inside)


def test_the_picture_is_in_canonical_axes(monkeypatch):
    from spinet_cli import evaluate

    seen = []
    monkeypatch.setattr(
        evaluate, "write_side_by_side", lambda *given: seen.extend(given)
    )
    chi = np.arange(60.0).reshape(3, 4, 5)
    affine = np.array([[0, -2, 0, 0], [1, 0, 0, 0], [0, 0, 3, 0], [0, 0, 0, 1.0]])
    scans = evaluate._Scans({"a": chi}, chi, chi > 9, None, affine, (1.0, 2.0, 3.0))
    evaluate._write_picture("x.png", scans)
    turned = np.swapaxes(chi, 0, 1)[::-1]
    for volume in (seen[1]["a"], seen[2]):
        np.testing.assert_array_equal(volume, turned)
    np.testing.assert_array_equal(seen[3], turned > 9)
    assert tuple(seen[4]) == (2, 1, 3)
    assert seen[5] == "LR"


def test_what_is_refused_is_told_alone(scan, tmp_path):
    flags = {
        "reconstruction": scan / "tikhonov.nii.gz",
        "mask": scan / "mask.nii.gz",
        "segmentation": write(tmp_path / "aseg.nii", np.full(SHAPE, 24, np.int16)),
    }
    holes = read(scan / "chi.nii.gz")
    holes[9, 9, 6] = np.nan
    path = write(tmp_path / "holes.nii", holes)
    refused(tmp_path, "holes.nii: .* NaN", "evaluate", **flags, reference=path)
    path = write(tmp_path / "empty.nii", np.where(mask(), 0, holes))
    message = "empty.nii: expected a susceptibility map, got only zeros in the mask"
    refused(tmp_path, message, "evaluate", **flags, reference=path)


def test_file_names_are_one_line(scan, tmp_path):
    path = write(tmp_path / "a\n\x1b[31mb.nii", read(scan / "tikhonov.nii.gz"))
    out = evaluate(scan, reconstruction=path).out
    assert "a??[31mb.nii" in out
