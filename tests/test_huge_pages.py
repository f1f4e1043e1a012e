import subprocess
import sys

import pytest

from spinet_cli.huge_pages import SETTING, SUPPORT, VARIABLE

SUPPORTED = SUPPORT.exists() and "[madvise]" in SUPPORT.read_text()


def run(environment):
    """Run a program of two arguments that restarts; its setting and arguments."""
    code = (
        "from spinet_cli.huge_pages import restart_with_huge_pages as r; r();"
        "import os, sys; print(os.environ.get('GLIBC_TUNABLES'), sys.argv[1:])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, "a b", "--c=d"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin", **environment},
    )
    return result.stdout.strip()


@pytest.mark.skipif(not SUPPORTED, reason="the kernel offers no huge pages on request")
def test_restarts_once_with_the_same_arguments():
    assert run({}) == f"{SETTING} ['a b', '--c=d']"


def test_leaves_the_users_setting_alone():
    setting = "glibc.malloc.perturb=0"
    assert run({VARIABLE: setting}) == f"{setting} ['a b', '--c=d']"
