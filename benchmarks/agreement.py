"""How closely the converted release agrees with what the authors' code computes.

    python -m benchmarks.agreement --reference_dir=../shared/reference --invivo

Needs the authors' weights and results; see README, 'Reference files'.
"""

import tempfile
from pathlib import Path

from absl import flags

from spinet_cli.path_flags import define_path
from spinet_cli.script import run_script

SETTINGS = {
    "default solver settings": {},
    "converged solver": {"tolerance": 1e-7, "max_iterations": 60},
}


def define_flags():
    define_path("reference_dir", "../shared/reference", "The authors' files.")
    flags.DEFINE_bool("invivo", False, "Reconstruct the whole scan too: minutes.")


def load_reference(folder):
    """The authors' network, converted, and the golden data, from a `Path`."""
    import numpy as np

    from spinet_tf.release import convert_release

    model = convert_release(folder / "model_weights.pth", folder / "tr-stats.mat")
    with np.load(folder / "golden_48x40x32.npz") as file:
        return model, dict(file)


def relative_error(x, reference):
    """Relative L2 difference."""
    import numpy as np

    return np.linalg.norm(x - reference) / np.linalg.norm(reference)


def golden_problem(network, golden):
    """The `Problem` of the golden data."""
    import numpy as np

    return network.prepare(
        {
            "local_field": golden["field"][np.newaxis, ..., np.newaxis],
            "mask": golden["mask"][np.newaxis, ..., np.newaxis].astype("float32"),
            "voxel_size": np.ones((1, 3), "float32"),
            "b0_direction": np.array([[0, 0, 1]], "float32"),
        }
    )


def iterate_errors(model, golden, settings):
    """Errors of z, W^2 and chi for each unroll, with these solver settings."""
    from spinet_tf.copies import folded

    network = folded(model)
    for name, value in settings.items():
        setattr(network.data_consistency, name, value)

    def as_complex(volume):
        return volume.numpy()[0, ..., 0] + 1j * volume.numpy()[0, ..., 1]

    for k, unroll in enumerate(network.rounds(golden_problem(network, golden)), 1):
        yield (
            relative_error(as_complex(unroll.denoised), golden[f"z_{k}"]),
            relative_error(unroll.weights.numpy()[0, ..., 0], golden[f"w2_{k}"]),
            relative_error(as_complex(unroll.susceptibility), golden[f"chi_{k}"]),
            int(unroll.iterations[0]),
        )


def invivo_error(reconstruct, folder):
    """Error inside the mask on the scan of the 2016 challenge, and seconds."""
    import numpy as np

    from spinet_tf.nifti import read_mask, read_volume

    field = read_volume(folder / "invivo" / "localfield.nii.gz")
    mask = read_mask(folder / "invivo" / "mask.nii.gz")
    # The release's kernel is for 1 mm isotropic voxels and axial B0.
    reconstruction = reconstruct(field.data, mask.data, (1, 1, 1), (0, 0, 1))
    with np.load(folder / "golden_invivo_160.npz") as golden:
        expected = golden["chi_3_in_mask"].real
    error = relative_error(reconstruction.susceptibility[mask.data], expected)
    return error, reconstruction.seconds


def main(options):
    from spinet_tf.model_files import load_model, save_model
    from spinet_tf.reconstruct import Reconstructor

    folder = Path(options.reference_dir)
    model, golden = load_reference(folder)
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "release.keras"
        save_model(model, path)
        model = load_model(path)
    for title, settings in SETTINGS.items():
        print(f"48x40x32, {title}\n  k        z      W^2      chi  iterations")
        errors = iterate_errors(model, golden, settings)
        for k, (z, weights, chi, iterations) in enumerate(errors, start=1):
            print(f"  {k}  {z:7.1e}  {weights:7.1e}  {chi:7.1e}  {iterations:10}")
    if options.invivo:
        for precision in ("float32", "bfloat16"):
            error, seconds = invivo_error(Reconstructor(model, precision), folder)
            print(f"in vivo, 160x160x160, {precision}: {error:.1e} in {seconds:.0f} s")


if __name__ == "__main__":
    run_script(define_flags, main)
