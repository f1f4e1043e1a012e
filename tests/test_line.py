"""The line in which a server's requests wait."""

import threading
import time

import pytest

from spinet_tf.serving import line
from spinet_tf.serving.line import Line
from tests.waiting import wait_until


class Gone(Exception):
    pass


def nothing():
    pass


def leave():
    raise Gone


class Worker(threading.Thread):
    """Waits in a line, tells that it works, and works until it may end."""

    def __init__(self, in_line, name, begun):
        super().__init__(daemon=True)
        self.line, self.named, self.begun = in_line, name, begun
        self.may_end = threading.Event()
        self.start()

    def run(self):
        with self.line.turn(nothing):
            self.begun.append(self.named)
            self.may_end.wait(20)


def lined_up(in_line, count, begun):
    """Workers that came one after another."""
    workers = []
    for number in range(count):
        workers.append(Worker(in_line, number, begun))
        wait_until(lambda: len(begun) + len(in_line._waiting) == len(workers))
    return workers


@pytest.mark.parametrize("places", [1, 3])
def test_first_come_first_served(monkeypatch, places):
    monkeypatch.setattr(line, "POLL_SECONDS", 0.005)  # many looks while they wait
    begun = []
    workers = lined_up(Line(places), 12, begun)
    time.sleep(0.05)
    assert begun == list(range(places))
    for number, worker in enumerate(workers):
        worker.may_end.set()
        worker.join(20)
        expected = list(range(min(number + 1 + places, 12)))
        wait_until(lambda wanted=expected: len(begun) == len(wanted))
        assert begun == expected


def test_who_leaves_holds_nobody_up(monkeypatch):
    monkeypatch.setattr(line, "POLL_SECONDS", 0.005)
    begun = []
    in_line = Line(1)
    first, second = lined_up(in_line, 2, begun)
    with pytest.raises(Gone), in_line.turn(leave):
        begun.append("nobody")
    assert len(in_line._waiting) == 1
    time.sleep(0.05)
    assert begun == [0]  # who left has no place to give
    first.may_end.set()
    second.may_end.set()
    second.join(20)
    assert begun == [0, 1]


def test_who_is_gone_when_called_gives_the_place_back():
    in_line = Line(1)
    for _ in range(2):
        with pytest.raises(Gone), in_line.turn(leave):
            pytest.fail("nobody waits for it")
    with pytest.raises(ZeroDivisionError), in_line.turn(nothing):
        raise ZeroDivisionError
    with in_line.turn(nothing):
        pass
