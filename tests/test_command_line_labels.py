"""`spinet-qsm evaluate --segmentation`: labels of the QSM challenges and others."""

import numpy as np

from tests.command_line import SHAPE, evaluate, mask, write


def test_known_labels_and_those_outside_the_mask_are_no_news(scan, tmp_path):
    labels = np.where(mask(), 12, 99).astype(np.int16)
    labels[:9] *= labels[:9] != 12
    segmentation = write(tmp_path / "labels.nii", labels)
    assert evaluate(scan, segmentation=segmentation).err == ""


def test_labels_of_another_atlas_are_told(scan, tmp_path):
    labels = np.full(SHAPE, 24, np.int16)
    labels[:9] = 10
    segmentation = write(tmp_path / "aseg.nii", labels)
    told = "aseg.nii: has labels that the QSM challenges have not, such as 24"
    assert told in evaluate(scan, segmentation=segmentation).err


def test_labels_of_letters_that_no_font_has(scan, tmp_path):
    result = evaluate(
        scan, label="方法", report=tmp_path / "a.html", output_dir=tmp_path
    )
    assert result.err == ""
    assert "Glyph" not in (tmp_path / "a.html").read_text()
