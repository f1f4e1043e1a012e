"""Every command and every piece of Python in README and docs, as a reader runs them.

Each page is worked through from top to bottom in a fresh copy of the repository, with
small files of a digital head under the names the pages use for the reader's own.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from spinet_tf.classical import tkd
from spinet_tf.nifti import write_volume
from spinet_tf.phantom import digital_head
from spinet_tf.reconstruct import reconstruct_classical
from spinet_tf.simulate import simulate_field
from spinet_tf.volume import Volume
from tests import documented
from tests import documented_rules as rules
from tests.conftest import ROOT
from tests.served import free_ports, is_open
from tests.test_docs import name_of

LONGEST_COMMAND = 600  # [s]
NOT_COPIED = (".git", ".venv", "data", "runs", "served", "demo", "app", ".*_cache")


def rule_of(command, entries):
    """The first entry that a command begins with, or None."""
    return next((entry for entry in entries if command.startswith(entry)), None)


def all_blocks():
    return [block for page in documented.PAGES for block in documented.blocks(page)]


def all_commands():
    return [
        command
        for block in all_blocks()
        if block.kind == "commands"
        for command in documented.commands(block)
    ]


def test_every_block_is_run_or_listed():
    for block in all_blocks():
        if block.kind == "other":
            first = " ".join(block.text.split())
            assert rule_of(first, rules.NO_PROGRAMS), f"{block.page}: {block.text}"
    for command in all_commands():
        assert command.split()[0] in documented.PROGRAMS, command


def test_every_exception_is_still_in_the_pages():
    blocks = all_blocks()
    other = [" ".join(b.text.split()) for b in blocks if b.kind == "other"]
    python = [b.text for b in blocks if b.kind == "python"]
    lists = {
        "commands": [*rules.NEEDS_THE_AUTHORS_FILES, rules.SERVER, *rules.ANEW],
        "python": rules.PYTHON_ELSEWHERE,
        "other": rules.NO_PROGRAMS,
    }
    texts = {"commands": all_commands(), "python": python, "other": other}
    for kind, entries in lists.items():
        for entry in entries:
            assert any(text.startswith(entry) for text in texts[kind]), entry
    for entries in (rules.NOT_RUN, rules.PARSED, rules.SMALLER):
        used = {rule_of(command, entries) for command in all_commands()}
        assert used - {None} == set(entries)


class Reader:
    """Someone who follows a page, in a copy of the repository."""

    def __init__(self, folder, has_authors_files):
        self.folder = folder
        self.has_authors_files = has_authors_files
        self.python = {}
        self.servers = []
        (self.port,) = free_ports(1)
        programs = Path(sys.executable).parent
        self.programs = programs
        self.environment = {
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(folder),
        }

    def follow(self, block):
        if block.kind == "commands":
            for command in documented.commands(block):
                self.run(command)
        elif block.kind == "python" and not rule_of(block.text, rules.PYTHON_ELSEWHERE):
            self.run_python(block.text)

    def run_python(self, text):
        # In a file that grows, so that a later piece knows the names of an earlier one.
        path = self.folder.parent / "reader.py"
        earlier = path.read_text() if path.exists() else ""
        path.write_text(f"{earlier}\n{text}")
        self.execute("python ../reader.py")

    def run(self, command):
        if rule_of(command, rules.NOT_RUN):
            return
        needs_authors = rule_of(command, rules.NEEDS_THE_AUTHORS_FILES)
        if needs_authors and not self.has_authors_files:
            return
        if rule_of(command, rules.PARSED):
            command += " --only_check_args"
        smaller = rule_of(command, rules.SMALLER)
        if smaller:
            appended = rules.SMALLER[smaller].format(bin=self.programs)
            command = f"{command} {appended}"
        anew = rule_of(command, rules.ANEW)
        if anew:
            shutil.rmtree(self.folder / rules.ANEW[anew])
        command = command.replace("8500", str(self.port))
        if command.startswith(rules.SERVER):
            self.serve(command)
        else:
            self.execute(command)

    def execute(self, command):
        start = time.monotonic()
        result = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LONGEST_COMMAND,
        )
        print(f"{time.monotonic() - start:6.1f} s  {command}")
        assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"

    def serve(self, command):
        with (self.folder / "server.log").open("w") as log:
            server = subprocess.Popen(
                command.split(), cwd=self.folder, env=self.environment, stderr=log
            )
        self.servers.append(server)
        deadline = time.monotonic() + LONGEST_COMMAND
        while not is_open(f"localhost:{self.port}"):
            log = (self.folder / "server.log").read_text()
            assert server.poll() is None, log
            assert time.monotonic() < deadline, log
            time.sleep(0.5)

    def leave(self):
        for server in self.servers:
            server.terminate()
            server.wait(60)


def write_readers_files(folder):
    """What the pages take the reader to have."""
    head = digital_head((40, 44, 36), (2.0, 2.0, 2.0))
    geometry = (head.voxel_size, (0, 0, 1))
    field = simulate_field(head.susceptibility, head.mask, *geometry, 0.002)
    found = reconstruct_classical(tkd, field, head.mask, *geometry).susceptibility
    affine = np.diag([*head.voxel_size, 1.0])
    grid = Volume(field, affine, "head", sform_code=1)
    volumes = {
        "localfield": field,
        "mask": head.mask,
        "chi": head.susceptibility,
        "cosmos": head.susceptibility,
        "tkd": found,
    }
    for name, data in volumes.items():
        write_volume(folder / f"{name}.nii.gz", data.astype(np.float32), grid)
    dummy = folder / "datasets" / "qsm_cosmos" / "dummy_data"
    shutil.copytree(dummy, folder / "scans")
    anat = folder / "INPUT" / "sub-01" / "anat"
    anat.mkdir(parents=True)
    shutil.copy(folder / "localfield.nii.gz", anat / "sub-01_localfield.nii.gz")
    shutil.copy(folder / "mask.nii.gz", anat / "sub-01_mask.nii.gz")


@pytest.fixture
def reader(tmp_path):
    folder = tmp_path / "spinet-tf"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*NOT_COPIED))
    write_readers_files(folder)
    default = ROOT.parent / "shared" / "reference"
    reference = Path(os.environ.get("SPINET_REFERENCE_DIR", default))
    files = [reference / name for name in ("model_weights.pth", "tr-stats.mat")]
    has_authors_files = all(path.is_file() for path in files)
    if has_authors_files:
        for path in files:
            shutil.copy(path, folder)
    reader = Reader(folder, has_authors_files)
    yield reader
    reader.leave()


PAGES_WITH_CODE = [
    page
    for page in documented.PAGES
    if any(block.kind != "other" for block in documented.blocks(page))
]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES_WITH_CODE, ids=name_of)
def test_a_page_works_from_top_to_bottom(page, reader):
    for block in documented.blocks(page):
        reader.follow(block)
    if page.name == "README.md":
        assert (reader.folder / "release.nii.gz").exists() == reader.has_authors_files
        assert (reader.folder / "comparison" / "metrics.png").exists()
    if page.name in ("README.md", "bids.md"):
        assert list((reader.folder / "OUTPUT").rglob("sub-01_Chimap.nii.gz"))
