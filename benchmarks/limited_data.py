"""Complete against limited training data: what the physics and the exponent are worth.

    python -m benchmarks.limited_data

Trains the network with a learned p, with p = 2 (a quadratic penalty, as MoDL has) and
with p = 1, and the CNN without physics, each on all training patches and on a tenth of
them, and compares them on test patches. Started again, it goes on where it was.
"""

import json
import subprocess
import sys
from pathlib import Path

from datasets.loading import load_dataset
from spinet_cli.path_flags import define_path
from spinet_cli.script import run_script

METHODS = {
    "p learned": [],
    "p = 2": ["--initial_p=2", "--initial_lambda=0.06", "--nolearn_p"],
    "p = 1": ["--initial_p=1", "--initial_lambda=0.0006", "--nolearn_p"],
    "CNN alone": ["--nophysics"],
}
AMOUNTS = ("complete", "limited")
DATASET = "qsm_brain/patches_32"
NOISES = (0.001, 0.004)
HIGHEST_BAR = 100  # [%]


def define_flags():
    define_path("run_dir", "runs/limited_data", "Folder of the trainings.")
    define_path("data_dir", "data", "Folder the data set is built in.")
    define_path("figure", "limited_data.png", "PNG to write.")


def run_training(folder, words):
    """Run `train.py` with these flags and this folder; where it fails, so does this."""
    command = [sys.executable, "train.py", *words, f"--run_dir={folder}"]
    exit_code = subprocess.run(command, stdout=subprocess.DEVNULL).returncode
    if exit_code:
        sys.exit(exit_code)


def train_one(options, amount, method):
    """Train, unless it is done; the folder of the run."""
    folder = Path(options.run_dir) / f"{amount}, {method}"
    if (folder / "done").exists():
        return folder
    print(f"training: {method}, {amount} data", flush=True)
    words = [f"--flagfile=configs/{amount}.flags", f"--data_dir={options.data_dir}"]
    run_training(folder, [*words, *METHODS[method]])
    (folder / "done").touch()
    return folder


def metrics_on_test_patches(options, folder):
    """Mean metrics on the test patches for each noise, and lambda and p."""
    from spinet_tf.comparison import compare, simulated_scans, with_noise
    from spinet_tf.model_files import load_model
    from spinet_tf.reconstruct import Reconstructor

    model = load_model(folder / "last.keras")
    network = Reconstructor(model)
    stored = load_dataset(DATASET, options.data_dir, "test")
    values = []
    for noise in NOISES:
        scans = simulated_scans(stored, with_noise(noise), seed=1000)
        table = compare({"network": network}, scans)
        values.append(table["network"].tolist())
    return {"metrics": values, "lambda": model.lambda_, "p": model.p}


def draw(path, results):
    """NRMSE of each method, a pair of bars for complete and limited data.

    A bar that would be higher than `HIGHEST_BAR` is cut there; its number is not.
    """
    import numpy as np
    from matplotlib.figure import Figure

    from spinet_tf.atomic_write import atomic_path

    figure = Figure(figsize=(4.2 * len(NOISES), 3.2), layout="constrained")
    panels = figure.subplots(1, len(NOISES), sharey=True)
    at = np.arange(len(METHODS))
    for index, (panel, noise) in enumerate(zip(panels, NOISES, strict=True)):
        for side, amount in enumerate(AMOUNTS):
            heights = [results[amount, m]["metrics"][index][0] for m in METHODS]
            shown = np.minimum(heights, HIGHEST_BAR)
            bars = panel.bar(at + 0.4 * side, shown, 0.38, label=f"{amount} data")
            panel.bar_label(bars, [f"{h:.1f}" for h in heights], fontsize=8)
        panel.set_xticks(at + 0.2, METHODS)
        panel.set_title(f"field noise {noise:g} ppm")
    panels[0].set_ylabel("NRMSE, demeaned [%]")
    panels[0].legend(loc="upper left")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")


def main(options):
    from spinet_tf.atomic_write import check_writable

    check_writable(options.figure)
    results = {}
    for amount in AMOUNTS:
        for method in METHODS:
            folder = train_one(options, amount, method)
            results[amount, method] = metrics_on_test_patches(options, folder)
    print(
        "noise [ppm]  data      method      NRMSE [%]  HFEN [%]    XSIM  lambda     p"
    )
    for index, noise in enumerate(NOISES):
        for (amount, method), result in results.items():
            nrmse, hfen, xsim = result["metrics"][index]
            print(
                f"{noise:11g}  {amount:8}  {method:10}{nrmse:11.1f}{hfen:10.1f}"
                f"{xsim:8.3f}{result['lambda']:8.4f}{result['p']:6.2f}"
            )
    draw(options.figure, results)
    named = {", ".join(key): value for key, value in results.items()}
    (Path(options.run_dir) / "results.json").write_text(json.dumps(named, indent=1))
    print(f"The picture is {options.figure}")


if __name__ == "__main__":
    run_script(define_flags, main)
