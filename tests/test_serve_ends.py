"""How `spinet-qsm serve` ends."""

import concurrent.futures
import os
import signal
import subprocess
import sys

import psutil
import pytest

from tests.conftest import ROOT
from tests.served import (
    export_small_model,
    is_open,
    predict,
    predict_request,
    request,
    server_process,
)
from tests.waiting import wait_until


@pytest.fixture
def interruptible():
    """Programs started from here are interrupted, as they are not in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_server_that_is_asked_to_end_twice_answers_first(tmp_path, interruptible):
    export_small_model(tmp_path, filters=64, blocks=4)  # which takes a second
    with (
        server_process(tmp_path) as (process, address),
        concurrent.futures.ThreadPoolExecutor(1) as pool,
    ):
        message = predict_request(request((40, 40, 40)))
        predict(address, message)
        server = psutil.Process(process.pid)
        before = sum(server.cpu_times()[:2])
        answer = pool.submit(predict, address, message)
        wait_until(lambda: sum(server.cpu_times()[:2]) > before + 0.1)  # it is at work
        process.send_signal(signal.SIGINT)
        wait_until(lambda: not is_open(address))
        process.send_signal(signal.SIGINT)
        assert not answer.done()
        assert answer.result(timeout=60).outputs
        assert process.wait(timeout=30) == 0


def test_ends_at_a_signal_that_another_thread_takes(tmp_path):
    code = """
import signal, threading, time
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
from spinet_cli.main import main
main()
"""
    export_small_model(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", code, "serve", f"--model_dir={tmp_path}", "--port=0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        # Any value keeps the program from restarting, which would end the thread.
        env={**os.environ, "GLIBC_TUNABLES": "glibc.malloc.hugetlb=0"},
    ) as process:
        try:
            assert process.stdout.readline().startswith(b"serving")
            process.terminate()
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()
