"""A susceptibility map against a reference: numbers, a table, a picture."""

import math

import numpy as np

from spinet_tf.errors import InputError
from spinet_tf.figures import save_figure
from spinet_tf.metrics_challenge import challenge_metrics, inside_mask
from spinet_tf.metrics_regions import (
    region_errors,
    region_statistics,
    regions_side_by_side,
)
from spinet_tf.metrics_release import release_metrics
from spinet_tf.scan_geometry import check_voxel_size
from spinet_tf.side_by_side import draw_maps
from spinet_tf.text_table import align

LABEL_ROUNDING = 1e-3
"""How far from an integer a label may be, as a file's slope makes it."""

# Name, what a table calls it, whether less or more is better, and decimals.
TABLES = {
    "release": (
        "Release metrics: whole volume, not demeaned",
        (
            ("rmse", "RMSE [%]", "↓", 2),
            ("hfen", "HFEN [%]", "↓", 2),
            ("psnr", "pSNR [dB]", "↑", 2),
            ("ssim", "SSIM", "↑", 4),
        ),
    ),
    "challenge": (
        "QSM challenge metrics: inside the mask",
        (
            ("nrmse", "NRMSE, demeaned [%]", "↓", 2),
            ("nrmse_detrend", "NRMSE, detrended [%]", "↓", 2),
            ("hfen", "HFEN [%]", "↓", 2),
            ("correlation", "correlation", "↑", 4),
            ("xsim", "XSIM", "↑", 4),
            ("coverage", "share of the mask covered", "↑", 4),
            ("nrmse_tissue", "NRMSE tissue, detrended [%]", "↓", 2),
            ("nrmse_blood", "NRMSE blood, detrended [%]", "↓", 2),
            ("nrmse_dgm", "NRMSE deep grey, detrended [%]", "↓", 2),
            ("dgm_linearity", "deep grey |1 - slope|", "↓", 4),
            ("calc_moment_dev", "calcification moment, off by [ppm voxels]", "↓", 3),
            ("calc_streak", "calcification streaks", "↓", 4),
        ),
    ),
}


def evaluate(reconstruction, reference, mask, segmentation=None):
    """Metrics of both families, and means per region.

    Both maps are set to zero outside the mask. Where the reconstruction is not finite
    it counts as 0, which the coverage tells.

    Args:
        reconstruction: float array `(x, y, z)`, susceptibility [ppm].
        reference: float array `(x, y, z)`, susceptibility [ppm], finite in the mask.
        mask: array `(x, y, z)`, the brain where it is greater than 0.
        segmentation: integer array `(x, y, z)` of the labels in
            `spinet_tf.metrics_regions.REGION_NAMES`. Defaults to None: no errors and
            means per region.

    Returns:
        dict: `release`, of `spinet_tf.metrics_release`; `challenge`, of
        `spinet_tf.metrics_challenge` and, with a segmentation, the errors of
        `spinet_tf.metrics_regions`; `regions`, its list of statistics, or [].

    Raises:
        InputError: if shapes differ, the mask is empty, the reference is zero
            everywhere or not finite somewhere in the mask, a label in the mask is no
            integer, or one of them is not of real numbers.
    """
    reconstruction, reference, mask = map(np.asarray, (reconstruction, reference, mask))
    _check(reconstruction, reference, mask, segmentation)
    mask = mask > 0
    maps = inside_mask(reconstruction, reference, mask)
    challenge = challenge_metrics(*maps, mask)
    regions = []
    if segmentation is not None:
        challenge |= region_errors(*maps, mask, segmentation)
        regions = region_statistics(*maps, mask, segmentation)
    return {
        "release": release_metrics(*maps),
        "challenge": challenge,
        "regions": regions,
    }


def format_table(results):
    """Plain text of evaluations side by side.

    Args:
        results: dict of a method's name to what `evaluate` returned for it, all
            against the same reference.

    Returns:
        str of several lines. An arrow tells whether less or more is better; "-" is a
        value that is not defined.
    """
    blocks = []
    for family, (title, _) in TABLES.items():
        rows = [("", "", *results)]
        for label, arrow, decimals, values in metric_rows(results, family):
            cells = (format_number(value, decimals) for value in values)
            rows.append((label, arrow, *cells))
        blocks.append(align(title, rows, headings=2))
    rows = [("", "voxels", "reference", *results)]
    for known, regions in regions_side_by_side(results.values()):
        cells = [mean_and_std(known, "reference")]
        cells += [mean_and_std(region, "reconstruction") for region in regions]
        narrow = (cell.replace(" ", "") for cell in cells)
        rows.append((known["name"], str(known["voxels"]), *narrow))
    if len(rows) > 1:
        title = "Regions: mean ± standard deviation [ppm]"
        blocks.append(align(title, rows, headings=3))
    return "\n\n".join(blocks)


def metric_rows(results, family):
    """The metrics of a family that any of several evaluations has.

    Args:
        results: as `format_table`.
        family: str, a key of `TABLES`.

    Yields:
        What a table calls it, a str; its arrow; its decimals, an int; and its value in
        each evaluation, a list of float, or None where it is missing.
    """
    for name, label, arrow, decimals in TABLES[family][1]:
        values = [result[family].get(name) for result in results.values()]
        if any(value is not None for value in values):
            yield label, arrow, decimals, values


def format_number(value, decimals):
    """A metric as text.

    Args:
        value: float, or None.
        decimals: int.

    Returns:
        str; "-" for a value that is not defined.
    """
    if value is None or math.isnan(value):
        return "-"
    return f"{value:.{decimals}f}"


def mean_and_std(region, which):
    """A region's mean and standard deviation [ppm] as text.

    Args:
        region: dict, of `spinet_tf.metrics_regions.region_statistics`, or None.
        which: "reference" or "reconstruction".

    Returns:
        str; "-" for no region.
    """
    if region is None:
        return "-"
    return f"{region[f'{which}_mean']:.4f} ± {region[f'{which}_std']:.4f}"


def write_side_by_side(path, maps, reference, mask, voxel_size, sides=""):
    """Write a picture of reconstructions beside the reference, with their errors.

    One is a row above those of the reference and its error; several are columns.

    Args:
        path: file to write; its suffix (".png", ".pdf") is the format.
        maps: dict of a method's name, not "reference", to float array `(x, y, z)`,
            susceptibility [ppm].
        reference: float array `(x, y, z)`, susceptibility [ppm].
        mask: array `(x, y, z)`, the brain where it is greater than 0.
        voxel_size: three floats [mm].
        sides: str, a letter for the left edge of a picture and one for the right, such
            as "LR". Defaults to none.

    Raises:
        InputError: if there are no maps, shapes differ or the file cannot be written.
    """
    if not maps or "reference" in maps:
        raise InputError(f"maps: expected names, none of them reference, got {[*maps]}")
    for chi in maps.values():
        _check(*map(np.asarray, (chi, reference, mask)))
    check_voxel_size(voxel_size)
    mask = np.asarray(mask) > 0
    maps = {name: inside_mask(chi, reference, mask)[0] for name, chi in maps.items()}
    reference = np.where(mask, reference, 0.0)
    save_figure(path, draw_maps(maps, reference, mask, voxel_size, sides))


def _check(reconstruction, reference, mask, segmentation=None):
    if reconstruction.ndim != 3:
        raise InputError(
            f"reconstruction: expected three axes, got shape {reconstruction.shape}"
        )
    others = {"reference": reference, "mask": mask}
    if segmentation is not None:
        others["segmentation"] = segmentation
    for name, volume in others.items():
        if np.shape(volume) != reconstruction.shape:
            raise InputError(
                f"{name}: expected the reconstruction's shape {reconstruction.shape}, "
                f"got {np.shape(volume)}"
            )
    for name, volume in {"reconstruction": reconstruction, **others}.items():
        dtype = np.asarray(volume).dtype
        if dtype.kind not in "biuf":
            raise InputError(f"{name}: expected real numbers, got {dtype}")
    if segmentation is not None:
        labels = np.asarray(segmentation)[mask > 0]
        if not np.isfinite(labels).all() or np.any(
            abs(labels - np.rint(labels)) > LABEL_ROUNDING
        ):
            raise InputError("segmentation: expected finite integers in the mask")
    inside = reference[mask > 0]
    if inside.size == 0:
        raise InputError("mask: expected a brain, got no voxel above 0")
    bad = np.count_nonzero(~np.isfinite(inside))
    if bad:
        raise InputError(
            f"reference: expected finite values in the mask, got {bad} that are not"
        )
    if not inside.any():
        raise InputError("reference: expected a susceptibility map, got only zeros")
