"""What a report of a reconstruction or an evaluation shows."""

import numpy as np

from spinet_tf.evaluate import TABLES, format_number
from spinet_tf.figures import draw_three_planes
from spinet_tf.metrics_challenge import inside_mask
from spinet_tf.orientation import CanonicalAxes
from spinet_tf.page import bullets, paragraph, picture, table
from spinet_tf.report_figures import histogram, unroll_planes
from spinet_tf.slice_viewer import slice_viewer

WINDOW = 0.1
"""Susceptibility shown white [ppm]; its negative is black."""


def reconstruction_sections(field, mask, voxel_size, result, residual, details):
    """Sections of a reconstruction's report.

    Args:
        field: `spinet_tf.volume.Volume`, the local field [ppm].
        mask: bool `(x, y, z)`.
        voxel_size: three floats [mm].
        result: `spinet_tf.reconstruct.Reconstruction` with the maps as written.
        residual: float `(x, y, z)` [ppm], what the solved map leaves of the field.
        details: dict, the sidecar.

    Returns:
        dict of heading to elements, for `spinet_tf.page.write_page`.
    """
    planes = _Planes(field.affine, mask, voxel_size)
    chi = result.susceptibility
    share = f"{result.data_consistency:.4f}"
    sections = {
        "Summary": [table((name, _text(value)) for name, value in details.items())],
        "Susceptibility": [
            planes.draw({"susceptibility": chi}, WINDOW),
            planes.view("susceptibility", chi, WINDOW),
        ],
        "Field and residual": [
            paragraph(
                "The residual is the field of the map less the measured one, Phi chi -"
                " y, inside the mask; it is that of the map before a reference is"
                f" subtracted. Its norm over that of the field is {share}."
            ),
            planes.draw(
                {"local field": field.data, "residual": residual},
                _spread(field.data, mask),
            ),
            planes.draw({"residual, enlarged": residual}, _spread(residual, mask)),
        ],
    }
    if result.unrolls:
        sections["Unrolls"] = _unrolls(planes, result.unrolls, details)
    sections["Histogram"] = [_histogram({"susceptibility": chi}, mask)]
    return sections


def evaluation_sections(
    reconstruction, reference, mask, affine, voxel_size, result, name
):
    """Sections of an evaluation's report.

    Args:
        reconstruction: float `(x, y, z)`, susceptibility [ppm].
        reference: float `(x, y, z)`, susceptibility [ppm].
        mask: bool `(x, y, z)`.
        affine: float64 `(4, 4)`, of all of them; None if there is none.
        voxel_size: three floats [mm].
        result: dict, what `spinet_tf.evaluate.evaluate` returned.
        name: str, what the tables call the reconstruction.

    Returns:
        dict of heading to elements, for `spinet_tf.page.write_page`.
    """
    planes = _Planes(affine, mask, voxel_size)
    reconstruction, reference = inside_mask(reconstruction, reference, mask)
    maps = {"reconstruction": reconstruction, "reference": reference}
    error = {"error": reconstruction - reference}
    sections = {
        "Metrics": [_metrics(result, family, name) for family in TABLES],
        "Maps": [
            planes.draw(maps | error, WINDOW),
            *(planes.view(*item, WINDOW) for item in (maps | error).items()),
        ],
        "Histogram": [_histogram(maps | error, mask)],
    }
    if result["regions"]:
        sections["Regions"] = [_regions(result["regions"])]
    return sections


class _Planes:
    """Draws volumes of one grid in canonical axes, where "axial" is axial."""

    def __init__(self, affine, mask, voxel_size):
        self._axes = CanonicalAxes(affine)
        self._affine = np.diag([*voxel_size, 1.0]) if affine is None else affine
        self._centre = np.mean(np.nonzero(mask), axis=1)
        self._mask = self._axes.turn(mask)
        self._voxel_size = self._axes.turn_edges(voxel_size)

    def draw(self, volumes, window):
        turned = {title: self._axes.turn(volume) for title, volume in volumes.items()}
        limits = (-window, window)
        figure = draw_three_planes(turned, self._mask, limits, "ppm", self._voxel_size)
        return picture(figure, f"{', '.join(volumes)}: ±{window:.3g} ppm")

    def draw_unrolls(self, maps):
        maps = [self._axes.turn(volume) for volume in maps]
        figure = unroll_planes(maps, self._mask, self._voxel_size, WINDOW)
        return picture(figure, f"the map after every unroll: ±{WINDOW:g} ppm")

    def view(self, title, data, window):
        return slice_viewer(title, data, self._affine, self._centre, window)


def warning_elements(messages):
    """The elements of a section that tells the warnings."""
    return [bullets(messages) if messages else paragraph("None.")]


def _unrolls(planes, unrolls, details):
    weight = details.get("LambdaUsed", details.get("Lambda"))
    shared = [_text(weight), _text(details.get("P"))]
    rows = [
        (
            k,
            *shared,
            unroll.iterations,
            f"{unroll.relative_residual:.1e}",
            "-" if unroll.seconds is None else f"{unroll.seconds:.1f}",
        )
        for k, unroll in enumerate(unrolls, start=1)
    ]
    header = ("unroll", "lambda", "p", "iterations", "solver's residual", "seconds")
    elements = [table(rows, header)]
    maps = [unroll.susceptibility for unroll in unrolls]
    if all(volume is not None for volume in maps):
        elements.append(planes.draw_unrolls(maps))
    return elements


def _histogram(maps, mask):
    inside = {title: volume[mask] for title, volume in maps.items()}
    moments = "; ".join(
        f"{title} {values.mean(dtype=float):.4f} ± {values.std(dtype=float):.4f} ppm"
        for title, values in inside.items()
    )
    return picture(histogram(maps, mask), f"inside the mask, mean ± std: {moments}")


def _metrics(result, family, name):
    title, metrics = TABLES[family]
    found = result[family]
    rows = [
        (f"{label} {arrow}", format_number(found[key], decimals))
        for key, label, arrow, decimals in metrics
        if found.get(key) is not None
    ]
    return table(rows, ("", name), title)


def _regions(regions):
    def cell(region, which):
        mean, std = (region[f"{which}_{what}"] for what in ("mean", "std"))
        return f"{mean:.4f} ± {std:.4f}"

    rows = [
        (
            *(region["name"], region["voxels"]),
            *(cell(region, which) for which in ("reference", "reconstruction")),
            f"{region['reconstruction_mean'] - region['reference_mean']:.4f}",
        )
        for region in regions
    ]
    header = ("", "voxels", "reference", "reconstruction", "difference of means")
    return table(rows, header, "Mean ± standard deviation [ppm]")


def _spread(volume, mask):
    """What all but a hundredth of the voxels inside the mask are below [ppm]."""
    return max(float(np.percentile(np.abs(volume[mask]), 99)), 1e-9)


def _text(value):
    """A value of the sidecar as text."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return str(value)
