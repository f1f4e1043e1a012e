"""`spinet-qsm evaluate` of several reconstructions."""

import io
import re

import numpy as np
import pytest
from matplotlib import image

from spinet_tf.evaluation_report import mark_best
from spinet_tf.report_figures import histogram
from spinet_tf.side_by_side import draw_side_by_side
from spinet_tf.text_table import LINE
from tests.browser import (
    click_shows_other_slices,
    is_shown,
    look_at,
    needs_chromium,
)
from tests.command_line import (
    SHAPE,
    listing,
    mask,
    read_json,
    refused,
    run,
    succeed,
    susceptibility,
    write,
)
from tests.web_page import HOSTILE, open_page, png_of

NOISE = {"little": 0.004, "some": 0.01, "much": 0.03}


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """A truth, `chi.nii.gz`, and maps with more and more noise."""
    folder = tmp_path_factory.mktemp("scan")
    write(folder / "chi.nii.gz", susceptibility())
    write(folder / "mask.nii.gz", mask().astype(np.uint8))
    labels = np.zeros(SHAPE, np.int16)
    labels[:9], labels[9:] = 8, 9
    write(folder / "labels.nii", labels)
    noise = np.random.default_rng(0).standard_normal(SHAPE)
    for name, level in NOISE.items():
        chi = susceptibility() + level * noise * mask()
        write(folder / f"{name}.nii.gz", chi.astype(np.float32))
    return folder


def flags(scan, *names):
    return {
        "reconstruction": [scan / f"{name}.nii.gz" for name in names or NOISE],
        "reference": scan / "chi.nii.gz",
        "mask": scan / "mask.nii.gz",
    }


@pytest.fixture(scope="module")
def compared(scan):
    """What a comparison with everything printed; its files are in `scan`."""
    return succeed(
        "evaluate",
        **flags(scan),
        label=["net", HOSTILE, "TKD"],
        segmentation=scan / "labels.nii",
        output_dir=scan / "scores",
        report=scan / "scores.html",
    ).out


def test_the_table_and_the_numbers(scan, compared, tmp_path):
    scores = read_json(scan / "scores" / "metrics.json")
    assert list(scores) == ["net", HOSTILE, "TKD"]
    values = [scores[name]["challenge"]["nrmse"] for name in scores]
    assert values == sorted(values)
    cells = " +".join(f"{value:.2f}" for value in values)
    assert re.search(rf"NRMSE, demeaned \[%\] +↓ +{cells}\n", compared)
    succeed("evaluate", **flags(scan, "some"), output_dir=tmp_path)
    alone = read_json(tmp_path / "metrics.json")
    assert alone["challenge"]["nrmse"] == values[1]


def test_the_page(scan, compared):
    page = open_page(scan / "scores.html")
    headings = "Metrics Maps Slices Histograms Regions Warnings Provenance"
    assert page.headings == headings.split()
    scores = read_json(scan / "scores" / "metrics.json")
    first, second, third = page.row("XSIM ↑")
    assert float(second) == pytest.approx(
        scores[HOSTILE]["challenge"]["xsim"], abs=1e-4
    )
    assert first == f"{scores['net']['challenge']['xsim']:.4f} best"
    assert float(third) < float(second)
    coverage = page.row("share of the mask covered ↑")
    assert coverage == 3 * ["1.0000"]
    region = scores["TKD"]["regions"][0]
    voxels, reference, *_, last = page.row("white matter")
    assert int(voxels) == region["voxels"]
    assert reference.startswith(f"{region['reference_mean']:.4f} ±")
    assert last.startswith(f"{region['reconstruction_mean']:.4f} ±")
    assert f"Evaluation of net, {HOSTILE}, TKD" in page.text
    for name in NOISE:
        path = scan / f"{name}.nii.gz"
        assert page.row(str(path)) == [str(path), str(path.stat().st_size)]
    assert (len(page.frames), len(page.sources)) == (7, 3)
    assert "<script>alert" not in (scan / "scores.html").read_text()


@needs_chromium
def test_the_page_in_a_browser(scan, compared, tmp_path):
    """All is drawn, the error maps too, whose viewers move; nothing is refused."""
    page = open_page(scan / "scores.html")
    viewers = len(page.frames)
    pixels = look_at(scan / "scores.html", tmp_path, viewers, height=7600)
    for source in page.sources:
        assert is_shown(image.imread(io.BytesIO(png_of(source))), pixels)
    error_of_the_last = page.frames[-1]
    assert click_shows_other_slices(error_of_the_last, tmp_path)


def test_names_are_those_of_the_files_and_lines_stay_short(scan, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    names = [f"susceptibility_of_a_long_name_{k}" for k in range(4)]
    for k, name in enumerate(names):
        write(folder / f"{name}.nii", susceptibility(k))
    maps = [folder / f"{name}.nii" for name in names]
    result = succeed("evaluate", **{**flags(scan), "reconstruction": maps})
    assert max(map(len, result.out.splitlines())) <= LINE
    assert all(result.out.count(name) == 2 for name in names)


def test_the_best_is_marked():
    def texts(*values, more=False):
        cells = mark_best(values, more, 2)
        return [cell if isinstance(cell, str) else cell.text for cell in cells]

    assert texts(1, 2, 3) == ["1.00 best", "2.00", "3.00"]
    assert texts(1, 2, 3, more=True) == ["1.00", "2.00", "3.00 best"]
    assert texts(2.001, 1.999, 3) == ["2.00 best", "2.00 best", "3.00"]
    assert texts(1, 1, float("nan")) == ["1.00", "1.00", "-"]
    assert texts(30, float("inf"), None, more=True) == ["30.00", "inf best", "-"]


def panels(maps, reference):
    """What each panel shows, and its limits, by row and column."""
    figure = draw_side_by_side(maps, reference, mask(), (1, 1, 2))
    axes = figure.axes[: 6 * (1 + len(maps))]
    return np.reshape(axes, (6, -1)), figure.axes[6 * (1 + len(maps)) :]


def test_the_picture_has_the_error_below_each_map():
    truth = susceptibility()
    maps = {"a": truth + 0.01 * mask(), "b": truth - 0.02 * mask()}
    grid, bars = panels(maps, truth)
    assert [panel.get_title() for panel in grid[0]] == ["reference", "a", "b"]
    for row, plane in enumerate(grid):
        is_error = row % 2
        for column, panel in enumerate(plane[1:]):
            (shown,) = panel.get_images()
            assert shown.get_clim() == ((-0.05, 0.05) if is_error else (-0.1, 0.1))
            if is_error:
                error = (0.01, -0.02)[column]
                values = np.unique(np.round(shown.get_array(), 5))
                np.testing.assert_allclose(values, sorted((0, error)), atol=1e-6)
        assert len(plane[0].get_images()) == (0 if is_error else 1)
    labels = [bar.get_xlabel() for bar in bars]
    assert labels == [
        "error: map - reference, -0.05 to 0.05 ppm",
        "susceptibility, -0.1 to 0.1 ppm",
    ]


def test_the_picture_is_written(scan, compared):
    height, width, _ = image.imread(scan / "scores" / "metrics.png").shape
    assert width > 1000
    assert height > 1000


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"label": ["a", "b"]}, "--label: expected one for each of 3 .*, got 2"),
        (
            {"label": ["a", "\x1b[2J", "c"]},
            r"--label: .* control .*, got '\\x1b\[2J'",
        ),
        ({"label": ["a", "b", "a"]}, r"much.*: called 'a' as is .*little.nii.gz; give"),
        (
            {"label": ["a", "reference", "b"]},
            "some.*: called 'reference' as is",
        ),
    ],
)
def test_names_that_are_not_told_apart(scan, tmp_path, changed, message):
    output = {"output_dir": tmp_path / "scores"}
    refused(tmp_path, message, "evaluate", **flags(scan), **output, **changed)


def test_the_same_file_name_twice(scan, tmp_path):
    other = write(tmp_path / "some.nii", susceptibility())
    maps = [scan / "some.nii.gz", other]
    changed = {**flags(scan), "reconstruction": maps}
    refused(tmp_path, "called 'some' as is .*; give names by", "evaluate", **changed)


@pytest.mark.parametrize("wrong", ["damaged", "missing", "shape"])
def test_one_that_cannot_be_used_is_named_before_any_output(scan, tmp_path, wrong):
    holes = susceptibility()
    holes[9, 9, 8] = np.nan  # whose warning would be an output
    write(tmp_path / "holes.nii", holes)
    bad = tmp_path / "bad.nii"
    if wrong == "damaged":
        bad.write_bytes(b"no NIfTI")
    elif wrong == "shape":
        write(bad, holes[1:])
    maps = [tmp_path / "holes.nii", scan / "some.nii.gz", bad, scan / "much.nii.gz"]
    changed = {
        **flags(scan),
        "reconstruction": maps,
        "output_dir": tmp_path / "scores",
        "report": tmp_path / "scores.html",
    }
    before = listing(tmp_path)
    result = run("evaluate", **changed)
    assert (result.exit_code, result.out) == (2, "")
    assert re.fullmatch(r"spinet-qsm: error: \S*bad.nii: [^\n]+\n", result.err)
    assert listing(tmp_path) == before


def test_names_that_are_no_formulas(scan, tmp_path):
    """Nor left out of a legend for their underscore."""
    names = ["a$\\bad$", "$x_1^2_3$", "_c"]
    result = succeed(
        *("evaluate",),
        **{**flags(scan), "label": names, "report": tmp_path / "scores.html"},
        output_dir=tmp_path,
    )
    assert "warning" not in result.err
    figure = histogram(dict.fromkeys(names, susceptibility()), mask())
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == names
