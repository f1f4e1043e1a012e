"""What a report of reconstructions against a reference shows."""

import math

import numpy as np

from spinet_tf.evaluate import TABLES, format_number, mean_and_std, metric_rows
from spinet_tf.metrics_challenge import inside_mask
from spinet_tf.metrics_regions import regions_side_by_side
from spinet_tf.page import paragraph, strong, table
from spinet_tf.report_pictures import Planes, inside_histogram
from spinet_tf.side_by_side import MAP_WINDOW, error_window


def evaluation_sections(maps, reference, mask, affine, voxel_size, results):
    """Sections of an evaluation's report.

    Args:
        maps: dict of a method's name, not "reference", to float `(x, y, z)`,
            susceptibility [ppm].
        reference: float `(x, y, z)`, susceptibility [ppm].
        mask: bool `(x, y, z)`.
        affine: float64 `(4, 4)`, of all of them; None if there is none.
        voxel_size: three floats [mm].
        results: dict of a method's name to what `spinet_tf.evaluate.evaluate`
            returned.

    Returns:
        dict of heading to elements, for `spinet_tf.page.write_page`.
    """
    planes = Planes(affine, mask, voxel_size)
    maps = {name: inside_mask(chi, reference, mask)[0] for name, chi in maps.items()}
    reference = np.where(mask, reference, 0.0)
    errors = {f"{name}, error": chi - reference for name, chi in maps.items()}
    viewers = [planes.view("reference", reference, MAP_WINDOW)]
    for pair in zip(maps.items(), errors.items(), strict=True):
        for item, window in zip(pair, (MAP_WINDOW, error_window(maps)), strict=True):
            viewers.append(planes.view(*item, window))
    sections = {
        "Metrics": [
            paragraph("Where maps differ, the best of a line is marked."),
            *(metrics_table(results, family) for family in TABLES),
        ],
        "Maps": [planes.draw_maps(maps, reference)],
        "Slices": viewers,
        "Histograms": [
            inside_histogram({"reference": reference, **maps}, mask),
            inside_histogram(errors, mask),
        ],
    }
    if regions_side_by_side(results.values()):
        sections["Regions"] = [_regions(results)]
    return sections


def metrics_table(results, family):
    """The table of a family of metrics, a column for each reconstruction.

    Args:
        results: see `evaluation_sections`.
        family: str, a key of `spinet_tf.evaluate.TABLES`.

    Returns:
        An element of `spinet_tf.page`.
    """
    rows = [
        (f"{label} {arrow}", *mark_best(values, arrow == "↑", decimals))
        for label, arrow, decimals, values in metric_rows(results, family)
    ]
    return table(rows, ("", *results), TABLES[family][0])


def mark_best(values, more_is_better, decimals):
    """The cells of a line of a table, of which the best tells that it is.

    Args:
        values: list of float, or None for one that is not defined.
        more_is_better: bool.
        decimals: int; what is equal when shown is equally good.

    Returns:
        list of str and of bold elements of `spinet_tf.page`.
    """
    texts = [format_number(value, decimals) for value in values]
    defined = [float(text) for text in texts if text != "-"]
    if len(set(defined)) < 2:
        return texts
    best = max(defined) if more_is_better else min(defined)
    return [
        strong(f"{text} best")
        if text != "-" and math.isclose(float(text), best)
        else text
        for text in texts
    ]


def _regions(results):
    rows = []
    for known, regions in regions_side_by_side(results.values()):
        reference = mean_and_std(known, "reference")
        cells = map(_beside_reference, regions)
        rows.append((known["name"], known["voxels"], reference, *cells))
    header = ("", "voxels", "reference", *results)
    caption = "Mean ± standard deviation (mean less the reference's) [ppm]"
    return table(rows, header, caption)


def _beside_reference(region):
    text = mean_and_std(region, "reconstruction")
    if region is None:
        return text
    difference = region["reconstruction_mean"] - region["reference_mean"]
    return f"{text} ({difference:+.4f})"
