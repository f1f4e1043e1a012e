"""A small BIDS dataset with the names that programs give, and the BIDS validator."""

import json
import subprocess
import sysconfig
from pathlib import Path

import numpy as np

from spinet_tf.field_units import GYROMAGNETIC_RATIO
from tests.command_line import mask, oblique_affine, read, run_words, write

TILTED = (0.0, 0.6, 0.8)
HERTZ_PER_PPM = 3.0 * GYROMAGNETIC_RATIO
GOOD = ("sub-01_run-01", "sub-02_ses-a", "sub-02_ses-b", "sub-03", "sub-04_acq-x_run-1")
BAD = ("sub-05", "sub-06", "sub-07")


def bids(tree, output, *words):
    """Run `spinet-qsm bids` for all participants."""
    return run_words("bids", tree, output, "participant", *words)


def write_tree(folder, scan):
    """Seven subjects; nothing can be made of the last three.

    Args:
        folder: where to.
        scan: folder of field.nii.gz.
    """
    field = read(scan / "field.nii.gz")
    brain = mask().astype(np.uint8)
    put_json(folder / "dataset_description.json", Name="Heads", BIDSVersion="1.10.0")
    fields = folder / "derivatives" / "fields"

    anat = fields / "sub-01" / "anat"
    put(anat / "sub-01_run-01_desc-local_fieldmap.nii.gz", field)
    put_json(anat / "sub-01_run-01_desc-local_fieldmap.json", B0Direction=TILTED)
    put(anat / "sub-01_desc-brain_mask.nii.gz", brain)
    put(anat / "sub-01_desc-csf_mask.nii.gz", 0 * brain)

    put_json(fields / "localfield.json", Units="Hz", MagneticFieldStrength=7)
    put_json(fields / "sub-02" / "sub-02_localfield.json", MagneticFieldStrength=3)
    for session in ("a", "b"):
        anat = fields / "sub-02" / f"ses-{session}" / "anat"
        stem = f"sub-02_ses-{session}"
        put(anat / f"{stem}_localfield.nii.gz", field * np.float32(HERTZ_PER_PPM))
        put(anat / f"{stem}_mask.nii.gz", brain)

    # qsm-forward: beside the total field, in ppm, without sidecars
    anat = folder / "derivatives" / "qsm-forward" / "sub-03" / "anat"
    put(anat / "sub-03_fieldmap-local.nii", field)
    put(anat / "sub-03_fieldmap.nii", 10 * field)
    put(anat / "sub-03_mask.nii", brain)

    # QSMxT: a mask that its background removal eroded, and a second pass
    workflow = folder / "workflow" / "sub-04" / "acq-x_run-1"
    for step in ("bgremove", "bgremove-reliable"):
        put(workflow / step / "sub-04_acq-x_run-1_localfield.nii", field)
        put(workflow / step / "sub-04_acq-x_run-1_bgmask.nii", eroded())
    put(folder / "sub-04" / "anat" / "sub-04_acq-x_run-1_mask.nii", brain)

    put(fields / "sub-05" / "anat" / "sub-05_desc-local_fieldmap.nii.gz", field)
    put(folder / "sub-06" / "anat" / "sub-06_T1w.nii.gz", field)
    anat = fields / "sub-07" / "anat"
    put(anat / "sub-07_desc-local_fieldmap.nii.gz", field)
    put(anat / "sub-07_desc-brain_mask.nii.gz", brain)
    whole = (anat / "sub-07_desc-local_fieldmap.nii.gz").read_bytes()
    (anat / "sub-07_desc-local_fieldmap.nii.gz").write_bytes(whole[:3000])
    return folder


def eroded():
    """What QSMxT's background removal leaves of the mask."""
    return (np.roll(mask(), 1, axis=0) & mask()).astype(np.uint8)


def put(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, data, oblique_affine())


def put_json(path, **content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def validator_errors(folder):
    """What the BIDS validator finds, but for what it only recommends."""
    program = Path(sysconfig.get_path("scripts"), "bids-validator-deno")
    command = [program, folder, "--format=json", "--ignoreWarnings"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return json.loads(result.stdout)["issues"]["issues"]
