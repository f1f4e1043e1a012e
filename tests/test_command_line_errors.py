"""Flags and outputs that are refused: code 2, one line, nothing written."""

import pytest

import spinet_cli.methods
from tests.command_line import (
    assert_one_line,
    listing,
    refused,
    run,
    run_words,
)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "arguments are required: subcommand"),
        (["deconvolve"], "invalid choice: 'deconvolve'"),
        (["reconstruct"], "required: --field, --mask, --output"),
        (["evaluate"], "required: --reconstruction, --reference, --mask"),
        (["simulate"], "required: --susceptibility, --mask, --output"),
        (["convert"], "required: --checkpoint, --stats, --output"),
        (["--fast"], "required: subcommand"),
        (["evaluate", "--mask"], "argument --mask: expected one argument"),
        (["simulate", "--noise=loud"], "argument --noise: invalid float value: 'loud'"),
        (["simulate", "--seed=1.5"], "argument --seed: invalid int value: '1.5'"),
        (["reconstruct", "--precision=float16"], "invalid choice: 'float16'"),
        (["reconstruct", "--field-units=ppb"], "invalid choice: 'ppb'"),
        (["reconstruct", "--flagfile"], "--flagfile with no argument"),
    ],
)
def test_wrong_command_line(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    assert_one_line(run_words(*words), message)
    assert listing(tmp_path) == {}


@pytest.mark.parametrize("flag", ["fields", "fiel", "voxelsize"])
def test_unknown_flag(flags, tmp_path, flag):
    message = f"unrecognized arguments: --{flag}=1"
    refused(tmp_path, message, "reconstruct", **flags, **{flag: 1})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"--method tkd\n", "expected --flag=value a line, got '--method tkd'"),
        (b"tkd\n", "expected --flag=value a line, got 'tkd'"),
        (b"--methods=tkd\n", "unrecognized arguments: --methods=tkd"),
        (b"\xff\xfe--method=tkd\n", "--flagfile: expected a text file"),
        (None, "Unable to open flagfile.*some.flags"),
    ],
)
def test_bad_flagfile(flags, tmp_path, content, message):
    path = tmp_path / "some.flags"
    if content is not None:
        path.write_bytes(content)
    refused(tmp_path, message, "reconstruct", **flags, flagfile=path)


def test_flagfile_that_is_a_folder(flags, tmp_path):
    message = "Unable to open flagfile"
    refused(tmp_path, message, "reconstruct", **flags, flagfile=tmp_path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"b0_dir": "0,0,0"}, "--b0-dir: expected a vector longer than 0, got 0, 0, 0"),
        ({"b0_dir": "0,1"}, "--b0-dir: expected three numbers as x,y,z, got '0,1'"),
        ({"b0_dir": "nan,0,1"}, "--b0-dir: expected three numbers"),
        ({"b0_dir": "z"}, "--b0-dir: expected three numbers as x,y,z, got 'z'"),
        ({"voxel_size": "0,1,1"}, "--voxel-size: expected three edges .* got 0, 1, 1"),
        ({"voxel_size": "1,-1,1"}, "--voxel-size: expected .* got 1, -1, 1"),
        ({"voxel_size": "-1,1,1"}, "--voxel-size: expected .* got -1, 1, 1"),
        ({"voxel_size": "1,1,inf"}, "--voxel-size: expected three numbers"),
        ({"voxel_size": "1,1,1,1"}, "--voxel-size: expected three numbers"),
        ({"field_units": "hz"}, "b0: the field strength of a field in hz .* got none"),
        ({"field_units": "hz", "b0": 0}, "b0: the field strength .* got 0"),
        ({"field_units": "hz", "b0": "nan"}, "b0: the field strength .* got nan"),
        ({"field_units": "rad", "b0": 3}, "te: the echo time .* in rad .* got none"),
        ({"field_units": "rad", "b0": 3, "te": 20}, "te: .* 1 seconds, got 20"),
        ({"field_units": "rad", "te": 0.02}, "b0: the field strength .* got none"),
        ({"b0": 3}, "--b0 goes with --field-units hz or rad, .* field is in ppm"),
        ({"field_units": "hz", "b0": 3, "te": 0.02}, "--te with rad; .* is in Hz"),
        (
            {"mask_threshold": "nan"},
            "--mask-threshold: expected a finite number, .* nan",
        ),
        ({"mask_threshold": 2}, "mask.nii.gz: the mask is empty, no voxel is above 2"),
        ({"model": "a.keras"}, "--model, .* go with the method spinet, got tkd"),
        ({"iterates": "all"}, "--iterates, .* with the method spinet, got tkd"),
        ({"precision": "bfloat16"}, "--precision, .* with the method spinet, got tkd"),
        ({"memory_limit": 8}, "--memory-limit and .* with the method spinet, got tkd"),
        ({"model_name": "mine"}, "--model-name, .* go with --server"),
        ({"timeout": 20}, "--timeout go with --server"),
        ({"tls_ca": "ca.pem"}, "--tls-ca and --timeout go with --server"),
    ],
)
def test_bad_flag_of_reconstruct(flags, tmp_path, changed, message):
    refused(tmp_path, message, "reconstruct", **{**flags, **changed})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"noise": -0.01}, "--noise: expected .* 0 to 1000 ppm, got -0.01"),
        ({"noise": 1e39}, "--noise: expected .* got 1e\\+39"),
        ({"noise": "nan"}, "--noise: expected .* got nan"),
        ({"noise": "inf"}, "--noise: expected .* got inf"),
        ({"seed": -1}, "--seed: expected at least 0, got -1"),
        ({"seed": 0}, "--seed is of the noise, it goes with --noise"),
        ({"b0_dir": "0,0,0"}, "--b0-dir: expected a vector longer than 0"),
        ({"output": "f.mat"}, "f.mat: expected an output file .nii or .nii.gz"),
    ],
)
def test_bad_flag_of_simulate(scan, tmp_path, changed, message):
    flags = {
        "susceptibility": scan / "chi.nii.gz",
        "mask": scan / "mask.nii.gz",
        "output": tmp_path / "f.nii",
    }
    refused(tmp_path, message, "simulate", **{**flags, **changed})


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("none/map.nii", "none/map.nii: cannot be written, no folder"),
        ("map.mat", "map.mat: expected an output file .nii or .nii.gz"),
        ("map", "expected an output file .nii or .nii.gz"),
        ("folder.nii", "folder.nii: cannot be written, it is a folder"),
        ("a.nii.gz", "a.json: cannot be written, it is a folder"),
        ("b.nii", "b.png: cannot be written, it is a folder"),
        ("file/map.nii", "cannot be written, no folder"),
        ("x" * 300 + ".nii", "cannot be written, File name too long"),
    ],
)
def test_unwritable_output(flags, tmp_path, output, message):
    for name in ("folder.nii", "a.json", "b.png"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").touch()
    changed = {**flags, "output": tmp_path / output}
    refused(tmp_path, message, "reconstruct", **changed)


def test_out_of_memory_is_one_line(flags, tmp_path, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr("spinet_cli.one_scan.read_volume", fail)
    refused(tmp_path, "not enough memory", "reconstruct", **flags)


@pytest.mark.parametrize("name", ["field", "mask", "reference"])
def test_sidecar_of_an_input_is_not_replaced(flags, tmp_path, name):
    path = tmp_path / "input.nii.gz"
    path.write_bytes(flags.get(name, flags["mask"]).read_bytes())
    (tmp_path / "input.json").write_text("{}")
    changed = {**flags, name: path, "output": tmp_path / "input.nii"}
    refused(tmp_path, "input.json: would replace the input", "reconstruct", **changed)


def test_one_name_for_two_outputs(flags, tmp_path):
    (tmp_path / "all").mkdir()
    changed = {
        **flags,
        "method": "spinet",
        "iterates": tmp_path / "all",
        "output": tmp_path / "all" / "unroll-1.nii.gz",
    }
    refused(
        tmp_path, "unroll-1.nii.gz: would be written twice", "reconstruct", **changed
    )


@pytest.mark.parametrize("name", ["field", "mask"])
def test_output_that_is_an_input(flags, tmp_path, name):
    path = tmp_path / "input.nii.gz"
    path.write_bytes(flags[name].read_bytes())
    (tmp_path / "link.nii.gz").symlink_to(path)
    for output in (path, tmp_path / "link.nii.gz"):
        message = f"{output}: would replace the input {path}"
        changed = {**flags, name: path, "output": output}
        refused(tmp_path, message, "reconstruct", **changed)


@pytest.mark.parametrize(
    ("iterates", "message"),
    [
        ("none/iterates", "none/iterates: cannot be made, No such file"),
        ("file", "file: cannot be made, File exists"),
        ("full", "unroll-2.nii.gz: cannot be written, it is a folder"),
    ],
)
def test_unwritable_iterates(network_flags, tmp_path, iterates, message):
    (tmp_path / "file").touch()
    (tmp_path / "full" / "unroll-2.nii.gz").mkdir(parents=True)
    path = tmp_path / iterates
    refused(tmp_path, message, "reconstruct", **network_flags, iterates=path)


def test_a_late_refusal_leaves_no_folder(network_flags, tmp_path):
    changed = {**network_flags, "b0_dir": "0,0,0", "iterates": tmp_path / "iterates"}
    refused(tmp_path, "--b0-dir", "reconstruct", **changed)


def test_full_disk(network_flags, tmp_path, monkeypatch):
    def fail_halfway(path, *_args, **_kwargs):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("spinet_cli.reconstruction_files.three_planes", fail_halfway)
    before = listing(tmp_path)
    result = run("reconstruct", **network_flags, iterates=tmp_path / "iterates")
    assert result.exit_code == 2
    last = result.err.splitlines()[-1]
    assert last.endswith("cannot be written, No space left on device")
    assert listing(tmp_path) == before


def test_interrupt(network_flags, tmp_path, monkeypatch):
    def interrupt(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(spinet_cli.methods.Reconstructor, "__call__", interrupt)
    result = run("reconstruct", **network_flags, iterates=tmp_path / "iterates")
    assert (result.exit_code, result.err) == (130, "")
    assert listing(tmp_path) == {}
