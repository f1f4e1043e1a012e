"""The good files that each case spoils one of."""

import os
from pathlib import Path

import numpy as np

from tests import command_line
from tests.mat_files import write_v5, write_v73


def write_good_files(folder):
    """Scan, networks and checkpoint in a folder, made in a fork.

    What is computed here would start threads, which the cases' forks would miss.
    """
    process = os.fork()
    if process == 0:
        code = 1
        try:
            _write(Path(folder))
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(process, 0)
    if status:
        raise RuntimeError("the good files could not be written")


def _write(folder):
    import torch

    from spinet_tf.release import expected_tensors

    mask = command_line.mask().astype(np.uint8)
    chi = command_line.susceptibility()
    command_line.write(folder / "chi.nii", chi)
    for suffix in ("nii", "nii.gz"):
        command_line.write(folder / f"mask.{suffix}", mask)
    for suffix in ("nii", "nii.gz"):
        command_line.succeed(
            "simulate",
            susceptibility=folder / "chi.nii",
            mask=folder / "mask.nii",
            output=folder / f"field.{suffix}",
        )
    field = command_line.read(folder / "field.nii")
    for name, write in (("v5", write_v5), ("v73", write_v73)):
        write(folder / f"field_{name}.mat", phs=field)
        write(folder / f"mask_{name}.mat", msk=mask)
    command_line.write_model(folder / "tiny.keras")
    write_v5(folder / "stats.mat", out_mean=np.array(0.0), out_std=np.array(0.03))
    generator = torch.Generator().manual_seed(0)
    state = {
        name: 0.1 * torch.rand(shape, generator=generator)
        for name, shape in expected_tensors().items()
    }
    state["p"] += 1
    torch.save(state, folder / "weights.pth")
