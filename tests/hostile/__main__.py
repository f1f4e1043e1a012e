"""Give the programs broken and hostile inputs: `python -m tests.hostile`.

Each case has to end with exit code 2 and one line that names the file or the argument,
within 20 s and 2 GB, with nothing executed and nothing left behind. What is odd and yet
valid may succeed. One bad scan of several is listed at the end, with exit code 1, while
the others are written.
"""

import argparse
import collections
import sys
import tempfile
import time
import warnings
from pathlib import Path

from tests.hostile.cases import all_cases
from tests.hostile.programs import warm_up
from tests.hostile.runner import accepted, listed, run_case
from tests.hostile.scan import write_good_files


def run_cases(cases, report=lambda case, faults, outcome: None):
    """Run cases, one after the other.

    Args:
        cases: list of `Case`.
        report: callable that is told of each. Defaults to nobody.

    Returns:
        list of case, faults and outcome.
    """
    warm_up()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        write_good_files(folder)
        for case in cases:
            faults, outcome = run_case(case, Path(folder))
            results.append((case, faults, outcome))
            report(*results[-1])
    return results


def format_tally(results):
    """The table, a row for each kind.

    Args:
        results: what `run_cases` returns.

    Returns:
        str.
    """
    tally = collections.defaultdict(collections.Counter)
    for case, faults, outcome in results:
        end = "faults"
        if not faults:
            end = "valid" if accepted(case, outcome) else "refused"
            end = "listed" if listed(case, outcome) else end
        for kind in (case.kind, "all"):
            tally[kind].update(["cases", end])
    columns = ("cases", "refused", "listed", "valid", "faults")
    total = tally.pop("all")
    lines = [f"{'':24}" + "".join(f"{name:>9}" for name in columns)]
    for kind, counts in [*tally.items(), ("all", total)]:
        lines.append(f"{kind:24}" + "".join(f"{counts[name]:9}" for name in columns))
    return "\n".join(lines)


def main():
    """Run all cases, or those of a name, and print the tally and the faults."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose kind and name have it")
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="only each Nth of them"
    )
    parser.add_argument("--verbose", action="store_true", help="tell of each case")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # PyTorch's, of the strange tensors that are made
    cases = [c for c in all_cases() if arguments.only in f"{c.kind}: {c.name}"]
    cases = cases[:: arguments.every]

    def report(case, faults, outcome):
        if arguments.verbose:
            end = "; ".join(faults) or outcome.err.strip() or "valid"
            print(f"{outcome.seconds:5.1f} s  {case.kind}: {case.name}: {end}")

    start = time.monotonic()
    results = run_cases(cases, report)
    print(format_tally(results))
    print(
        f"{time.monotonic() - start:.0f} s, the slowest case"
        f" {max(outcome.seconds for *_, outcome in results):.1f} s, at most"
        f" {max(outcome.peak_bytes for *_, outcome in results) / 1e9:.1f} GB"
    )
    faulty = [(case, faults) for case, faults, _ in results if faults]
    for case, faults in faulty:
        print(f"\n{case.kind}: {case.name}\n  " + "\n  ".join(faults))
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(main())
