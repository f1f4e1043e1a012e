"""BIDS datasets of three subjects, of which the cases spoil the second."""

GOOD = ("sub-1", "sub-3")
BAD = "sub-2"
DATASET = ("dataset_description.json", "README", ".bidsignore")
FILES = ("anat/{}_Chimap.nii.gz", "anat/{}_Chimap.json", "figures/{}_Chimap.png")
WRITTEN = (
    *(f"out/maps/{name}" for name in DATASET),
    *(f"out/maps/{sub}/{name.format(sub)}" for sub in GOOD for name in FILES),
)
"""Files for the good ones."""


def write_tree(folder, scan, subjects=(*GOOD, BAD)):
    """A dataset, `raw`, of links to the good scan.

    Args:
        folder: `Path` of the case's folder.
        scan: `Path` of the folder of the good scan.
        subjects: their names.

    Returns:
        `Path` of the dataset.
    """
    for subject in subjects:
        anat = folder / "raw" / subject / "anat"
        anat.mkdir(parents=True)
        (anat / f"{subject}_localfield.nii.gz").symlink_to(scan / "field.nii.gz")
        (anat / f"{subject}_mask.nii.gz").symlink_to(scan / "mask.nii.gz")
    return folder / "raw"


def bids(tree="raw", output="out/maps", *words):
    """The words of the command line."""
    return ["spinet-qsm", "bids", tree, output, "participant", "--method=tkd", *words]
