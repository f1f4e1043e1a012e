"""How each documented command is tested, where it does not simply run as it stands.

A command matches the first entry that it begins with; each entry must match one.
"""

ENVIRONMENT = "would install into the environment"
SUBSTITUTE = "a program that is not part of this project"
NOT_RUN = {
    "pip install": ENVIRONMENT,
    "make test-all": "it is what runs this test",
    "make test": "it runs the tests",
    "docker compose": SUBSTITUTE,
    "tensorflow_model_server": SUBSTITUTE,
    "grpcurl": SUBSTITUTE,
    "qsm-forward": SUBSTITUTE,
    "tensorboard": "serves a page until it is stopped",
    "python litert_reconstruct.py": "tests/test_litert_example.py runs it",
}
PARSED = {
    "python train.py --flagfile=configs/paper.flags": "takes a GPU and days",
    "python train.py --flagfile=configs/pretrained_adaptive.flags": "an hour",
    "python -m benchmarks.training": "minutes, and 2000 patches to make",
    "python -m benchmarks.limited_data": "half an hour",
    "python -m benchmarks.measured_fields": "ten minutes",
    "python -m benchmarks.artefacts": "minutes",
    "python -m benchmarks.solver": "wants the authors' files where the README has them",
    "python -m benchmarks.agreement": "minutes; test_release.py tests what it prints",
}
"""Run with --only_check_args: the program and its flags are there, no more."""
SMALLER = {
    "make demo": "-o .venv/program BIN={bin}",
    "make lint": "-o .venv/tests BIN={bin}",
    "python train.py --flagfile=configs/quickstart.flags": (
        "--dataset=qsm_brain/patches_tiny --validation=qsm_brain/patches_tiny"
        " --filters=2 --blocks=1 --steps=2 --steps_per_epoch=1 --warmup_steps=1"
        " --comparison="
    ),
    "python export.py --format=tflite": "--sizes=16x16x16",
    "python export.py --flagfile": "--sizes=16x16x16",
    "python -m benchmarks.reconstruct": "--precision=float32 --sizes=32",
}
"""What is appended, to take less time: later flags win. `make` takes the environment
that runs the tests in place of making one."""
NEEDS_THE_AUTHORS_FILES = (
    "spinet-qsm convert",
    "spinet-qsm reconstruct --model release.keras",
    "python -m benchmarks.reconstruct --whole_volume --model release.keras",
)
"""Left out where the reference files are missing."""
SERVER = "spinet-qsm serve"
"""Runs until the page ends."""
ANEW = {"spinet-qsm bids INPUT OUTPUT participant --runner": "OUTPUT"}
"""A folder that is removed first: the command would skip what is done."""
PYTHON_ELSEWHERE = {
    "import grpc": "tests/test_serving_docs.py",
    "from google.protobuf": "tests/test_serving_docs.py",
    "import json": "tests/test_serving_docs.py",
}
NO_PROGRAMS = (
    "chi_0 = mask Phi^H y",
    "peak = 580 MB",
    "options.append(",
    '#include "tensorflow',
    "fun floats(",
    "ppm = Hz",
    "G^2 = ",
    "y = Phi chi",
    "voxel size = norms",
    "minimise over chi",
    "L1(chi - truth)",
    "scans/sub-01",
    "dataset_description.json, README",
)
"""Formulas, layouts, and pieces in other languages that `docs/tflite.md` says are not
tested."""
