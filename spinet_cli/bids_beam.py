"""The scans of a BIDS dataset on Apache Beam, on as many machines as its runner has."""

import contextlib
import io
import json
import logging
import os
import re
import tempfile
import threading
from pathlib import Path
from typing import NamedTuple

from spinet_cli.bids_plan import PlannedScan
from spinet_cli.main import OUT_OF_MEMORY
from spinet_cli.one_scan import read_scan, solve_scan, write_scan
from spinet_cli.provenance import recorded_warnings
from spinet_cli.reconstruction_files import Scan
from spinet_tf.errors import InputError
from spinet_tf.model_files import load_model
from spinet_tf.pretrained import PRETRAINED
from spinet_tf.reconstruction import Reconstruction
from spinet_tf.serving.local import SavedModelReconstructor, newest_version
from spinet_tf.serving.saved_model import export_saved_model

try:
    # What Beam misses for Google's cloud and for several models is no concern here.
    logging.getLogger().addFilter(
        lambda record: not re.search("apitools|Resource module", str(record.msg))
    )
    import apache_beam as beam
    from apache_beam.ml.inference.base import ModelHandler, RunInference
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners import create_runner
except ModuleNotFoundError as error:
    raise InputError(
        "--runner needs Apache Beam: pip install 'spinet-tf[beam]'"
    ) from error

# Warnings and matplotlib are those of the process, whichever thread uses them.
_FILES = threading.Lock()


class Element(NamedTuple):
    """A scan on its way.

    Attributes:
        planned: `PlannedScan`.
        problem: str, why it failed; None as long as it did not.
        scan: `Scan`, once it is read.
        messages: tuple of str, its warnings.
        result: `Reconstruction`, once it is there.
    """

    planned: PlannedScan
    problem: str | None = None
    scan: Scan | None = None
    messages: tuple[str, ...] = ()
    result: Reconstruction | None = None


def check_pipeline_flags(arguments):
    """Check the flags that are Beam's.

    Args:
        arguments: the parsed flags.

    Returns:
        `PipelineOptions`.

    Raises:
        InputError: an unknown runner or option, or one that is not for a runner.
    """
    if arguments.method != "spinet" or arguments.server or arguments.memory_limit:
        raise InputError(
            "--runner goes with the method spinet, without --server and --memory-limit"
        )
    if arguments.saved_model and (arguments.model or arguments.precision != "float32"):
        raise InputError("--model and --precision are not for --saved-model")
    try:
        create_runner(arguments.runner)
    except (ValueError, ImportError) as error:
        raise InputError(f"--runner: {error}") from error
    flags = [f"--runner={arguments.runner}", *arguments.pipeline_options]
    options = PipelineOptions(flags)
    told = io.StringIO()

    def refuse_unknown(parser):  # which Beam would leave out, with a warning at most
        _, unknown = parser.parse_known_args(flags)
        if unknown:
            raise InputError(f"unrecognized arguments: {' '.join(unknown)}")

    try:
        with contextlib.redirect_stderr(told):
            options.get_all_options(add_extra_args_fn=refuse_unknown)
    except SystemExit as error:  # how its argparse ends, after all of its usage
        told = told.getvalue().partition("error: ")[2]
        raise InputError(told or "an option for Beam stops it") from error
    return options


def prepare_saved_model(arguments):
    """Find or load the model, before anything is written.

    Args:
        arguments: the parsed flags.

    Returns:
        Callable of a folder to write to that gives the `Path` of the version directory
        of a SavedModel and a dict for sidecars.

    Raises:
        InputError: the model cannot be used.
    """
    if arguments.saved_model:
        found = newest_version(arguments.saved_model)
        _check_loads(found[0])
        return lambda folder: found
    path = arguments.model or PRETRAINED
    model = load_model(path)

    def export(folder):
        base = folder / os.path.basename(path)
        export_saved_model(model, base, arguments.precision)
        return newest_version(base)

    return export


def _check_loads(version):
    """Find out here what would end every worker."""
    try:
        SavedModelReconstructor(version)
    except Exception as error:  # whatever is in the folder
        raise InputError(f"{version}: cannot be loaded: {error!r}") from error


def run_on_beam(scans, saved_model, report, options, dataset):
    """Reconstruct scans in a Beam pipeline.

    The workers must see the files of the scans, and the dataset, at the same paths.

    Args:
        scans: list of `PlannedScan`.
        saved_model: what `prepare_saved_model` returns.
        report: bool, whether reports are written.
        options: `PipelineOptions`.
        dataset: `Path` of the derivative.

    Returns:
        dict of str, what is wrong with each scan that failed, by its name.
    """
    # In the dataset, since that is where all workers can write.
    with tempfile.TemporaryDirectory(
        prefix=".beam-", dir=dataset, ignore_cleanup_errors=True
    ) as folder:
        folder = Path(folder)
        version, details = saved_model(folder)
        failures = folder / "failures"
        with beam.Pipeline(options=options) as pipeline:
            (
                pipeline
                | "scans" >> beam.Create([Element(scan) for scan in scans])
                | beam.Reshuffle()
                | "read" >> beam.Map(_read)
                | RunInference(_Handler(str(version), report, details))
                | "write" >> beam.Map(_write, details)
                | beam.Filter(lambda element: element.problem is not None)
                | beam.Map(lambda e: json.dumps([e.planned.name, e.problem]))
                | beam.io.WriteToText(str(failures))
            )
        return dict(
            json.loads(line)
            for path in folder.glob("failures-*")
            for line in path.read_text().splitlines()
        )


class _Handler(ModelHandler):
    """Runs a SavedModel on one scan after another, since sizes differ."""

    def __init__(self, folder, iterates, details):
        super().__init__()
        self._folder = folder
        self._iterates = iterates
        self._dipole_at_zero = details.get("DipoleAtZero", 0.0)

    def load_model(self):
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
        return SavedModelReconstructor(self._folder, self._iterates)

    def batch_elements_kwargs(self):
        return {"min_batch_size": 1, "max_batch_size": 1}

    def get_num_bytes(self, batch):
        return sum(e.scan.field.data.nbytes for e in batch if e.scan is not None)

    def run_inference(self, batch, model, inference_args=None):
        def solve(element):
            task, scan = element.planned.task, element.scan
            result = solve_scan(task, model, scan, self._dipole_at_zero)
            return element._replace(result=result)

        return [_step(element, solve) for element in batch]


def _step(element, work):
    """The element after `work`, or with the problem that it met."""
    if element.problem is not None:
        return element
    try:
        return work(element)
    except MemoryError:
        problem = OUT_OF_MEMORY
    except InputError as error:
        problem = str(error)
    return Element(element.planned, problem)


def _read(element):
    def work(element):
        planned = element.planned
        if planned.problem:
            raise InputError(planned.problem)
        planned.files.make_folders()
        with _FILES, recorded_warnings() as messages, _quietly():
            scan = read_scan(planned.task)
        return element._replace(scan=scan, messages=tuple(messages))

    return _step(element, work)


def _write(element, details):
    def work(element):
        task = element.planned.task
        with _FILES, recorded_warnings() as messages, _quietly():
            messages += element.messages
            write_scan(task, element.scan, element.result, details, messages)
        return Element(element.planned)

    return _step(element, work)


def _quietly():
    # What is printed of scans at the same time would be mixed.
    return contextlib.redirect_stdout(None)
