"""The files of the QSM-CI submission agree with QSM-CI's rules and with the package.

No image is built here: what it copies is built into a wheel instead.
"""

import os
import re
import shutil
import subprocess
import sys
import zipfile

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from qsm_ci.runner import _parse_manifest
from qsm_ci.stages import ARTIFACT_FILE, STAGES

from spinet_cli.arguments_scan import PRECISIONS
from tests.conftest import ROOT
from tests.submission import SUBMISSION

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10; pytest brings it
    import tomli as tomllib

# Sources that QSM-CI's checks put at the end of a slug.
TAGGED_SOURCES = {"qsmrs", "sti", "cornell", "qsmci"}


def manifest():
    return yaml.safe_load((SUBMISSION / "algorithm.yml").read_text())


def dockerfile():
    """Pairs of instruction and the rest of its line."""
    text = (SUBMISSION / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and line[0] != "#"]
    return [tuple(line.split(maxsplit=1)) for line in lines]


def copied():
    """Every path that the image copies, and where to."""
    for instruction, rest in dockerfile():
        if instruction == "COPY":
            *sources, target = rest.split()
            yield from ((source, target) for source in sources)


def test_the_manifest_passes_the_checks_of_a_pull_request():
    meta = manifest()
    for field in ("name", "slug", "algorithm", "source", "stage", "image", "run"):
        assert meta[field], field
    assert _parse_manifest(SUBMISSION)["stage"] == "dipole"
    assert meta["source"] not in TAGGED_SOURCES
    assert meta["slug"] == SUBMISSION.name == f"{meta['algorithm']}-{meta['variant']}"
    interpreter, script = meta["run"].split()
    assert interpreter == "bash"
    assert os.access(SUBMISSION / script, os.X_OK)
    # A tag can be pushed again, a digest cannot; both together apptainer refuses.
    assert re.fullmatch(r"[^:@]+@sha256:(DIGEST|[0-9a-f]{64})", meta["image"])


def test_the_files_are_those_of_the_stage():
    stage = STAGES["dipole"]
    text = (SUBMISSION / "recon.py").read_text()
    for artifact in [*stage["consumes"], *stage["produces"]]:
        assert f'/ "{ARTIFACT_FILE[artifact]}"' in text


def test_the_parameters_are_those_of_the_command_line():
    (precision,) = manifest()["parameters"]
    assert precision["name"] == "precision"
    assert precision["default"] == PRECISIONS[0] == "float32"
    assert all(name in precision["description"] for name in PRECISIONS)


def test_the_image_has_a_python_and_versions_that_the_package_allows():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (base,) = [rest for instruction, rest in dockerfile() if instruction == "FROM"]
    version = re.fullmatch(r"python:(3\.\d+)-slim", base)[1]
    assert version in SpecifierSet(project["requires-python"])
    declared = {Requirement(text).name: text for text in project["dependencies"]}
    commands = " ".join(rest for instruction, rest in dockerfile())
    for name, pin in re.findall(r"([\w-]+)((?:[=~]=|[<>]=?)[\d.]+)", commands):
        assert declared[name] == name + pin


def test_the_context_is_what_is_copied():
    lines = (SUBMISSION / "Dockerfile.dockerignore").read_text().splitlines()
    assert lines[0] == "*"
    kept = {line[1:] for line in lines if line.startswith("!")}
    assert kept == {source for source, _ in copied()}
    assert all((ROOT / source).exists() for source in kept)


def test_what_is_copied_makes_the_package(tmp_path):
    pytest.importorskip("setuptools", minversion="77")
    for source, target in copied():
        path = tmp_path / target.removeprefix("/")
        if (ROOT / source).is_dir():
            shutil.copytree(
                ROOT / source, path, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            path.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, path)
    assert "pip install --no-cache-dir /src " in dict(dockerfile())["RUN"]
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
        + ["--no-build-isolation", "--wheel-dir", tmp_path, tmp_path / "src"],
        check=True,
    )
    (wheel,) = tmp_path.glob("spinet_tf-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert names >= {"spinet_tf/weights/pretrained.keras", "spinet_tf/LICENSE"}
    for package in ("spinet_tf", "spinet_cli"):
        files = (ROOT / package).rglob("*.py")
        assert names >= {str(path.relative_to(ROOT)) for path in files}
