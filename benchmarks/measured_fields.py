"""Measured against simulated fields, where scans have an error that no simulation has.

    python -m benchmarks.measured_fields

Six synthetic heads are written as the scans of six subjects, four of them for training,
with fields that are blurred and too weak, which none of the errors that `train.py`
simulates is. The network that ships is trained on with the measured fields and with
simulated ones, and all are compared on the test subject's measured field. Started
again, it goes on where it was.
"""

import json
from pathlib import Path

import numpy as np
from absl import flags

from benchmarks.limited_data import run_training
from datasets.loading import load_dataset
from spinet_cli.path_flags import define_path
from spinet_cli.script import run_script

HEADS, NOISE = "qsm_brain/heads_small", 0.001
BLUR, GAIN = 0.7, 0.85
"""Standard deviation [voxels] of the blur, and what is left of the field."""

VOLUMES, PATCHES = "qsm_cosmos/volumes", "qsm_cosmos/patches_48"
SHARES = {"simulated": 1e-6, "measured": 1}
"""Of measured fields in training; unless 0 the validation is on them."""


def define_flags():
    define_path("run_dir", "runs/measured_fields", "Folder of it all.")
    define_path("data_dir", "data", "Folder the heads are built in.")
    flags.DEFINE_integer("steps", 300, "Of each training.", lower_bound=1)


def write_scans(folder, data_dir):
    """Write the heads as scans, as `qsm_cosmos` reads them."""
    import nibabel
    from scipy.ndimage import gaussian_filter

    from spinet_tf.comparison import simulated_scans, with_noise

    scans = [
        scan
        for split in ("validation", "test")
        for scan in simulated_scans(
            load_dataset(HEADS, data_dir, split), with_noise(NOISE), seed=7
        )
    ]
    for number, ((field, mask, voxel_size, b0_direction), truth) in enumerate(scans, 1):
        subject = f"sub-{number:02d}"
        anat = folder / subject / "anat"
        anat.mkdir(parents=True, exist_ok=True)
        field = GAIN * mask * gaussian_filter(field, BLUR)
        for name, data in (
            ("desc-cosmos_Chimap", truth),
            ("desc-brain_mask", mask),
            ("desc-local_fieldmap", field),
        ):
            image = nibabel.Nifti1Image(data.astype("f4"), np.diag([*voxel_size, 1.0]))
            nibabel.save(image, anat / f"{subject}_{name}.nii.gz")
        sidecar = {"B0Direction": b0_direction.tolist(), "Units": "ppm"}
        path = anat / f"{subject}_desc-local_fieldmap.json"
        path.write_text(json.dumps(sidecar))


def train_one(options, fields):
    """Train the network that ships on; its file."""
    from spinet_tf import PRETRAINED

    folder = Path(options.run_dir) / fields
    print(f"training with {fields} fields", flush=True)
    words = [
        *("--flagfile=configs/pretrained_adaptive.flags", f"--init_from={PRETRAINED}"),
        *(f"--dataset={PATCHES}", f"--validation={VOLUMES}", "--least_voxel_size=0"),
        *(f"--scans_dir={options.run_dir}/scans", f"--data_dir={options.run_dir}/data"),
        *("--precision=bfloat16", f"--measured_fields={SHARES[fields]}"),
        *(f"--steps={options.steps}", f"--steps_per_epoch={options.steps}"),
        *("--warmup_steps=20", "--learning_rate=5e-4", "--ema_momentum=0.98"),
    ]
    run_training(folder, words)
    return folder / "last.keras"


def main(options):
    from spinet_tf import PRETRAINED
    from spinet_tf.comparison import (
        compare,
        format_comparison,
        measured_scans,
        tuned_classical_methods,
    )
    from spinet_tf.model_files import load_model
    from spinet_tf.reconstruct import Reconstructor

    scans = Path(options.run_dir) / "scans"
    if not scans.exists():
        begun = scans.with_name("scans.begun")
        write_scans(begun, options.data_dir)
        begun.rename(scans)
    files = {"as it ships": PRETRAINED}
    files |= {fields: train_one(options, fields) for fields in SHARES}

    def subjects(split):
        data = f"{options.run_dir}/data"
        return measured_scans(load_dataset(VOLUMES, data, split, str(scans)))

    methods = tuned_classical_methods(subjects("validation"))
    for name, path in files.items():
        methods[name] = Reconstructor(load_model(path))
    print(format_comparison(compare(methods, subjects("test")), "measured"))


if __name__ == "__main__":
    run_script(define_flags, main)
