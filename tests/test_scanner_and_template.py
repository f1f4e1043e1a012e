"""Images with an affine to the scanner and another to a template, or one of them."""

import nibabel
import numpy as np
import pytest

from spinet_tf.errors import InputError
from spinet_tf.volume import Volume, check_same_grid, check_same_grids, most_placed
from tests.command_line import mask, oblique_affine, read, read_json, succeed
from tests.test_volume import SHAPE, affine_of, rotation_about_x

SIZE = (1, 1, 2)
TEMPLATE = affine_of(rotation_about_x(3), (1.1, 1.2, 2.3))
SCANNER = affine_of(rotation_about_x(20), SIZE)
TURNED = affine_of(rotation_about_x(40), SIZE)
TO_TEMPLATE = 4


def image(name, sform=None, qform=None, codes=(0, 0)):
    affine = qform if sform is None else sform
    return Volume(np.zeros(SHAPE, np.float32), affine, name, *codes, qform)


FIELD = image("field.nii", TEMPLATE, SCANNER, (TO_TEMPLATE, 1))
ONLY_SCANNER = image("scanner.nii", None, SCANNER, (0, 1))
ONLY_TEMPLATE = image("template.nii", TEMPLATE, None, (TO_TEMPLATE, 0))


@pytest.mark.parametrize(
    "other",
    [
        ONLY_SCANNER,
        ONLY_TEMPLATE,
        image("mask.nii", SCANNER, None, (1, 0)),
        image("mask.nii", SCANNER, SCANNER, (2, 1)),
        # A program that knows one affine only, and calls it "aligned".
        image("mask.nii", TEMPLATE, None, (2, 0)),
    ],
)
def test_the_same_place_by_another_header(other):
    check_same_grid(FIELD, other)
    check_same_grid(other, FIELD)


@pytest.mark.parametrize(
    "other",
    [
        image("mask.nii", TEMPLATE, TURNED, (TO_TEMPLATE, 1)),
        image("mask.nii", None, TURNED, (0, 1)),
        image("mask.nii", TURNED, None, (1, 0)),
        image("mask.nii", SCANNER, None, (TO_TEMPLATE, 0)),
    ],
)
def test_another_place_in_the_scanner_or_the_template(other):
    with pytest.raises(InputError, match="mask.nii: the affine differs .* mm apart"):
        check_same_grid(FIELD, other)
    with pytest.raises(InputError, match="field.nii: the affine differs .* mm apart"):
        check_same_grid(other, FIELD)


def test_who_knows_the_scanner_knows_most():
    nowhere = image("nowhere.nii", np.diag([*SIZE, 1.0]))
    no_affine = Volume(FIELD.data, None, "a.mat", sform_code=1)
    images = [no_affine, nowhere, ONLY_TEMPLATE, FIELD, ONLY_SCANNER]
    for k, expected in enumerate((no_affine, nowhere, ONLY_TEMPLATE, FIELD)):
        assert most_placed(images[: k + 1]) is expected
    assert most_placed(images) is FIELD
    check_same_grids([ONLY_TEMPLATE, FIELD])


def test_a_field_of_a_template_has_the_geometry_of_its_mask(scan, flags, tmp_path):
    """The map is that of the scan, and lies where the field does."""
    scanner = oblique_affine()
    template = np.diag([1.0, 1.0, 1.5, 1.0])
    paths = {}
    for name, data, qform in (
        ("field", read(scan / "field.nii.gz"), None),
        ("mask", mask().astype(np.uint8), scanner),
    ):
        stored = nibabel.Nifti1Image(data, template)
        stored.set_sform(template, TO_TEMPLATE)
        stored.set_qform(qform, 0 if qform is None else 1)
        paths[name] = tmp_path / f"{name}.nii"
        stored.to_filename(paths[name])
    result = succeed("reconstruct", **{**flags, **paths})
    assert result.out.count("(from the mask's affine)") == 2
    sidecar = read_json(tmp_path / "map.json")
    assert sidecar["VoxelSize"] == [1.1, 0.9, 1.6]
    written = nibabel.load(tmp_path / "map.nii.gz")
    np.testing.assert_allclose(written.affine, template)
    codes = written.header["sform_code"], written.header["qform_code"]
    assert codes == (TO_TEMPLATE, 0)
    told = "field.nii: its affine has voxels of other edges than that of"
    assert told in result.err
    succeed("reconstruct", **{**flags, "output": tmp_path / "expected.nii"})
    expected = read(tmp_path / "expected.nii")
    np.testing.assert_allclose(read(tmp_path / "map.nii.gz"), expected, atol=1e-5)
    told = succeed("reconstruct", **{**flags, **paths}, voxel_size="1,1,1").err
    assert "the mask's affine has voxels of 1.1 x 0.9 x 1.6 mm, other than" in told
