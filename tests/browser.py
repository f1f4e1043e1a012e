"""Reports in headless Chromium, without a network."""

import contextlib
import re
import shutil
import subprocess

import numpy as np
import pytest
from matplotlib import image

WIDTH = 1000
LEFT = 20
"""Of the pictures, by the style of the pages."""
SHOTS, STARTS = 4, 3
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")

CLICK = """
<script>
window.addEventListener("load", () => setTimeout(() => {
  const canvas = document.querySelector("canvas"), box = canvas.getBoundingClientRect();
  const before = canvas.toDataURL();
  const [x, y] = [box.left + 0.1 * box.width, box.top + 0.4 * box.height];
  for (const kind of ["mousedown", "mouseup", "click"])
    canvas.dispatchEvent(new MouseEvent(kind, {bubbles: true, clientX: x, clientY: y}));
  setTimeout(() => {
    document.title = canvas.toDataURL() === before ? "as it was" : "other slices";
  }, 500);
}, 1500));
</script>
"""


def look_at(path, folder, viewers, height=6000):
    """What a page looks like, uint8 `(height, WIDTH, 3)`; it must complain of nothing.

    A frame is a process of its own, which the browser does not wait for before it takes
    the picture: one with too few viewers is taken again.

    Args:
        path: `Path` of the page.
        folder: `Path`, for the browser's files.
        viewers: int, how many there have to be.
        height: int, pixels.
    """
    for number in range(SHOTS):
        pixels = _take(folder / f"page_{number}.png", path, folder, height)
        if _count_viewers(pixels) >= viewers:
            break
    assert _count_viewers(pixels) == viewers
    return pixels


def _take(shot, path, folder, height):
    size = f"--window-size={WIDTH},{height}"
    console = _browse(path, folder, size, f"--screenshot={shot}").stderr.splitlines()
    wrong = re.compile("Refused|Uncaught|Error|violates|Failed")
    complaints = [line for line in console if "CONSOLE" in line and wrong.search(line)]
    assert complaints == []
    return _bytes_of(image.imread(shot))


def _count_viewers(pixels):
    """How many viewers are drawn: each has a band of rows with its cross, in blue."""
    blue = (pixels == (0, 0, 255)).all(-1)
    crossed = blue.sum(axis=1) > 150
    return np.count_nonzero(crossed[1:] > crossed[:-1])


def is_shown(picture, pixels):
    """Whether a picture is seen unscaled, as `matplotlib.image.imread` gives it."""
    picture = _bytes_of(picture)
    height, width, _ = picture.shape
    column = pixels[:, LEFT : LEFT + width]
    varied = np.argmax(picture.std(axis=(1, 2)))
    found = np.flatnonzero((column == picture[varied]).all((1, 2))) - varied
    return any(np.array_equal(column[top : top + height], picture) for top in found)


def click_shows_other_slices(frame, folder):
    """Whether a click does, in a viewer's frame by itself.

    The page keeps its frames apart from its scripts.
    """
    path = folder / "viewer.html"
    path.write_text(frame.html + CLICK)
    dumped = _browse(path, folder, "--dump-dom").stdout
    return "<title>other slices</title>" in dumped


def _bytes_of(pixels):
    return np.rint(255 * pixels[..., :3]).astype(np.uint8)


def _browse(page, folder, *flags):
    """Run Chromium, which now and then stops for good before it has begun."""
    for number in range(STARTS - 1):
        with contextlib.suppress(subprocess.TimeoutExpired):
            return _start(page, folder / f"browser_{number}", *flags)
    return _start(page, folder / "browser", *flags)


def _start(page, profile, *flags):
    return subprocess.run(
        [
            *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu"),
            *("--disable-background-networking", "--host-rules=MAP * ~NOTFOUND"),
            *("--enable-logging=stderr", "--virtual-time-budget=20000"),
            *("--hide-scrollbars", "--run-all-compositor-stages-before-draw"),
            *(f"--user-data-dir={profile}", *flags, f"file://{page}"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
