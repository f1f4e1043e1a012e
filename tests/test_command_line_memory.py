"""What does not fit in memory is refused before it is begun."""

import re

import pytest

from tests.command_line import refused


def test_file_larger_than_memory(flags, tmp_path, memory):
    memory.available = 1e4
    message = "field.nii.gz: reading it needs .* GB of memory, 1e-05 GB are available"
    refused(tmp_path, message, "reconstruct", **flags)


def test_inversion_larger_than_memory(flags, tmp_path, memory):
    memory.available = 2e5
    message = "reconstructing 18 x 21 x 16 voxels needs 0.000302 GB of memory"
    refused(tmp_path, message, "reconstruct", **flags)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_network_larger_than_memory(network_flags, tmp_path, memory, precision):
    memory.available = 9e5
    message = f"18 x 21 x 16 voxels in {precision} needs 0.00102 GB of memory"
    changed = {**network_flags, "precision": precision}
    refused(tmp_path, message, "reconstruct", **changed)


def test_simulation_larger_than_memory(scan, tmp_path, memory):
    memory.available = 2e5
    refused(
        tmp_path,
        "simulating the field of 18 x 21 x 16 voxels needs 0.000302 GB of memory",
        "simulate",
        susceptibility=scan / "chi.nii.gz",
        mask=scan / "mask.nii.gz",
        output=tmp_path / "f.nii",
    )


@pytest.mark.parametrize("limit", ["0", "-2", "nan", "inf", "1e+300"])
def test_memory_limit_that_is_none(network_flags, tmp_path, limit):
    message = f"--memory-limit: expected GB > 0 and at most 1e+09, got {limit}"
    flags = {**network_flags, "memory_limit": limit}
    refused(tmp_path, re.escape(message), "reconstruct", **flags)


def test_memory_limit_that_is_not_a_number(network_flags, tmp_path):
    message = "argument --memory-limit: invalid float value: 'much'"
    refused(tmp_path, message, "reconstruct", **network_flags, memory_limit="much")


def test_memory_limit_below_what_is_needed(network_flags, tmp_path):
    message = "needs .* GB of memory, 0 GB are available of the limit of 0.001 GB"
    refused(tmp_path, message, "reconstruct", **network_flags, memory_limit=0.001)
