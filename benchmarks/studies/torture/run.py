"""`latte-bench torture`: thousands of damaged files, each given to the command that reads its kind.

Videos, arrays, pictures, statistics, results, checkpoints and configurations are damaged at random,
by seeds. A command is to measure or to refuse with one sentence, never to crash or to hang.
"""

import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cells.cache import FILE, CellRecord, measure_cells
from benchmarks.cells.provenance import this_run
from benchmarks.cells.threads import processes_of_one_thread
from benchmarks.documents.tables import csv_text, publish_report
from benchmarks.studies.torture.commands import ROOT
from benchmarks.studies.torture.kinds import KINDS, Kind, available_kinds
from benchmarks.studies.torture.report import table_of_trials, torture_report
from benchmarks.studies.torture.trials import Batch, Trial, run_batch, try_alone
from latte.data.errors import FailedRunError, InputError, nearest
from latte.data.schema import convert

MUTANTS, BATCH = 2_500, 25
READERS = ("latte", "evaluation")  # packages whose code decides what becomes of a mutant


@dataclass(frozen=True, kw_only=True)
class TortureRequest:
    """How many mutants of which kinds, and how the work is done."""

    mutants: int = MUTANTS  # of all kinds together
    only: tuple[str, ...] = ()  # kinds, or mutants as KIND:SEED
    keep: Path | None = None  # folder for the files of the mutants in `only`
    workers: int = 1


def run(out: Path, request: TortureRequest) -> None:
    """Try the mutants; write `torture.md`, `.html`, `.csv` and `.report.json` into `out`.

    Mutants that were tried by the same code are not tried again. With mutants in `only`, these
    alone are tried, and what the command says of each is printed.

    Raises:
        InputError: an unknown kind.
        FailedRunError: a mutant crashed or hung.
    """
    if single := [name for name in request.only if ":" in name]:
        _try_single(single, request.keep or out / "kept")
        return
    started = time.monotonic()
    tasks = batches(chosen_kinds(request.only), request.mutants, out / "failures")
    with processes_of_one_thread():
        # A decoder may end its process: that costs a batch, and never this process.
        measured = measure_cells(tasks, run_batch, out / FILE, workers=max(request.workers, 1))
    trials = trials_of([measured.cells[task.key] for task in tasks if task.key in measured.cells])
    record = this_run(seconds=time.monotonic() - started)
    report = torture_report(trials, record)
    print(report.markdown())
    publish_report(report, out, "torture", texts={"csv": csv_text(table_of_trials(trials))})
    measured.raise_if_failed()
    if failed := [trial for trial in trials if trial.failed]:
        raise FailedRunError(
            f"{len(failed)} of {len(trials)} mutants crash or hang, whose files are in "
            f"{out / 'failures'}: `latte-bench torture --only {failed[0].name}` shows the first",
            fixable=False,
        )


def chosen_kinds(names: Sequence[str]) -> list[Kind]:
    """The kinds with these names; without names all that can be made here.

    Raises:
        InputError: there is no such kind.
    """
    for name in names:
        if name not in KINDS:
            raise InputError(f"--only {name}: no kind of file: {nearest(name, list(KINDS))}")
    return [KINDS[name] for name in names] or available_kinds()


def batches(kinds: Sequence[Kind], mutants: int, failures: Path) -> list[Batch]:
    """As many mutants of each kind, at least `mutants` in all."""
    each, source = math.ceil(mutants / len(kinds)), source_hash()
    return [
        Batch(
            kind=kind.name,
            first=first,
            count=min(BATCH, each - first),
            source=source,
            failures=failures.absolute(),
        )
        for first in range(0, each, BATCH)
        for kind in kinds
    ]


def source_hash() -> str:
    """Hash of the code that reads files, and of the code that damages them."""
    files = [path for name in READERS for path in (ROOT / name).rglob("*.py")]
    digest = hashlib.sha256()
    for path in sorted([*files, *Path(__file__).parent.glob("*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def trials_of(cells: Sequence[CellRecord]) -> list[Trial]:
    """The trials of measured batches, by kind in the order of the registry, then by seed."""
    trials = [
        convert(trial, Trial, cell.name) for cell in cells for trial in cell.details["trials"]
    ]
    order = list(KINDS)
    return sorted(trials, key=lambda trial: (order.index(trial.kind), trial.seed))


def _try_single(names: Sequence[str], keep: Path) -> None:
    """Write each mutant's files, give them to the command, and print what it says."""
    for name in names:
        kind, _, seed = name.partition(":")
        if not seed.isdecimal():
            raise InputError(f"--only {name}: give KIND:SEED, with a number as the seed")
        (chosen,) = chosen_kinds([kind])
        print(try_alone(chosen, int(seed), keep))
