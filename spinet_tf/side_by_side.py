"""A picture of maps beside the reference, with their errors."""

from matplotlib.figure import Figure

from spinet_tf.figures import draw_three_planes, plain_text, show_plane, shown_box

MAP_WINDOW = 0.1
"""Susceptibility shown white [ppm]; its negative is black."""
ERROR_WINDOW = 0.05
"""Error of one of several maps shown white [ppm]; its negative is black."""
COLUMN_INCHES = 2.0
HEAD_INCHES = 0.4
BARS_INCHES = 0.9


def draw_maps(maps, reference, mask, voxel_size):
    """Draw one map in rows with the reference and its error, or several side by side.

    Args:
        maps: as `draw_side_by_side`.
        reference: as `draw_side_by_side`.
        mask: as `draw_side_by_side`.
        voxel_size: as `draw_side_by_side`.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        InputError: if the shapes differ or the mask is empty.
    """
    if len(maps) > 1:
        return draw_side_by_side(maps, reference, mask, voxel_size)
    (chi,) = maps.values()
    rows = {"reconstruction": chi, "reference": reference, "error": chi - reference}
    return draw_three_planes(rows, mask, voxel_size, (-MAP_WINDOW, MAP_WINDOW))


def error_window(maps):
    """The error shown white [ppm], a float: of one map that of the map above it.

    Args:
        maps: as `draw_side_by_side`.
    """
    return ERROR_WINDOW if len(maps) > 1 else MAP_WINDOW


def draw_side_by_side(maps, reference, mask, voxel_size):
    """Draw a column per method: three planes, in each the map and below it its error.

    The windows are fixed, so that two pictures can be compared.

    Args:
        maps: dict of a method's name, not "reference", to float `(x, y, z)`,
            susceptibility [ppm].
        reference: float `(x, y, z)`, susceptibility [ppm]; the first column.
        mask: `(x, y, z)`, the brain where it is greater than 0.
        voxel_size: three floats [mm], for the aspect.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        InputError: if the shapes differ or the mask is empty.
    """
    columns = {"reference": reference, **maps}
    box = shown_box(columns, mask)
    shown = {name: volume[tuple(box)] for name, volume in columns.items()}
    extent = [n * d for n, d in zip(shown["reference"].shape, voxel_size, strict=True)]
    planes = {"axial": 2, "coronal": 1, "sagittal": 0}
    heights = [
        COLUMN_INCHES * extent[1 if normal == 2 else 2] / max(extent[:2])
        for normal in planes.values()
        for _ in ("map", "error")
    ]
    size = (COLUMN_INCHES * len(columns), sum(heights) + HEAD_INCHES + BARS_INCHES)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(
        6, len(columns), squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    for column, (name, volume) in zip(panels.T, shown.items(), strict=True):
        column[0].set_title(plain_text(name), wrap=True, parse_math=False)
        for (plane, normal), upper, lower in zip(
            planes.items(), column[::2], column[1::2], strict=True
        ):
            map_picture = _show(upper, volume, normal, extent, MAP_WINDOW)
            if volume is shown["reference"]:
                upper.set_ylabel(plane)
                lower.set_axis_off()
            else:
                error = volume - shown["reference"]
                error_picture = _show(lower, error, normal, extent, ERROR_WINDOW)
    for panel in panels[1::2, 1]:
        panel.set_ylabel("error")
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
            aspect=40,
        )
    return figure


def _show(panel, volume, normal, extent, window):
    across, up = (axis for axis in range(3) if axis != normal)
    plane = volume.take(volume.shape[normal] // 2, axis=normal)
    place = (0, extent[across], 0, extent[up])
    return show_plane(panel, plane, (-window, window), extent=place)
