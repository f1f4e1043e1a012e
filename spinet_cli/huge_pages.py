"""Large memory pages for TensorFlow's feature maps, on Linux.

A feature map is allocated, filled and freed for every operation. With pages of 4 KiB
the kernel's work on them takes up to half of the time; glibc asks for huge ones if it
is told to before the process starts.
"""

import os
import sys
from pathlib import Path

VARIABLE = "GLIBC_TUNABLES"
SETTING = "glibc.malloc.hugetlb=1"
SUPPORT = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def restart_with_huge_pages():
    """Restart this program with huge pages, unless it has them or cannot have them.

    To be called before anything else is done. A user's own GLIBC_TUNABLES are left
    alone.
    """
    if VARIABLE in os.environ or sys.platform != "linux":
        return
    if not SUPPORT.exists() or "[madvise]" not in SUPPORT.read_text():
        return
    os.environ[VARIABLE] = SETTING
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
