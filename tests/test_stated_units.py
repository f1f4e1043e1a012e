"""What is said of a field that is no brain's in the unit it is taken to be in."""

import math

import numpy as np
import pytest

from spinet_tf.errors import InputError
from spinet_tf.field_units import LARGEST_FIELD, check_units, ppm_per_unit
from tests.bids_tree import bids, put, put_json
from tests.command_line import mask, read, read_json, refused, succeed, write
from tests.test_field_units import brain

WAY_OUT = "; if it is in ppm, as of a phantom, give --field-units ppm"


@pytest.mark.parametrize("b0", [1.5, 3.0, 7.0])
@pytest.mark.parametrize("ppm", [0.02, 0.05, 0.1, 0.3])
def test_the_guess_holds_from_1_5_to_7_tesla(b0, ppm):
    hertz = ppm / ppm_per_unit("hz", b0)
    spreads = {
        "Hz": hertz,
        "rad/s": 2 * math.pi * hertz,
        "radians": ppm / ppm_per_unit("rad", b0, 0.02),
        "ppb": 1000 * ppm,
    }
    for unit, spread in spreads.items():
        if spread > LARGEST_FIELD:
            with pytest.raises(InputError, match=f"looks like .*{unit}"):
                check_units(brain(spread), "ppm")


def test_a_field_stated_in_ppm_is_warned_of():
    with pytest.warns(UserWarning, match="^field.nii: .* 5.12 ppm, .* like Hz [^;]*$"):
        check_units(brain(5.12), "ppm", name="field.nii", stated=True)
    with pytest.raises(InputError, match=f"radians or Hz{WAY_OUT}$"):
        check_units(brain(2), "ppm", units_flag="--field-units")
    with pytest.raises(InputError, match="check the field strength$"):
        check_units(brain(10), "hz", 0.2, units_flag="--field-units")
    with pytest.raises(InputError, match="check the field strength"):
        check_units(brain(11), "rad", 3, 0.02)  # of "radians at 7 T"
    with pytest.raises(InputError, match="0 everywhere"):
        check_units(np.zeros(9, np.float32), "ppm", stated=True)


@pytest.fixture
def phantom(flags, tmp_path):
    """Flags with the field of a phantom, 30 times as strong as a brain's."""
    field = 30 * read(flags["field"])
    return {**flags, "field": write(tmp_path / "field.nii", field)}


@pytest.mark.parametrize("method", ["tkd", "spinet"])
def test_a_phantom_in_ppm(scan, phantom, tmp_path, method):
    phantom["method"] = method
    if method == "spinet":
        phantom["model"] = scan / "tiny.keras"
    refused(tmp_path, WAY_OUT, "reconstruct", **phantom)
    report = tmp_path / "report.html"
    stated = {**phantom, "field_units": "PPM", "report": report}
    told = succeed("reconstruct", **stated).err
    (line,) = (line for line in told.splitlines() if "expected of a brain" in line)
    assert line.startswith("spinet-qsm: warning: ")
    assert line.endswith("expected of a brain 0.02 to 0.3 ppm; it looks like radians")
    assert WAY_OUT not in told
    assert "expected of a brain" in report.read_text()
    assert read_json(tmp_path / "map.json")["FieldUnits"] == "ppm"


def test_units_in_any_case(flags, tmp_path):
    refused(
        *(tmp_path, "^spinet-qsm: error: --b0: the field strength of a field in hz"),
        *("reconstruct",),
        **{**flags, "field_units": "Hz"},
    )
    refused(
        *(tmp_path, "^spinet-qsm: error: --te: the echo time of a field in rad"),
        *("reconstruct",),
        **{**flags, "field_units": "Rad", "b0": 3},
    )


@pytest.mark.parametrize("beside", [{}, {"Units": "ppm"}])
def test_a_phantom_in_a_dataset(scan, tmp_path, beside):
    tree, anat = tmp_path / "tree", tmp_path / "tree" / "sub-1" / "anat"
    put(anat / "sub-1_localfield.nii", 30 * read(scan / "field.nii.gz"))
    put(anat / "sub-1_mask.nii", mask().astype(np.uint8))
    put_json(anat / "sub-1_localfield.json", **beside)
    result = bids(tree, tmp_path / "maps", "--method=tkd")
    assert (result.exit_code, WAY_OUT in result.err) == (1, True)
    result = bids(tree, tmp_path / "maps", "--method=tkd", "--field-units=ppm")
    assert (result.exit_code, WAY_OUT in result.err) == (0, False)
    assert "it looks like radians" in result.err
    put_json(anat / "sub-1_localfield.json", Units="Hz", MagneticFieldStrength=0.02)
    result = bids(tree, tmp_path / "other", "--method=tkd", "--field-units=ppm")
    assert (result.exit_code, WAY_OUT in result.err) == (1, False)
