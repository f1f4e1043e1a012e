"""A picture of maps beside the reference, with their errors."""

from matplotlib.figure import Figure

from spinet_tf.figures import (
    bare,
    draw_three_planes,
    in_lines,
    name_sides,
    show_plane,
    shown_box,
)

MAP_WINDOW = 0.1
"""Susceptibility shown white [ppm]; its negative is black."""
ERROR_WINDOW = 0.05
"""Error of one of several maps shown white [ppm]; its negative is black."""
PLANES = {"axial": 2, "coronal": 1, "sagittal": 0}
"""The axis that each is normal to."""
COLUMN_INCHES = 2.0
LOWEST_INCHES = 0.75  # of a row: its name has to fit beside a thin slab
LETTERS = 20  # of a title, which fit above a column
LINE_INCHES = 0.25
BAR_INCHES = 0.12
BARS_INCHES = 1.6


def draw_maps(maps, reference, mask, voxel_size, sides=""):
    """Draw one map in rows with the reference and its error, or several side by side.

    Args:
        maps: as `draw_side_by_side`.
        reference: as `draw_side_by_side`.
        mask: as `draw_side_by_side`.
        voxel_size: as `draw_side_by_side`.
        sides: as `draw_side_by_side`.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        InputError: if the shapes differ or the mask is empty.
    """
    if len(maps) > 1:
        return draw_side_by_side(maps, reference, mask, voxel_size, sides)
    (chi,) = maps.values()
    rows = {"reconstruction": chi, "reference": reference, "error": chi - reference}
    return draw_three_planes(rows, mask, voxel_size, (-MAP_WINDOW, MAP_WINDOW), sides)


def error_window(maps):
    """The error shown white [ppm], a float: of one map that of the map above it.

    Args:
        maps: as `draw_side_by_side`.
    """
    return ERROR_WINDOW if len(maps) > 1 else MAP_WINDOW


def draw_side_by_side(maps, reference, mask, voxel_size, sides=""):
    """Draw a column per method: three planes, in each the map and below it its error.

    The windows are fixed, so that two pictures can be compared.

    Args:
        maps: dict of a method's name, not "reference", to float `(x, y, z)`,
            susceptibility [ppm].
        reference: float `(x, y, z)`, susceptibility [ppm]; the first column.
        mask: `(x, y, z)`, the brain where it is greater than 0.
        voxel_size: three floats [mm], for the aspect.
        sides: str, a letter for the left edge of a picture and one for the right, such
            as "LR". Defaults to none.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        InputError: if the shapes differ or the mask is empty.
    """
    columns = {"reference": reference, **maps}
    box = shown_box(columns, mask)
    shown = {name: volume[tuple(box)] for name, volume in columns.items()}
    extent = [n * d for n, d in zip(shown["reference"].shape, voxel_size, strict=True)]
    titles = [in_lines(name, LETTERS) for name in columns]
    figure, panels = _panels(titles, extent)
    for column, title, volume in zip(panels.T, titles, shown.values(), strict=True):
        column[0].set_title(title, parse_math=False)
        for (plane, normal), upper, lower in zip(
            PLANES.items(), column[::2], column[1::2], strict=True
        ):
            map_picture = _show(upper, volume, normal, extent, MAP_WINDOW)
            if volume is shown["reference"]:
                upper.set_ylabel(plane)
                name_sides(upper, sides if normal > 0 else "")
                _leave_empty(lower, upper)
                lower.set_ylabel("error")
            else:
                error = volume - shown["reference"]
                error_picture = _show(lower, error, normal, extent, ERROR_WINDOW)
    width, height = figure.get_size_inches()
    for drawn, window, label in (  # from the bottom
        (error_picture, ERROR_WINDOW, "error: map - reference"),
        (map_picture, MAP_WINDOW, "susceptibility"),
    ):
        figure.colorbar(
            drawn,
            ax=panels,
            location="bottom",
            label=f"{label}, -{window:g} to {window:g} ppm",
            ticks=(-window, 0, window),
            shrink=0.6,
            aspect=0.6 * width / BAR_INCHES,
            pad=BAR_INCHES / height,
        )
    return figure


def _panels(titles, extent):
    """A figure with two rows for each plane of this extent [mm], and its panels."""
    scale = COLUMN_INCHES / max(extent)
    heights = [
        max(scale * extent[1 if normal == 2 else 2], LOWEST_INCHES)
        for normal in PLANES.values()
        for _ in ("map", "error")
    ]
    lines = 1 + max(title.count("\n") for title in titles)
    height = LINE_INCHES * lines + sum(heights) + BARS_INCHES
    size = (COLUMN_INCHES * len(titles), height)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(
        6, len(titles), squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    return figure, panels


def _leave_empty(panel, like):
    """Leave a panel empty, in the place that a picture as another's would have."""
    bare(panel)
    limits = {"xlim": like.get_xlim(), "ylim": like.get_ylim()}
    panel.set(**limits, aspect="equal", facecolor="none")


def _show(panel, volume, normal, extent, window):
    across, up = (axis for axis in range(3) if axis != normal)
    plane = volume.take(volume.shape[normal] // 2, axis=normal)
    place = (0, extent[across], 0, extent[up])
    return show_plane(panel, plane, (-window, window), extent=place)
