import json
import math
import os
import re
from pathlib import Path

import pytest

from spinet_tf.atomic_write import (
    atomic_path,
    atomic_paths,
    check_writable,
    made_folder,
    write_json,
)
from spinet_tf.errors import InputError


def test_file_appears_only_when_complete(tmp_path):
    path = tmp_path / "chi.nii.gz"
    path.write_text("old")
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert temporary.parent == tmp_path
        assert temporary.name.endswith(".nii.gz")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["chi.nii.gz"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_failure_leaves_the_folder_as_it_was(tmp_path, error):
    path = tmp_path / "chi.nii"
    path.write_text("old")
    with pytest.raises(error), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["chi.nii"]


def test_failure_before_the_first_byte(tmp_path):
    with pytest.raises(RuntimeError), atomic_path(tmp_path / "chi.nii"):
        raise RuntimeError
    assert os.listdir(tmp_path) == []


def test_permissions_are_the_usual_ones(tmp_path):
    (tmp_path / "usual").touch()
    with atomic_path(tmp_path / "chi.nii") as temporary:
        temporary.touch()
    modes = {os.stat(tmp_path / name).st_mode for name in ("usual", "chi.nii")}
    assert len(modes) == 1


def test_check_writable_leaves_nothing(tmp_path):
    check_writable(tmp_path / "chi.nii")
    assert os.listdir(tmp_path) == []


def test_an_interrupted_check_leaves_nothing(tmp_path, monkeypatch):
    touch = Path.touch

    def interrupt(path, **options):
        touch(path, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "touch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        check_writable(tmp_path / "chi.nii")
    assert os.listdir(tmp_path) == []


def test_check_writable_refuses(tmp_path):
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe.nii")
    cases = {
        tmp_path / "none" / "chi.nii": "no folder",
        tmp_path / "file" / "chi.nii": "no folder",
        tmp_path: "it is a folder",
        tmp_path / "pipe.nii": "not a regular file",
        tmp_path / ("x" * 300 + ".nii"): "File name too long",
    }
    if os.path.isdir("/proc"):
        cases["/proc/chi.nii"] = "cannot be written"
    for path, reason in cases.items():
        with pytest.raises(InputError, match=reason) as caught:
            check_writable(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == ["file", "pipe.nii"]


def test_atomic_path_refuses_before_the_block_runs(tmp_path):
    with (
        pytest.raises(InputError, match="no folder"),
        atomic_path(tmp_path / "none" / "chi.nii"),
    ):
        pytest.fail("the block ran")


def test_all_files_or_none(tmp_path):
    paths = [tmp_path / "chi.nii", tmp_path / "chi.json"]
    with atomic_paths(paths) as temporary:
        for path in temporary:
            path.write_text("new")
        assert not any(path.exists() for path in paths)
    assert [path.read_text() for path in paths] == ["new", "new"]
    with pytest.raises(RuntimeError), atomic_paths(paths) as temporary:
        temporary[0].write_text("newer")
        raise RuntimeError
    assert [path.read_text() for path in paths] == ["new", "new"]
    assert sorted(os.listdir(tmp_path)) == ["chi.json", "chi.nii"]


def test_what_the_system_refuses_is_told(tmp_path):
    path = tmp_path / "chi.nii"
    message = f"{path}: cannot be written, No space left on device"
    with pytest.raises(InputError, match=message), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise OSError(28, "No space left on device")
    assert os.listdir(tmp_path) == []


def test_a_failure_in_a_block_within_names_the_file(tmp_path):
    path = tmp_path / "chi.nii"
    message = "^" + re.escape(f"{path}: cannot be written, File too large")
    with (
        pytest.raises(InputError, match=message),
        atomic_path(path) as temporary,
        atomic_path(temporary),
    ):
        raise OSError(27, "File too large")


def test_a_new_folder_goes_with_a_failure(tmp_path):
    with made_folder(tmp_path / "good") as folder:
        (folder / "a").touch()
    with pytest.raises(KeyboardInterrupt), made_folder(tmp_path / "bad"):
        raise KeyboardInterrupt
    with pytest.raises(RuntimeError), made_folder(tmp_path / "good"):
        raise RuntimeError
    assert os.listdir(tmp_path) == ["good"]
    with (
        pytest.raises(InputError, match="bad: cannot be made, No such file"),
        made_folder(tmp_path / "none" / "bad"),
    ):
        pytest.fail("the block ran")


def test_a_folder_that_cannot_be_made_leaves_none_above_it(tmp_path):
    with (
        pytest.raises(InputError, match="cannot be made, File name too long"),
        made_folder(tmp_path / "a" / "b" / (300 * "n"), parents=True),
    ):
        pytest.fail("the block ran")
    assert os.listdir(tmp_path) == []


def test_json_is_strict(tmp_path):
    content = {"a": [1, math.nan, (math.inf, "χ")], "b": {"c": -math.inf, "d": None}}
    write_json(tmp_path / "a.json", content)
    text = (tmp_path / "a.json").read_text()
    assert json.loads(text) == {
        "a": [1, None, [None, "χ"]],
        "b": {"c": None, "d": None},
    }
    assert text.endswith("}\n")
    assert '\n  "a"' in text
    with pytest.raises(TypeError):
        write_json(tmp_path / "b.json", {"a": object()})
    assert os.listdir(tmp_path) == ["a.json"]
