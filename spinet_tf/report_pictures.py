"""The pictures of a report, drawn in canonical axes."""

import numpy as np

from spinet_tf.figures import draw_three_planes
from spinet_tf.orientation import CanonicalAxes
from spinet_tf.page import picture
from spinet_tf.report_figures import histogram, unroll_planes
from spinet_tf.side_by_side import MAP_WINDOW, draw_maps, error_window
from spinet_tf.slice_viewer import slice_viewer


class Planes:
    """Draws volumes of one grid in canonical axes, where "axial" is axial.

    Args:
        affine: float64 `(4, 4)`, of all of them; None if there is none.
        mask: bool `(x, y, z)`.
        voxel_size: three floats [mm].
    """

    def __init__(self, affine, mask, voxel_size):
        self._axes = CanonicalAxes(affine)
        self._affine = np.diag([*voxel_size, 1.0]) if affine is None else affine
        self._centre = np.mean(np.nonzero(mask), axis=1)
        self._mask = self._axes.turn(mask)
        self._voxel_size = self._axes.turn_edges(voxel_size)

    def draw(self, volumes, window):
        """A row for each of a dict of title to volume; `window` ppm is white."""
        turned = {title: self._axes.turn(volume) for title, volume in volumes.items()}
        limits = (-window, window)
        figure = draw_three_planes(
            turned, self._mask, self._voxel_size, limits, self._axes.sides
        )
        return picture(figure, f"{', '.join(volumes)}: ±{window:.3g} ppm")

    def draw_unrolls(self, maps):
        """The map after every unroll, side by side."""
        maps = [self._axes.turn(volume) for volume in maps]
        figure = unroll_planes(
            maps, self._mask, self._voxel_size, MAP_WINDOW, self._axes.sides
        )
        return picture(figure, f"the map after every unroll: ±{MAP_WINDOW:g} ppm")

    def draw_maps(self, maps, reference):
        """A dict of method to map beside the reference, with their errors."""
        turned = {title: self._axes.turn(volume) for title, volume in maps.items()}
        figure = draw_maps(
            *(turned, self._axes.turn(reference), self._mask, self._voxel_size),
            self._axes.sides,
        )
        return picture(
            figure,
            f"{', '.join(maps)} and the reference: ±{MAP_WINDOW:g} ppm; below each its"
            f" error: ±{error_window(maps):g} ppm",
        )

    def view(self, title, data, window):
        """A viewer of slices."""
        return slice_viewer(title, data, self._affine, self._centre, window)


def inside_histogram(maps, mask):
    """A histogram with the moments of each map inside the mask.

    Args:
        maps: dict of title to float `(x, y, z)`, susceptibility [ppm].
        mask: bool `(x, y, z)`.

    Returns:
        An element of `spinet_tf.page`.
    """
    inside = {title: volume[mask] for title, volume in maps.items()}
    moments = "; ".join(
        f"{title} {values.mean(dtype=float):.4f} ± {values.std(dtype=float):.4f} ppm"
        for title, values in inside.items()
    )
    return picture(histogram(maps, mask), f"inside the mask, mean ± std: {moments}")
