"""All cases."""

from tests.hostile import (
    bids_datasets,
    bids_scans,
    checkpoints,
    command_lines,
    keras_configs,
    keras_files,
    matlab_5,
    matlab_73,
    nifti_files,
    nifti_headers,
    several_fields,
    small_files,
)

MODULES = (
    *(nifti_headers, nifti_files, matlab_5, matlab_73),
    *(keras_files, keras_configs, checkpoints, command_lines, small_files),
    *(bids_datasets, bids_scans, several_fields),
)


def all_cases():
    """A list of `Case`, in a fixed order."""
    return [case for module in MODULES for case in module.cases()]
