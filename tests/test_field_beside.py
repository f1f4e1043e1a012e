"""A JSON file beside the field of `reconstruct`, which is not used but compared."""

import math

import pytest

from spinet_tf.volume import affine_b0_direction
from tests.command_line import oblique_affine, read, read_json, run, succeed, write


@pytest.fixture
def reconstruct(flags, tmp_path):
    """Reconstructs with a text beside the field; gives what standard error has."""

    def reconstructed(beside, **others):
        field = write(tmp_path / "field.nii.gz", read(flags["field"]))
        (tmp_path / "field.json").write_text(beside)
        return succeed("reconstruct", **{**flags, "field": field, **others}).err

    return reconstructed


def test_other_units_are_told(reconstruct, tmp_path):
    report = tmp_path / "report.html"
    told = reconstruct('{"Units": "Hz"}', report=report)
    assert told == (
        f"spinet-qsm: warning: {tmp_path / 'field.json'}: its Units are 'Hz', the field"
        " is taken to be in ppm; give --field-units hz\n"
    )
    assert "give --field-units hz" in report.read_text()
    assert read_json(tmp_path / "map.json")["FieldUnits"] == "ppm"


def test_other_units_are_told_of_a_field_that_is_refused(flags, tmp_path):
    field = write(tmp_path / "field.nii.gz", 60 * read(flags["field"]))
    (tmp_path / "field.json").write_text('{"Units": "Hz"}')
    result = run("reconstruct", **{**flags, "field": field})
    assert (result.exit_code, "give --field-units hz" in result.err) == (2, True)


def test_units_that_no_flag_knows(reconstruct):
    told = reconstruct('{"Units": "T"}')
    assert "its Units are 'T', the field is taken to be in ppm; see --field" in told


def test_another_direction_is_told_if_it_would_be_used(reconstruct, tmp_path):
    used = affine_b0_direction(oblique_affine())
    degrees = math.degrees(math.acos(used[2]))
    told = reconstruct('{"B0Direction": [0, 0, 2]}')
    assert told == (
        f"spinet-qsm: warning: {tmp_path / 'field.json'}: its B0Direction is"
        f" {degrees:.3g} degrees from the one that is used; for the sidecar's give"
        " --b0-dir=0,0,1\n"
    )
    assert "--b0-dir=0,0,1" in reconstruct('{"B0_dir": [0, 0, 1]}')
    assert "--b0-dir=0,0,1" in reconstruct('{"B0Direction": null, "B0_dir": [0, 0, 1]}')
    assert reconstruct('{"B0Direction": [0, 0, 1]}', b0_dir="0,1,0") == ""


def test_a_sidecar_that_agrees_is_silent(reconstruct, flags, tmp_path):
    succeed("reconstruct", **flags)
    assert reconstruct((tmp_path / "map.json").read_text()) == ""
    opposite = [-component for component in affine_b0_direction(oblique_affine())]
    assert reconstruct(f'{{"Units": "PPM", "B0Direction": {opposite}}}') == ""


@pytest.mark.parametrize(
    "beside",
    ["", "[]", '{"Units": 3}', '{"B0Direction": [0, 0]}', '{"B0Direction": [0, 0, 0]}'],
)
def test_a_sidecar_that_cannot_be_used_is_no_error(reconstruct, beside):
    assert reconstruct(beside) == ""
