import os

import pytest

from spinet_tf.atomic_write import atomic_path, check_writable
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
