"""`latte-bench reproduce`: every runner in turn, then the report of all.

Each runner is a process of its own, so that its provenance says the command that repeats it alone,
and one that fails costs no other.
"""

import logging
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from benchmarks.cells.scale import name_at
from benchmarks.reproduce.request import TRAININGS, ReproduceRequest
from benchmarks.runners import REPRODUCED, Runner
from latte.data.errors import FailedRunError
from latte.data.processes.children import run_children
from reports.table import simple_table

logger = logging.getLogger(__name__)

# Options of the request that runners are given as they are.
HANDED_ON = (
    *("workers", "data_root", "checkpoints", "vae", "initialise_from", "executor", "nodes", "gpus"),
)
FIELDS = {"optional_scale": "scale", "network_vae": "vae"}  # options with other names


OUTCOMES = {0: "done", 2: "bad input, or interrupted"}  # keys are exit codes


def run(out: Path, request: ReproduceRequest) -> None:
    """Run everything at a scale into the folder of results, then `latte-bench report`.

    What is measured already is not measured again.

    Raises:
        InputError: at `paper` scale something is missing, before anything starts.
        FailedRunError: some runners failed.
    """
    left_out: Collection[str] = ()
    if request.scale == "paper":
        # Opens networks and data sets, which the other scales do not need.
        from benchmarks.reproduce.paper_scale import runners_left_out

        left_out = runners_left_out(out, request)
    commands = runner_commands(out, request, without=left_out)
    codes: dict[str, int] = {}
    rows = []
    for number, (name, options) in enumerate(commands, 1):
        logger.info("[%d/%d] latte-bench %s", number, len(commands), " ".join([name, *options]))
        started = time.monotonic()
        codes[name] = code = _run(name, options)
        words = OUTCOMES.get(code, f"failed ({code})")
        rows.append((name, (words, f"{time.monotonic() - started:.0f} s")))
    columns = {"ended": "ended", "took": "took"}
    print(simple_table("What was run", columns, rows, label_heading="runner").text())
    failed = [name for name, code in codes.items() if code]
    if failed:
        raise FailedRunError(
            f"{', '.join(failed)} failed, as said above: run the command again to resume",
            fixable=all(codes[name] == 2 for name in failed),
        )


def runner_commands(
    results: Path, request: ReproduceRequest, *, without: Collection[str] = ()
) -> list[tuple[str, list[str]]]:
    """Names of runners with their options, the report at the end."""
    commands = [
        (runner.name, options_of(runner, results, request))
        for runner in REPRODUCED
        if runner.name not in without
    ]
    return [*commands, ("report", ["--results", str(results), "--scale", request.scale])]


def options_of(runner: Runner, results: Path, request: ReproduceRequest) -> list[str]:
    """What a runner is given of the request: the options that it takes."""
    scale = request.scale if runner.scales else "tiny"
    cells = "methods" if runner.kind == "table" else TRAININGS
    values: dict[str, object] = {
        **{name: getattr(request, name) for name in HANDED_ON},
        "scale": scale,
        "out": results / name_at(runner.name, scale),
        # One store: the demo, the tables and the sensitivity measure the same real videos.
        "store": results / "features",
        "cells": results / name_at(cells, scale),
        "seeds": request.seeds if runner.kind == "figure" else None,
    }
    fields = [FIELDS.get(option, option) for option in runner.options]
    taken = [(f"--{x.replace('_', '-')}", values[x]) for x in fields if x in values]
    if "vbench_results" in runner.options:
        taken += [("--results", file) for file in request.vbench]
    if "slurm" in runner.options:
        taken += [("--slurm", option) for option in request.slurm]
    options = [part for flag, value in taken if value is not None for part in (flag, str(value))]
    if request.only_available and "only_available" in runner.options:
        options.append("--only-available")
    return [*options, *runner.reproduce_options]


def _run(name: str, options: Sequence[str]) -> int:
    """The exit code of a runner."""
    # The name of the command, for the provenance, is that of the file that is run.
    program = Path(sys.executable).with_name("latte-bench")
    command = [str(program)] if program.exists() else [sys.executable, "-m", "benchmarks"]
    (ended,) = run_children([[*command, name, *options]])
    return ended.code
