"""`docs/api.md` is what the docstrings say."""

import runpy

from tests.conftest import ROOT


def test_the_page_is_up_to_date():
    maker = runpy.run_path(str(ROOT / "docs" / "make_api.py"))
    written = (ROOT / "docs" / "api.md").read_text()
    message = "run python docs/make_api.py"
    assert maker["api_page"]() == written, message


def test_every_argument_is_told():
    """A signature's arguments are those that the docstring lists."""
    page = (ROOT / "docs" / "api.md").read_text()
    for entry in page.split("### `")[1:]:
        signature = entry.split("\n")[2].strip()
        if "(" not in signature or signature.startswith("DenoiserOnly"):
            continue  # whose arguments are those of `SpiNetQSM`
        for argument in signature.partition("(")[2].rstrip(")").split(", "):
            name = argument.split("=")[0]
            if name.isidentifier():
                assert f"- `{name}`: " in entry, f"{name} of {signature}"


def test_properties_and_defaults_are_told():
    page = (ROOT / "docs" / "api.md").read_text()
    network = page.split("### `spinet_tf.model.SpiNetQSM`")[1].split("### `")[0]
    assert "- `lambda_`: Learned weight of the penalty" in network
    assert "    LossWeights(susceptibility=1.0, field=0.5, gradient=0.5)\n" in page
    assert "    UnrollReport(susceptibility, iterations, " in page
    layer = page.split("### `spinet_tf.data_consistency.DataConsistency`")[1]
    assert "\n- `emphasis`: float > 0" in layer
