"""`spinet-qsm reconstruct` of several fields in one call."""

import numpy as np
import pytest

import spinet_cli.methods
from spinet_tf.reconstruct import Reconstructor
from tests.command_line import (
    PNG,
    assert_one_line,
    listing,
    make_scan,
    mask,
    read,
    read_json,
    run_words,
    succeed,
    write,
)


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """Three fields of one size, the second of which has NaN in the mask."""
    folder = make_scan(tmp_path_factory)
    field = read(folder / "field.nii.gz")
    write(folder / "half.nii", field / 2)
    write(folder / "bad.nii", np.where(mask(), np.float32(np.nan), field))
    return folder


class WatchedReconstructor(Reconstructor):
    """Tells how often its parts were traced after each scan."""

    traces = []

    def __call__(self, *scan, **options):
        result = super().__call__(*scan, **options)
        parts = (self._prepare, self._denoise, self._fit, self._predict_field)
        counts = [part.experimental_get_tracing_count() for part in parts]
        self.traces.append((id(self), counts))
        return result


@pytest.fixture(scope="module")
def several(scan):
    """The command's result, a failing scan between two good ones."""
    fields = [scan / name for name in ("field.nii.gz", "bad.nii", "half.nii")]
    WatchedReconstructor.traces = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spinet_cli.methods, "Reconstructor", WatchedReconstructor)
        result = run_words(
            *("reconstruct", "--model", scan / "tiny.keras", "--field", *fields),
            *("--mask", scan / "mask.nii.gz", "--output", scan / "maps"),
        )
    return result


def test_the_others_go_on(scan, several):
    assert several.exit_code == 1
    names = sorted(path.name for path in (scan / "maps").iterdir())
    assert names == [
        f"{name}_chi{end}"
        for name in ("field", "half")
        for end in (".json", ".nii.gz", ".png")
    ]
    for name, field in (("field", "field.nii.gz"), ("half", "half.nii")):
        chi = scan / "maps" / f"{name}_chi"
        assert read_json(chi.with_suffix(".json"))["Field"] == str(scan / field)
        assert chi.with_suffix(".png").read_bytes().startswith(PNG)


def test_progress_and_failures(scan, several):
    lines = several.err.splitlines()
    numbered = [line for line in lines if line.startswith("scan ")]
    assert numbered == [
        f"scan 1 of 3: {scan / 'field.nii.gz'}",
        f"scan 2 of 3: {scan / 'bad.nii'}",
        f"scan 3 of 3: {scan / 'half.nii'}",
    ]
    inside = np.count_nonzero(mask())
    failure = f"{scan / 'bad.nii'}: {inside} of {inside} voxels inside the mask"
    failure += " are NaN or infinite"
    assert lines[lines.index(numbered[1]) + 1] == f"spinet-qsm: error: {failure}"
    assert lines[-2:] == ["1 of 3 scans failed:", f"  {failure}"]


def test_scans_of_one_size_are_traced_once(several):
    (first, counts), (second, counts_after) = WatchedReconstructor.traces
    assert first == second
    assert counts_after == counts
    assert max(counts) == 1


def test_maps_are_those_of_single_scans(scan, several, tmp_path):
    succeed(
        "reconstruct",
        field=scan / "half.nii",
        mask=scan / "mask.nii.gz",
        model=scan / "tiny.keras",
        output=tmp_path / "chi.nii.gz",
    )
    alone = read(tmp_path / "chi.nii.gz")
    together = read(scan / "maps" / "half_chi.nii.gz")
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert np.abs(alone).max() > 1e-3


def test_a_mask_for_each(scan, tmp_path):
    smaller = np.roll(mask(), 1, axis=0) & mask()
    fields = (scan / "field.nii.gz", scan / "half.nii")
    masks = (scan / "mask.nii.gz", write(tmp_path / "small.nii", smaller.astype("u1")))
    result = run_words(
        *("reconstruct", "--method=tkd", "--field", fields[0], "--field", fields[1]),
        *("--mask", *masks, "--output", tmp_path / "maps"),
    )
    assert result.exit_code == 0, result.err
    assert "failed" not in result.err
    np.testing.assert_array_equal(
        read(tmp_path / "maps" / "half_chi.nii.gz") != 0, smaller
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"field": ["a/f.nii", "b/f.nii.gz"]}, "a/f.nii and b/f.nii.gz have the same"),
        ({"mask": ["m.nii"] * 3}, "--mask: expected .* each of the 2, got 3"),
        ({"iterates": ["all"]}, "--iterates goes with one field, got several"),
        ({"report": ["r.html"]}, "--report goes with one field, got several"),
        ({"output": ["map.nii.gz"]}, "--output: expected a folder for several fields"),
        ({"output": ["none/maps"]}, "none/maps: cannot be made"),
        ({"b0-dir": ["0,0,0"]}, "--b0-dir: expected a vector longer than 0"),
        ({"model": ["none.keras"]}, "none.keras: no such model file"),
    ],
)
def test_wrong_flags(scan, tmp_path, monkeypatch, changed, message):
    monkeypatch.chdir(tmp_path)
    fields = [scan / "field.nii.gz", scan / "half.nii"]
    flags = {"field": fields, "mask": [scan / "mask.nii.gz"], "output": ["maps"]}
    words = ["reconstruct"]
    for name, values in {**flags, **changed}.items():
        words += [f"--{name}", *values]
    result = run_words(*words)
    assert_one_line(result, message)
    assert listing(tmp_path) == {}


def test_a_map_that_would_replace_a_field(scan, tmp_path):
    field = tmp_path / "half_chi.nii.gz"
    field.write_bytes((scan / "field.nii.gz").read_bytes())
    result = run_words(
        *("reconstruct", "--method=tkd", "--field", field, scan / "half.nii"),
        *("--mask", scan / "mask.nii.gz", "--output", tmp_path),
    )
    assert result.exit_code == 2
    assert "half_chi.nii.gz: would replace the input" in result.err
    assert listing(tmp_path) == {field: field.read_bytes()}


def test_a_scan_without_memory_is_one_of_several(capsys):
    from spinet_cli.each_scan import run_each

    def work(scan):
        if scan == "a":
            raise MemoryError

    assert run_each(["a", "b"], work, str) == 1
    told = capsys.readouterr().err
    assert "scan 2 of 2: b" in told
    assert told.endswith("  a: the machine has not enough memory for these volumes\n")
