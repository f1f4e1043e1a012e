"""One process at a time in a folder."""

import threading

import pytest

from spinet_tf.folder_lock import locked


def test_the_second_waits_for_the_first(tmp_path):
    folder, waits, order = tmp_path / "new", threading.Event(), []

    def come_second():
        with locked(folder, waits.set):
            order.append("second")

    second = threading.Thread(target=come_second)
    with locked(folder, pytest.fail):
        second.start()
        assert waits.wait(timeout=60)
        order.append("first")
    second.join(timeout=60)
    assert order == ["first", "second"]


def test_the_second_may_refuse(tmp_path):
    def refuse():
        raise RuntimeError("taken")

    with (
        locked(tmp_path, pytest.fail),
        pytest.raises(RuntimeError, match="taken"),
        locked(tmp_path, refuse),
    ):
        pytest.fail("it was taken")
    with locked(tmp_path, pytest.fail):
        pass
