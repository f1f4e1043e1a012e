"""What a report of a reconstruction shows."""

import numpy as np

from spinet_tf.page import bullets, paragraph, table
from spinet_tf.reconstruction import data_consistency_error
from spinet_tf.report_pictures import Planes, inside_histogram
from spinet_tf.side_by_side import MAP_WINDOW


def reconstruction_sections(field, mask, voxel_size, result, residual, details):
    """Sections of a reconstruction's report.

    Args:
        field: `spinet_tf.volume.Volume`, the local field [ppm].
        mask: bool `(x, y, z)`.
        voxel_size: three floats [mm].
        result: `spinet_tf.reconstruction.Reconstruction` with the maps as written.
        residual: float `(x, y, z)` [ppm], what the solved map leaves of the field.
        details: dict, the sidecar.

    Returns:
        dict of heading to elements, for `spinet_tf.page.write_page`.
    """
    planes = Planes(field.affine, mask, voxel_size)
    chi = result.susceptibility
    share = f"{data_consistency_error(residual, field.data, mask):.4f}"
    sections = {
        "Summary": [table((name, _text(value)) for name, value in details.items())],
        "Susceptibility": [
            planes.draw({"susceptibility": chi}, MAP_WINDOW),
            planes.view("susceptibility", chi, MAP_WINDOW),
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
    sections["Histogram"] = [inside_histogram({"susceptibility": chi}, mask)]
    return sections


def warning_elements(messages):
    """The elements of a section that tells the warnings."""
    return [bullets(messages) if messages else paragraph("None.")]


def _unrolls(planes, unrolls, details):
    shared = [_text(details.get("Lambda")), _text(details.get("P"))]
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
