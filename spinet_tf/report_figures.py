"""Pictures for a report, beside the three planes."""

import numpy as np
from matplotlib.figure import Figure

from spinet_tf.figures import in_lines, name_sides, show_plane, shown_box

PANEL_INCHES = 2.2
HISTOGRAM_INCHES = 2.7
LINE_INCHES = 0.22  # of the legend
LETTERS = 60  # in one
BINS = 100
COLOURS = 10  # of matplotlib, which then begins again
STYLES = ("-", "--", ":", "-.")


def unroll_planes(maps, mask, voxel_size, window, sides):
    """The middle axial plane of the map after every unroll, side by side.

    Args:
        maps: list of float `(x, y, z)`, susceptibility [ppm].
        mask: `(x, y, z)`, the brain where it is greater than 0.
        voxel_size: three floats [mm], for the aspect.
        window: float [ppm], the value shown white; its negative is black.
        sides: str, a letter for the left edge of a picture and one for the right, such
            as "LR", or none.

    Returns:
        `matplotlib.figure.Figure`.
    """
    box = shown_box({"map": maps[0]}, mask)
    middle = (box[2].start + box[2].stop) // 2
    size = (PANEL_INCHES * len(maps), PANEL_INCHES * 1.3)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(maps), squeeze=False)[0]
    for k, (panel, volume) in enumerate(zip(panels, maps, strict=True), start=1):
        plane = volume[box[0], box[1], middle]
        aspect = voxel_size[1] / voxel_size[0]
        show_plane(panel, plane, (-window, window), aspect=aspect)
        panel.set_title(f"unroll {k}")
    name_sides(panels[0], sides)
    return figure


def histogram(maps, mask):
    """Histograms of maps inside the mask, the outermost thousandths left out.

    Args:
        maps: dict of title to float `(x, y, z)`, susceptibility [ppm].
        mask: `(x, y, z)`, the brain where it is greater than 0.

    Returns:
        `matplotlib.figure.Figure`.
    """
    inside = {title: volume[mask > 0] for title, volume in maps.items()}
    limits = [np.percentile(values, (0.1, 99.9)) for values in inside.values()]
    low, high = np.min(limits), np.max(limits)
    titles = [in_lines(title, LETTERS) for title in inside]
    lines = sum(1 + title.count("\n") for title in titles)
    legend_inches = LINE_INCHES * (lines + 1)
    height = HISTOGRAM_INCHES + legend_inches
    figure = Figure(figsize=(6, height), layout="constrained")
    below = legend_inches / height
    figure.get_layout_engine().set(rect=(0, below, 1, 1 - below))
    axes = figure.subplots()
    for number, values in enumerate(inside.values()):
        edges = np.linspace(low, high, BINS + 1) if high > low else BINS
        style = STYLES[number // COLOURS % len(STYLES)]
        axes.hist(values, edges, histtype="step", label=str(number), linestyle=style)
    axes.set(xlabel="susceptibility [ppm]", ylabel="voxels")
    legend = axes.legend(
        loc="center",
        bbox_to_anchor=(0, 0, 1, below),
        bbox_transform=figure.transFigure,
    )
    legend.set_in_layout(False)
    # As labels, titles with a leading underscore would be left out.
    for text, title in zip(legend.get_texts(), titles, strict=True):
        text.set(text=title, parse_math=False)
    return figure
