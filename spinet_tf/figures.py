"""Pictures of volumes: three orthogonal planes on one grey scale."""

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from spinet_tf.atomic_write import atomic_path
from spinet_tf.box import bounding_box, whole
from spinet_tf.errors import InputError

ROW_INCHES = 2.6
TITLE_INCHES = 0.3
NARROWEST_INCHES = 0.8  # of a plane: its name has to fit above it
COLOUR_BAR_INCHES = 0.9
MARGIN_VOXELS = 3


def three_planes(path, volumes, mask, voxel_size, sides=""):
    """Write a picture with a row per volume: axial, coronal and sagittal plane.

    The planes go through the middle of the mask and show its surroundings only. All
    rows share the window of +-0.1 ppm, so an error map can be read beside the map it
    belongs to. The axes are those of the array: x to the right, y or z up.

    Args:
        path: file to write; its suffix (".png", ".pdf") is the format.
        volumes: dict of title to float array `(x, y, z)` [ppm], all on one grid.
        mask: array `(x, y, z)`, the brain where it is greater than 0.
        voxel_size: three floats [mm], for the aspect.
        sides: str, a letter for the left edge of a picture and one for the right, such
            as "LR". Defaults to none.

    Raises:
        InputError: if the shapes differ, the mask is empty, the suffix is not that of
            a picture or the file cannot be written.
    """
    save_figure(path, draw_three_planes(volumes, mask, voxel_size, sides=sides))


def plain_text(name):
    """A name, perhaps a file's, with what is no character replaced."""
    return name.encode("utf-8", "replace").decode()


def in_lines(name, letters):
    """`plain_text` of a name in lines of few letters, broken after underscores too."""
    spaced = plain_text(name).replace("_", "_ ")
    return textwrap.fill(spaced, letters).replace("_ ", "_")


def save_figure(path, figure):
    """Write a figure.

    Args:
        path: file to write; its suffix (".png", ".pdf") is the format.
        figure: `matplotlib.figure.Figure`.

    Raises:
        InputError: if the suffix is not that of a picture or the file cannot be
            written.
    """
    formats = figure.canvas.get_supported_filetypes()
    if Path(path).suffix[1:].lower() not in formats:
        raise InputError(f"{path}: expected a picture's suffix such as .png or .pdf")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)


def draw_three_planes(volumes, mask, voxel_size, window=(-0.1, 0.1), sides=""):
    """The picture that `three_planes` writes.

    Args:
        volumes: as `three_planes`.
        mask: as `three_planes`.
        voxel_size: as `three_planes`.
        window: two floats [ppm], the values shown black and white. Defaults to +-0.1.
        sides: as `three_planes`.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        InputError: if the shapes differ or the mask is empty.
    """
    box = shown_box(volumes, mask)
    middle = [(s.start + s.stop) // 2 for s in box]
    extent = [(s.stop - s.start) * d for s, d in zip(box, voxel_size, strict=True)]
    tallest = max(extent[1:])
    inches = [max(ROW_INCHES / tallest * edge, NARROWEST_INCHES) for edge in extent]
    widths = [inches[axis] for axis in (0, 0, 1)]
    figure = Figure(
        figsize=(
            TITLE_INCHES + sum(widths) + COLOUR_BAR_INCHES,
            TITLE_INCHES + ROW_INCHES * len(volumes),
        ),
        layout="constrained",
    )
    axes = figure.subplots(
        len(volumes), 3, squeeze=False, gridspec_kw={"width_ratios": widths}
    )
    for row, (title, volume) in zip(axes, volumes.items(), strict=True):
        for panel, normal in zip(row, (2, 1, 0), strict=True):
            across, up = (axis for axis in range(3) if axis != normal)
            plane = np.take(volume, middle[normal], axis=normal)[box[across], box[up]]
            margin = (tallest - extent[up]) / 2
            place = (0, extent[across], margin, margin + extent[up])
            picture = show_plane(panel, plane, window, extent=place)
            panel.set(ylim=(0, tallest), facecolor=picture.to_rgba(0.0))
        row[0].set_ylabel(title)
    for panel in axes[0, :2]:
        name_sides(panel, sides)
    for panel, name in zip(axes[0], ("axial", "coronal", "sagittal"), strict=True):
        panel.set_title(name)
    figure.colorbar(
        picture,
        ax=axes,
        label="ppm",
        ticks=np.linspace(*window, 5),
        shrink=min(1, 1.5 / len(volumes)),
    )
    return figure


def show_plane(panel, plane, window, **placed):
    """Show a plane alone on a grey scale, its first axis to the right, its second up.

    Args:
        panel: `matplotlib.axes.Axes`.
        plane: float array `(x, y)` [ppm].
        window: two floats [ppm], the values shown black and white.
        **placed: `extent` or `aspect`, as `imshow` takes them.

    Returns:
        `matplotlib.image.AxesImage`.
    """
    bare(panel)
    low, high = window
    grey = {"cmap": "gray", "vmin": low, "vmax": high}
    return panel.imshow(
        plane.T, origin="lower", interpolation="nearest", **grey, **placed
    )


def name_sides(panel, sides):
    """Write a letter at the left edge of a panel and one at its right, or none.

    Args:
        panel: `matplotlib.axes.Axes`.
        sides: as `three_planes`.
    """
    for side, place in zip(sides, ("left", "right"), strict=False):
        x = 0 if place == "left" else 1
        text = panel.text(x, 0.5, side, transform=panel.transAxes, ha=place)
        text.set(color="white", fontsize="small", verticalalignment="center")
        text.set_path_effects([withStroke(linewidth=1.5, foreground="black")])


def bare(panel):
    """Leave ticks and frame of a panel out, a `matplotlib.axes.Axes`."""
    panel.set(xticks=[], yticks=[])
    panel.spines[:].set_visible(False)


def shown_box(volumes, mask):
    """What a picture shows: the mask's bounding box with a margin.

    Args:
        volumes: dict of title to array `(x, y, z)`.
        mask: array `(x, y, z)`, the brain where it is greater than 0.

    Returns:
        Three slices.

    Raises:
        InputError: if the shapes differ or the mask is empty.
    """
    shapes = {title: np.shape(volume) for title, volume in volumes.items()}
    shape = next(iter(shapes.values()))
    shapes["mask"] = np.shape(mask)
    for title, other in shapes.items():
        if other != shape or len(other) != 3:
            raise InputError(f"{title}: expected three axes as {shape}, got {other}")
    brain = bounding_box(np.asarray(mask) > 0)
    if not brain.edges.all():
        raise InputError("mask: expected a brain, got no voxel above 0")
    return whole(shape).intersection(brain.dilated(MARGIN_VOXELS)).slices
