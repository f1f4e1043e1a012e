import json
import math
import re

import numpy as np
import pytest

from spinet_tf.atomic_write import write_json
from spinet_tf.errors import InputError
from spinet_tf.evaluate import evaluate, format_table, write_side_by_side
from spinet_tf.metrics_challenge import challenge_metrics
from spinet_tf.metrics_regions import region_errors, region_statistics
from spinet_tf.metrics_release import release_metrics
from spinet_tf.phantom import digital_head


@pytest.fixture(scope="module")
def head():
    return digital_head((32, 37, 27), (2.0, 2.0, 2.5))


@pytest.fixture(scope="module")
def reconstruction(head):
    noise = np.random.default_rng(0).standard_normal(head.mask.shape)
    return (0.9 * head.susceptibility + 0.01 * noise).astype(np.float32)


@pytest.fixture(scope="module")
def result(head, reconstruction):
    return evaluate(reconstruction, head.susceptibility, head.mask, head.segmentation)


def test_both_families_and_the_regions(head, reconstruction, result):
    reference, mask, labels = head.susceptibility, head.mask, head.segmentation
    assert result["release"] == release_metrics(mask * reconstruction, reference)
    challenge = challenge_metrics(reconstruction, reference, mask)
    challenge |= region_errors(reconstruction, reference, mask, labels)
    assert result["challenge"] == challenge
    regions = region_statistics(reconstruction, reference, mask, labels)
    assert result["regions"] == regions
    assert "white matter" in [region["name"] for region in regions]


def test_without_a_segmentation(head, reconstruction, result):
    plain = evaluate(reconstruction, head.susceptibility, head.mask)
    assert plain["release"] == result["release"]
    assert plain["regions"] == []
    assert set(plain["challenge"]) < set(result["challenge"])
    assert plain["challenge"].items() <= result["challenge"].items()


def test_only_the_mask_counts(head, reconstruction, result):
    outside = ~head.mask
    polluted = np.where(outside, np.nan, reconstruction)
    reference = np.where(outside, 7, head.susceptibility)
    again = evaluate(polluted, reference, head.mask, head.segmentation)
    assert again["release"] == result["release"]
    assert again["regions"] == result["regions"]


def test_failed_voxels_count_as_zero(head, reconstruction):
    failed = head.mask & (np.arange(27) == 13)
    result = evaluate(
        np.where(failed, np.inf, reconstruction), head.susceptibility, head.mask
    )
    assert result == evaluate(
        np.where(failed, 0, reconstruction), head.susceptibility, head.mask
    )
    coverage = 1 - failed.sum() / head.mask.sum()
    assert result["challenge"]["coverage"] == pytest.approx(coverage)


def test_table_has_methods_side_by_side(result):
    other = json.loads(json.dumps(result))
    other["release"]["rmse"] = 12.345
    other["challenge"]["calc_streak"] = math.nan
    lines = format_table({"TKD": result, "network": other}).splitlines()
    rows = {line[1:].split("  ")[0]: line.split() for line in lines if line}
    assert rows["RMSE [%]"][2:] == ["↓", f"{result['release']['rmse']:.2f}", "12.35"]
    assert rows["SSIM"][1:] == ["↑", *2 * [f"{result['release']['ssim']:.4f}"]]
    assert rows["calcification streaks"][-1] == "-"
    white_matter = next(r for r in result["regions"] if r["name"] == "white matter")
    mean, std = white_matter["reference_mean"], white_matter["reference_std"]
    assert f"{mean:.4f}±{std:.4f}" in rows["white matter"]
    assert str(white_matter["voxels"]) in rows["white matter"]
    assert len({len(line) for line in lines if "↓" in line and "[%]" in line}) == 2


def test_table_leaves_out_what_was_not_asked_for(head, reconstruction):
    result = evaluate(reconstruction, head.susceptibility, head.mask)
    table = format_table({"TKD": result})
    assert "XSIM" in table
    assert "Regions" not in table
    assert "calcification" not in table


def test_json_is_strict(tmp_path, head):
    result = evaluate(head.susceptibility, head.susceptibility, head.mask)
    assert result["release"]["psnr"] == math.inf
    path = tmp_path / "metrics.json"
    write_json(path, {"reference": result})

    def refuse(constant):
        raise ValueError(constant)

    written = json.loads(path.read_text(), parse_constant=refuse)["reference"]
    assert written["release"]["psnr"] is None
    assert written["challenge"] == result["challenge"]
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]


def test_picture(tmp_path, head, reconstruction):
    path = tmp_path / "evaluation.png"
    for maps in ({"a": reconstruction}, {"a": reconstruction, "b": reconstruction}):
        write_side_by_side(path, maps, head.susceptibility, head.mask, head.voxel_size)
        assert path.read_bytes().startswith(b"\x89PNG")
        path.unlink()


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("reference", lambda v: v[1:], r"reference: .*\(32, 37, 27\), got \(31, 37"),
        ("mask", lambda v: v[..., 1:], r"mask: .*got \(32, 37, 26\)"),
        ("segmentation", lambda v: v[:, 1:], r"segmentation: .*got \(32, 36, 27\)"),
        ("reconstruction", lambda v: v[0], r"reconstruction: .*got shape \(37, 27\)"),
        ("mask", np.zeros_like, "mask: expected a brain, got no voxel above 0"),
        ("reference", np.zeros_like, "reference: .*got only zeros"),
        ("reference", lambda v: v + np.nan, r"reference: .*got \d+ that are not"),
    ],
)
def test_wrong_input_is_named(head, reconstruction, name, change, message):
    arguments = {
        "reconstruction": reconstruction,
        "reference": head.susceptibility,
        "mask": head.mask,
        "segmentation": head.segmentation,
    }
    arguments[name] = change(arguments[name])
    with pytest.raises(InputError, match=message):
        evaluate(**arguments)


def test_all_zero_reconstruction_is_all_error(head):
    zeros = np.zeros(head.mask.shape)
    result = evaluate(zeros, head.susceptibility, head.mask, head.segmentation)
    assert result["release"]["rmse"] == pytest.approx(100)
    assert result["challenge"]["nrmse"] == pytest.approx(100)
    assert result["challenge"]["correlation"] == 0
    assert result["challenge"]["coverage"] == 0


def test_table_of_evaluations_with_and_without_regions(head, reconstruction, result):
    bare = evaluate(reconstruction, head.susceptibility, head.mask)
    for results in ({"a": result, "b": bare}, {"b": bare, "a": result}):
        table = format_table(results)
        (line,) = re.findall(r"^ caudate nucleus .*$", table, re.MULTILINE)
        assert line.split().count("-") == 1


def test_what_side_by_side_cannot_show(tmp_path, head, reconstruction):
    path = tmp_path / "a.png"
    others = head.susceptibility, head.mask, head.voxel_size
    for maps, message in (
        ({}, "maps"),
        ({"reference": reconstruction}, "maps"),
        ({"a": reconstruction[1:]}, "shape"),
    ):
        with pytest.raises(InputError, match=message):
            write_side_by_side(path, maps, *others)
    with pytest.raises(InputError, match="edges"):
        write_side_by_side(path, {"a": reconstruction}, *others[:2], (1, 0, 1))
    assert not path.exists()


def test_complex_maps_and_labels_that_are_none(head, reconstruction):
    others = head.susceptibility, head.mask
    with pytest.raises(InputError, match="reconstruction: .* real"):
        evaluate(reconstruction + 1j, *others)
    for label in (np.nan, np.inf, 1.5):
        labels = np.where(head.mask > 0, label, 0)
        with pytest.raises(InputError, match="segmentation: .* finite integers"):
            evaluate(reconstruction, *others, labels)


@pytest.mark.parametrize("name", ["reconstruction", "reference", "mask", "labels"])
@pytest.mark.parametrize("kind", [str, object])
def test_what_holds_no_numbers(head, reconstruction, name, kind):
    given = {
        "reconstruction": reconstruction,
        "reference": head.susceptibility,
        "mask": head.mask,
        "labels": head.segmentation,
    }
    given[name] = given[name].astype(kind)
    with pytest.raises(InputError, match="expected real numbers"):
        evaluate(*given.values())


@pytest.mark.filterwarnings("error")
def test_labels_outside_the_mask_do_not_count(head, reconstruction, result):
    labels = np.where(head.mask > 0, head.segmentation, np.nan)
    others = head.susceptibility, head.mask
    assert evaluate(reconstruction, *others, labels)["regions"] == result["regions"]
