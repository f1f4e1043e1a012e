"""What the tests of this data set share."""

import nibabel
import numpy as np
import tensorflow_datasets as tfds

from datasets.qsm_cosmos import dummy_data_generation
from datasets.qsm_cosmos.qsm_cosmos_dataset_builder import Builder
from tests.mat_files import write_v5

SUBJECTS = dummy_data_generation.make_subjects()


def build(scans, data_dir, config):
    """Builds a data set; its examples by split."""
    builder = Builder(config=config, data_dir=str(data_dir))
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=str(scans))
    )
    return {
        split: list(builder.as_dataset(split=split).as_numpy_iterator())
        for split in builder.info.splits
    }


def write_mat_layout(folder, write=write_v5, without=()):
    """Writes the dummy subjects as MATLAB files, without some variables."""
    folder.mkdir()
    for subject in SUBJECTS:
        for name in subject.b0_directions:
            arrays = dummy_data_generation.mat_arrays(subject, name)
            for key in without:
                del arrays[key]
            write(folder / f"{name}.mat", **arrays)
    return folder


def anat(folder, subject):
    """Where the NIfTI files of a dummy subject are."""
    return folder / subject.name / subject.session / "anat"


def rewrite(path, change):
    """Changes the data and the affine of a NIfTI file."""
    image = nibabel.load(path)
    data, affine = change(image.get_fdata().astype(np.float32), image.affine)
    nibabel.save(nibabel.Nifti1Image(data, affine), path)
