"""Which maps a report shows, of which sign, in which window."""

import html
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest

from spinet_tf import report_pictures, slice_viewer
from spinet_tf.evaluate import evaluate
from spinet_tf.evaluation_report import evaluation_sections
from spinet_tf.reconstruction import Reconstruction
from spinet_tf.report import reconstruction_sections
from spinet_tf.report_figures import histogram, unroll_planes
from spinet_tf.slice_viewer import MOST_CUBES, steps_shown
from spinet_tf.volume import Volume
from tests.command_line import mask, susceptibility


@pytest.fixture
def drawn(monkeypatch):
    """What `Planes` is asked to draw or view: kind, volumes by title, window."""
    calls = []
    for kind in ("draw", "view", "draw_maps"):

        def record(_, *given, kind=kind):
            calls.append((kind, *given))
            return "drawn"

        monkeypatch.setattr(report_pictures.Planes, kind, record)
    return calls


def test_what_the_report_of_a_reconstruction_shows(drawn, monkeypatch):
    chi, truth, inside = susceptibility(1), susceptibility(), mask()
    counted = []
    monkeypatch.setattr(
        "spinet_tf.report.inside_histogram", lambda maps, _: counted.append(maps)
    )
    field = Volume(3 * truth, None, "field")
    residual = 0.1 * truth
    result = Reconstruction(chi, 0.1, [], 1.0)
    reconstruction_sections(field, inside, (1, 1, 2), result, residual, {})
    shown, viewed, both, enlarged = drawn
    assert shown[1]["susceptibility"] is viewed[2] is chi
    assert counted[0]["susceptibility"] is chi
    assert shown[2] == viewed[3] == 0.1
    assert both[1]["local field"] is field.data
    assert both[1]["residual"] is enlarged[1]["residual, enlarged"] is residual
    percentile = np.percentile(np.abs(truth[inside]), 99)
    assert both[2] == pytest.approx(3 * percentile)
    assert enlarged[2] == pytest.approx(0.1 * percentile)


@pytest.mark.parametrize(("names", "error_window"), [("a", 0.1), ("ab", 0.05)])
def test_what_the_report_of_an_evaluation_shows(drawn, names, error_window):
    truth, inside = susceptibility() + 0.01, mask()
    maps = {name: susceptibility(seed) for seed, name in enumerate(names, start=1)}
    scores = {name: evaluate(chi, truth, inside) for name, chi in maps.items()}
    evaluation_sections(maps, truth, inside, None, (1, 1, 2), scores)
    viewed = {call[1]: call[2:] for call in drawn if call[0] == "view"}
    both = [title for name in names for title in (name, f"{name}, error")]
    assert list(viewed) == ["reference", *both]
    for name, chi in maps.items():
        error, window = viewed[f"{name}, error"]
        np.testing.assert_allclose(error, inside * (chi - truth), atol=1e-7)
        assert (window, viewed[name][1]) == (error_window, 0.1)
    reference, window = viewed["reference"]
    np.testing.assert_array_equal(reference, inside * truth)
    assert window == 0.1


def test_the_plane_of_each_unroll():
    mask = np.zeros((20, 24, 30), bool)
    mask[8:12, 9:15, 20:25] = True
    maps = list(np.random.default_rng(0).standard_normal((2, *mask.shape)))
    figure = unroll_planes(maps, mask, (1.0, 2.0, 3.0), 0.1, "LR")
    assert [text.get_text() for text in figure.axes[0].texts] == ["L", "R"]
    for panel, volume in zip(figure.axes, maps, strict=True):
        (shown,) = panel.get_images()
        np.testing.assert_array_equal(shown.get_array(), volume[5:15, 6:18, 22].T)
        assert shown.get_clim() == (-0.1, 0.1)
        assert shown.origin == "lower"
        assert panel.get_aspect() == 2


def test_a_histogram_is_of_the_voxels_inside(monkeypatch):
    inside = np.zeros((10, 10, 10), bool)
    inside[:, :, 5:] = True
    chi = np.where(inside, np.random.default_rng(0).normal(0.01, 0.02, inside.shape), 5)
    (axes,) = histogram({"map": chi}, inside).axes
    edges, counts = axes.patches[0].get_xy().T
    assert edges.max() < 0.1
    assert counts.max() > 5
    assert edges.max() - edges.min() > 6 * 0.02 * 0.8
    monkeypatch.setattr(report_pictures, "picture", lambda _, words: words)
    words = report_pictures.inside_histogram({"map": chi}, inside)
    values = chi[inside]
    assert f"map {values.mean():.4f} ± {values.std():.4f} ppm" in words


def test_no_two_lines_of_a_histogram_look_alike():
    chi = np.random.default_rng(0).standard_normal((4, 4, 4))
    maps = {f"{number}": chi for number in range(25)}
    (axes,) = histogram(maps, np.ones(chi.shape)).axes
    looks = {(line.get_edgecolor(), line.get_linestyle()) for line in axes.patches}
    assert len(looks) == len(maps)


def test_the_grid_of_the_pictures(monkeypatch):
    monkeypatch.setattr(report_pictures, "slice_viewer", lambda *given: given)
    monkeypatch.setattr(report_pictures, "picture", lambda figure, _: figure)
    monkeypatch.setattr(report_pictures, "unroll_planes", lambda *given: given)
    mask = np.zeros((6, 7, 8), bool)
    mask[2:5, 1:6, 4] = True
    planes = report_pictures.Planes(None, mask, (1.0, 2.0, 3.0))
    _, _, affine, centre, _ = planes.view("map", mask, 0.1)
    np.testing.assert_array_equal(affine, np.diag([1, 2, 3, 1]))
    np.testing.assert_array_equal(centre, (3, 3, 4))
    # An array whose axes go to the front, the left and up.
    affine = np.array([[0, -2, 0, 0], [1, 0, 0, 0], [0, 0, 3, 0], [0, 0, 0, 1.0]])
    planes = report_pictures.Planes(affine, mask, (1.0, 2.0, 3.0))
    maps, turned, edges, _, sides = planes.draw_unrolls([mask])
    assert sides == "LR"
    assert maps[0].shape == turned.shape == (7, 6, 8)
    np.testing.assert_array_equal(maps[0], turned)
    assert tuple(edges) == (2, 1, 3)


@pytest.mark.parametrize(
    ("size", "edges", "steps"),
    [
        ((512, 512, 512), (1, 1, 1), (1, 1, 1)),  # as it is
        ((200, 200, 100), (1, 1, 2), (1, 1, 1)),
        ((512, 512, 40), (0.4, 0.4, 5.0), (2, 2, 1)),
        ((20, 20, 20), (0.1, 10, 10), (2, 1, 1)),
    ],
)
def test_viewers_of_anisotropic_volumes_stay_small(size, edges, steps):
    found = steps_shown(size, np.diag([*edges, 1.0]))
    assert tuple(found) == steps
    if len(set(edges)) > 1:
        extent = np.prod(np.multiply(size, edges))
        assert extent / np.min(found * edges) ** 3 <= MOST_CUBES


def test_the_box_around_an_oblique_volume_counts():
    cosine, sine = np.cos(0.5), np.sin(0.5)
    about_x = [[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]]
    turned = np.eye(4)
    turned[:3, :3] = np.array(about_x) * (0.4, 0.4, 5.0)
    straight = np.diag([0.4, 0.4, 5.0, 1])
    assert tuple(steps_shown((512, 512, 4), straight)) == (1, 1, 1)
    assert tuple(steps_shown((512, 512, 4), turned)) == (2, 2, 1)


def test_what_a_viewer_is_given(monkeypatch):
    import nilearn.plotting

    given = {}

    def view_img(image, **options):
        given.update(options, affine=image.affine, data=image.get_fdata())
        return SimpleNamespace(html='<link rel="icon" href="https://x"><p>here</p>')

    def steps(size, affine_given):
        assert (size, affine_given is affine) == (data.shape, True)
        return np.array([2, 1, 1])

    monkeypatch.setattr(nilearn.plotting, "view_img", view_img)
    monkeypatch.setattr(slice_viewer, "steps_shown", steps)
    data = np.arange(60.0).reshape(5, 4, 3) / 8
    affine = np.diag([0.5, 1.0, 3.0, 1.0])
    affine[:3, 3] = 7, 8, 9
    element = slice_viewer.slice_viewer("map", data, affine, (2, 1, 1), 0.1)
    np.testing.assert_array_equal(given["data"], data[::2])
    expected = np.diag([1.0, 1.0, 3.0, 1.0])
    expected[:3, 3] = 7, 8, 9
    np.testing.assert_array_equal(given["affine"], expected)
    assert given["cut_coords"] == (8.0, 9.0, 12.0)
    assert (given["resampling_interpolation"], given["vmax"]) == ("nearest", 0.1)
    assert (given["threshold"], given["bg_img"]) == (None, None)
    told = html.unescape(ElementTree.tostring(element).decode())
    assert "<p>here</p>" in told and "https" not in told


@pytest.mark.parametrize("count", [1, 11])
def test_a_legend_is_below_its_histogram(count):
    name = "sub-01_ses-baseline_acq-highres_run-01_desc-spinetlearnedp_Chimap"
    chi = np.random.default_rng(0).standard_normal((4, 4, 4))
    maps = {f"{name}{number}": chi for number in range(count)}
    figure = histogram(maps, np.ones(chi.shape))
    figure.draw_without_rendering()
    (axes,) = figure.axes
    legend = axes.get_legend().get_window_extent()
    assert not legend.overlaps(axes.xaxis.label.get_window_extent())
    assert legend.y1 < axes.get_window_extent().y0
    assert min(legend.x0, legend.y0) >= 0
    assert legend.x1 <= figure.bbox.x1
    assert axes.get_window_extent().height > 1.5 * figure.dpi
