"""`latte-bench reproduce`: every runner in turn, then the report of all.

Each runner is a process of its own, so that its provenance says the command that repeats it alone,
and one that fails costs no other.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from tabulate import tabulate

from benchmarks.scale import Scale, name_at
from latte.data.errors import InputError

# Of the paper, each at any scale; in the order in which they share what is trained and measured.
OF_THE_PAPER = (
    "table1",
    "table2",
    "table3",
    "table4",
    "table5",
    "figure5",
    "figure6",
    "figure7",
    "figure8",
    "intext",
)
# About the measuring itself, always on `shapes`.
OF_THE_MEASURES = ("demo", "protocols", "sensitivity")
# About simulations and this machine: they measure the same with any options.
WITHOUT_OPTIONS = ("coverage", "speed")


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a runner ended."""

    name: str
    code: int
    seconds: float

    @property
    def words(self) -> str:
        """For the table that is printed."""
        return {0: "done", 2: "bad input, or stopped"}.get(self.code, f"failed ({self.code})")


def run(
    results: Path,
    *,
    scale: Scale,
    seeds: int,
    workers: int | None,
    only_available: bool,
) -> None:
    """Run everything at a scale into the folder of results, then `latte-bench report`.

    Everything goes on where it was: what is measured is kept.

    Raises:
        InputError: runners failed, each for a reason that the user can mend.
        typer.Exit: some failed otherwise: code 1.
    """
    commands = runner_commands(
        results, scale=scale, seeds=seeds, workers=workers, only_available=only_available
    )
    endings = []
    for number, (name, options) in enumerate(commands, 1):
        print(f"[{number}/{len(commands)}] latte-bench {' '.join([name, *options])}", flush=True)
        endings.append(_run(name, options))
    rows = [(ending.name, ending.words, f"{ending.seconds:.0f} s") for ending in endings]
    print(tabulate(rows, headers=("runner", "ended", "took"), disable_numparse=True))
    _end(endings)


def runner_commands(
    results: Path, *, scale: Scale, seeds: int, workers: int | None, only_available: bool
) -> list[tuple[str, list[str]]]:
    """Names of runners with their options, the report at the end."""
    shared = [] if workers is None else ["--workers", str(workers)]
    # One store: the demo, the tables and the sensitivity look at the same real videos.
    store = ["--store", str(results / "features")]
    commands = []
    for name in OF_THE_PAPER:
        options = ["--scale", scale, "--out", str(results / name_at(name, scale))]
        if name in ("table3", "table5") or (name == "table4" and scale != "paper"):
            options += [*shared, *store, "--cells", str(results / name_at("methods", scale))]
        elif name.startswith("figure") or name == "intext":
            trains_by_torchrun = scale == "paper" and name not in ("figure6", "figure8")
            options += [*([] if trains_by_torchrun else shared), "--seeds", str(seeds)]
            options += ["--cells", str(results / name_at("trainings", scale))]
        takes_gaps = name in ("table3", "table5", "figure5", "figure7", "intext")
        if only_available and takes_gaps:
            options.append("--only-available")
        commands.append((name, options))
    for name in OF_THE_MEASURES:
        commands.append((name, ["--out", str(results / name), *shared, *store]))
    commands += [(name, ["--out", str(results / name)]) for name in WITHOUT_OPTIONS]
    return [*commands, ("report", ["--results", str(results), "--scale", scale])]


def _run(name: str, options: Sequence[str]) -> Ending:
    started = time.monotonic()
    # The name of the command, for the provenance, is that of the file that is run.
    program = Path(sys.executable).with_name("latte-bench")
    command = [str(program)] if program.exists() else [sys.executable, "-m", "benchmarks"]
    done = subprocess.run([*command, name, *options])
    return Ending(name=name, code=done.returncode, seconds=time.monotonic() - started)


def _end(endings: Sequence[Ending]) -> None:
    failed = [ending for ending in endings if ending.code]
    if not failed:
        return
    names = ", ".join(ending.name for ending in failed)
    message = f"{names} ended early, as said above; the others are kept: give the command again"
    if all(ending.code == 2 for ending in failed):
        raise InputError(message)
    print(f"error: {message}", file=sys.stderr)
    raise typer.Exit(code=1)
