"""Iterations and error of the solve, by tolerance, first guess and preconditioner.

    python -m benchmarks.solver --reference_dir=../shared/reference

Each unroll's system of the authors' golden data, solved in float32, against a converged
solve in float64: relative L2 difference inside the mask. Needs the authors' weights and
results; see README, 'Reference files'.
"""

import functools
from pathlib import Path
from unittest import mock

from benchmarks.agreement import golden_problem, load_reference, relative_error
from spinet_cli.path_flags import define_path
from spinet_cli.script import run_script

TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
CHOICES = {
    "preconditioned, from the unroll before": {},
    "preconditioned, from zero": {"warm": False},
    "plain, from the unroll before": {"preconditioned": False},
    "plain, from zero": {"warm": False, "preconditioned": False},
}


def define_flags():
    define_path("reference_dir", "../shared/reference", "The authors' files.")


def golden_systems(model, golden):
    """Right side, weights, normal operator and first guess of each unroll, float64."""
    import numpy as np
    import tensorflow as tf

    from spinet_tf.dipole_operator import filter_volume

    problem = golden_problem(model, golden)
    field, kernel = (tf.cast(v, tf.float64) for v in problem[:2])
    adjoint = filter_volume(field, kernel)

    def channels(name):
        volume = golden[name]
        return np.stack([volume.real, volume.imag], -1)[np.newaxis].astype("float64")

    for k in (1, 2, 3):
        weights = model.lambda_ * golden[f"w2_{k}"][np.newaxis, ..., np.newaxis]
        weights = tf.constant(weights, tf.float64)
        rhs = adjoint + weights * channels(f"z_{k}")
        yield rhs, weights, tf.square(kernel), tf.constant(channels(f"chi_{k - 1}"))


def solve(system, tolerance, warm=True, preconditioned=True, dtype="float32"):
    """Solution of a system as numpy, and its iterations."""
    import tensorflow as tf

    from spinet_tf import weighted_solve as physics
    from spinet_tf.dipole_operator import spectrum_of

    rhs, weights, normal, initial = (tf.cast(v, dtype) for v in system)
    settings = physics.SolverSettings(tolerance, 500)
    solver = physics.conjugate_gradient
    if not preconditioned:
        solver = functools.partial(_unpreconditioned, solver)
    with mock.patch.object(physics, "conjugate_gradient", solver):
        guess = physics.FirstGuess(spectrum_of(initial), initial) if warm else None
        terms = [physics.Filtered(rhs, spectrum_of(rhs))]
        system = physics.System(normal, weights)
        solved = physics.solve_weighted(terms, system, guess, settings)
    return solved.volume.numpy(), int(solved.iterations[0])


def _unpreconditioned(solver, *arguments, preconditioner, **options):
    return solver(*arguments, **options)


def main(options):
    import numpy as np

    from spinet_tf.copies import folded

    model, golden = load_reference(Path(options.reference_dir))
    systems = list(golden_systems(folded(model), golden))
    converged = [solve(system, 1e-12, dtype="float64")[0] for system in systems]
    inside = np.where(golden["mask"] > 0)

    def cell(k, tolerance, choice):
        chi, iterations = solve(systems[k], tolerance, **choice)
        error = relative_error(chi[0][inside], converged[k][0][inside])
        return f"{iterations}, {error:.0e}"

    columns = [f"{tolerance:.0e}" for tolerance in TOLERANCES]
    print("| Unroll | | " + " | ".join(columns) + " |")
    print("| " + " | ".join(["---"] * (2 + len(columns))) + " |")
    for k in range(3):
        for name, choice in CHOICES.items():
            cells = [cell(k, tolerance, choice) for tolerance in TOLERANCES]
            print(f"| {k + 1} | {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    run_script(define_flags, main)
