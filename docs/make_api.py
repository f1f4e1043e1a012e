"""Writes `docs/api.md` from the docstrings: `python docs/make_api.py`.

The code is read, not imported.
"""

import logging
import sys
from pathlib import Path
from textwrap import indent

import griffe

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "api.md"
INTRODUCTION = """\
# API reference

What an engineer calls, written from the docstrings by `python docs/make_api.py`. The
conventions are in [units-and-conventions.md](units-and-conventions.md). What is not
listed here may change without notice.
"""
PUBLIC = {
    "Reconstruct": (
        "reconstruct.Reconstructor",
        "reconstruct.reconstruct_classical",
        "reconstruction.Reconstruction",
        "reconstruction.UnrollReport",
        "classical.tkd",
        "classical.tikhonov",
        "orientation.reconstruct_in_canonical_axes",
        "thick_slices.reconstruct_thin",
        "serving.client.RemoteReconstructor",
    ),
    "Files and units": (
        "volume.Volume",
        "nifti.read_volume",
        "nifti.read_mask",
        "nifti.write_volume",
        "field_units.ppm_per_unit",
        "referencing.read_reference",
        "referencing.Reference",
        "errors.InputError",
    ),
    "Simulate and evaluate": (
        "phantom.digital_head",
        "phantom.DigitalHead",
        "simulate.simulate_field",
        "residual.field_residual",
        "evaluate.evaluate",
        "evaluate.format_table",
        "evaluate.write_side_by_side",
    ),
    "Networks": (
        "model.SpiNetQSM",
        "denoiser_only.DenoiserOnly",
        "pretrained.PRETRAINED",
        "model_files.load_model",
        "model_files.save_model",
        "release.convert_release",
    ),
    "Parts of the network": (
        "dipole_kernel.dipole_kernel",
        "dipole_operator.DipoleOperator",
        "denoiser.Denoiser",
        "schatten_norm.SchattenNorm",
        "data_consistency.DataConsistency",
        "conjugate_gradient.conjugate_gradient",
    ),
    "Train": (
        "training.run.train",
        "training.run.Recipe",
        "field_simulation.FieldErrors",
        "losses.LossWeights",
    ),
    "Export": (
        "serving.saved_model.export_saved_model",
        "serving.tflite.export_tflite",
    ),
}
# One thing, whose description may take several lines.
RETURNS = {"returns_multiple_items": False, "returns_named_value": False}
ITEM_TITLES = {"parameters": "Arguments", "attributes": "Attributes"}


def api_page():
    """The page.

    Returns:
        str, Markdown.
    """
    # It asks for the types that our docstrings tell in words.
    logging.getLogger("griffe").setLevel(logging.ERROR)
    package = griffe.load("spinet_tf", search_paths=[ROOT], allow_inspection=False)
    parts = [INTRODUCTION]
    for heading, paths in PUBLIC.items():
        parts.append(f"## {heading}\n")
        parts += [_entry(package[path]) for path in paths]
    return "\n".join(parts)


def _entry(thing):
    parts = [f"### `{thing.path}`\n", f"    {_signature(thing)}\n"]
    for section in thing.docstring.parse("google", **RETURNS):
        parts.append(_section(section) + "\n")
    if thing.is_class:
        members = {**thing.inherited_members, **thing.members}.values()
        shown = [member for member in members if _shown(member)]
        properties = [member for member in shown if member.is_attribute]
        if properties:
            parts.append("*Properties*\n\n" + _properties(properties) + "\n")
        parts += [_method(member) for member in shown if member.is_function]
    return "\n".join(parts)


def _shown(member):
    """Whether a class's member is a documented method or property for others."""
    public = member.name == "__call__" or not member.name.startswith("_")
    callable_or_property = member.is_function or "property" in member.labels
    return callable_or_property and public and member.docstring


def _properties(members):
    return "\n".join(
        f"- `{member.name}`: {' '.join(member.docstring.value.split())}"
        for member in members
    )


def _method(method):
    parts = [f"**`{_signature(method)}`**\n"]
    parts += [
        _section(section) + "\n"
        for section in method.docstring.parse("google", **RETURNS)
    ]
    return "\n".join(parts)


def _signature(thing):
    if thing.is_attribute:
        return f"{thing.name} = {thing.value}"
    if _is_named_tuple(thing):
        return f"{thing.name}({', '.join(_fields(thing))})"
    function = thing.members.get("__init__", thing)
    if not function.is_function:
        return thing.name
    before, words = None, []
    for parameter in function.parameters:
        if parameter.name == "self":
            continue
        kind = parameter.kind.value
        if kind == "keyword-only" and before != kind:
            words.append("*")
        before = kind
        stars = {"variadic positional": "*", "variadic keyword": "**"}.get(kind, "")
        default = "" if stars or parameter.default is None else f"={parameter.default}"
        words.append(f"{stars}{parameter.name}{default}")
    return f"{thing.name}({', '.join(words)})"


def _is_named_tuple(thing):
    return thing.is_class and "NamedTuple" in map(str, thing.bases)


def _fields(named_tuple):
    """The fields of a NamedTuple, with their defaults."""
    for member in named_tuple.members.values():
        if member.is_attribute and "property" not in member.labels:
            yield member.name + ("" if member.value is None else f"={member.value}")


def _section(section):
    kind, value = section.kind.value, section.value
    if kind == "text":
        return value
    if kind == "admonition" and section.title == "Call arguments":
        arguments = griffe.Docstring("\nArgs:\n" + indent(value.contents, "    "))
        (listed,) = arguments.parse("google")
        items = "\n".join(_item("parameters", item) for item in listed.value)
        return f"*{section.title}*\n\n{items}"
    if kind == "admonition":
        return f"*{section.title or value.kind.title()}*\n\n{value.contents}"
    title = ITEM_TITLES.get(kind, kind.title())
    return f"*{title}*\n\n" + "\n".join(_item(kind, item) for item in value)


def _item(kind, item):
    text = " ".join(item.description.split())
    if kind == "raises":
        return f"- `{item.annotation}`: {text}"
    name = getattr(item, "name", "")
    if name:
        return f"- `{name}`: {text}"
    annotation = f"{item.annotation}: " if item.annotation else ""
    return f"- {annotation}{text}"


if __name__ == "__main__":
    PAGE.write_text(api_page())
    print(f"wrote {PAGE}", file=sys.stderr)
