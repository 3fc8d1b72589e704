"""`latte-bench reproduce`: every runner in turn, then the report of all.

Each runner is a process of its own, so that its provenance says the command that repeats it alone,
and one that fails costs no other.
"""

import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tabulate import tabulate

from benchmarks.cells.processes import run_children
from benchmarks.cells.scale import (
    Ingredient,
    Scale,
    is_given,
    missing_ingredients,
    name_at,
    refuse_of_paper_scale,
    require,
)
from latte.data.errors import FailedRunError

if TYPE_CHECKING:
    from benchmarks.figures.ablations import Request
    from benchmarks.figures.similarity_networks import Look

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
ONLY_AVAILABLE = "--only-available"
OF_TABLES = ("--data-root", "--checkpoints", "--vae", ONLY_AVAILABLE)
OF_TRAININGS = ("--data-root", "--vae", "--initialise-from", "--gpus", ONLY_AVAILABLE)
TAKEN_AT_PAPER_SCALE: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(("table3", "table5"), OF_TABLES),
    **dict.fromkeys(("figure5", "figure7", "intext"), OF_TRAININGS),
    **dict.fromkeys(("figure6", "figure8"), ("--data-root", "--vae")),
}
# About the measuring itself, always on `shapes`.
OF_THE_MEASURES = ("demo", "protocols", "sensitivity")
# About simulations and this machine; fewer simulations than `coverage` alone makes.
OF_ITSELF: Mapping[str, Sequence[str]] = {"coverage": ("--repetitions", "60"), "speed": ()}


@dataclass(frozen=True, kw_only=True)
class ReproduceRequest:
    """What is run, and at `paper` scale with what."""

    scale: Scale
    seeds: int = 3
    workers: int | None = None
    only_available: bool = False
    # At `paper` scale; None: as the runners have it.
    data_root: Path | None = None
    checkpoints: Path | None = None  # folder of the published models
    vae: str | None = None
    initialise_from: Path | None = None  # the file of DiT-XL/2
    gpus: int | None = None
    vbench: tuple[str, ...] = ()  # results of VBench, `[NAME=]FILE`

    @property
    def of_paper_scale(self) -> Mapping[str, object]:
        """Options that no other scale knows."""
        return {
            "--data-root": self.data_root,
            "--checkpoints": self.checkpoints,
            "--vae": self.vae,
            "--initialise-from": self.initialise_from,
            "--gpus": self.gpus,
            "--vbench": self.vbench,
        }


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


def run(results: Path, request: ReproduceRequest) -> None:
    """Run everything at a scale into the folder of results, then `latte-bench report`.

    Everything goes on where it was: what is measured is kept.

    Raises:
        InputError: at `paper` scale something is missing, before anything starts: one message with
            all that any runner lacks.
        FailedRunError: some runners failed.
    """
    refuse_of_paper_scale(request.scale, request.of_paper_scale)
    without = runners_without_ingredients(results, request) if request.scale == "paper" else ()
    commands = runner_commands(results, request, without=without)
    endings = []
    for number, (name, options) in enumerate(commands, 1):
        print(f"[{number}/{len(commands)}] latte-bench {' '.join([name, *options])}", flush=True)
        endings.append(_run(name, options))
    rows = [(ending.name, ending.words, f"{ending.seconds:.0f} s") for ending in endings]
    print(tabulate(rows, headers=("runner", "ended", "took"), disable_numparse=True))
    _end(endings)


def runners_without_ingredients(results: Path, request: ReproduceRequest) -> list[str]:
    """With `only_available`, the runners of which nothing can be run; they are told, and left out.

    Raises:
        InputError: something is missing, and `only_available` is not given.
    """
    needed = needed_at_paper_scale(results, request)
    every = [each for parts in needed.values() for part in parts for each in part]
    if not request.only_available:
        require(every, "paper", or_else="--only-available runs what can be run")
    left_out = [name for name, parts in needed.items() if all(map(missing_ingredients, parts))]
    if left_out:
        lines = "".join(f"\n  - {each.line}" for each in missing_ingredients(every))
        print(f"left out: {', '.join(left_out)}; not here:{lines}", file=sys.stderr, flush=True)
    return left_out


def needed_at_paper_scale(
    results: Path, request: ReproduceRequest
) -> dict[str, list[list[Ingredient]]]:
    """What each runner needs, part by part: a part is run where all that it needs is here.

    Args:
        results: the folder of results: of what is trained there the weights are enough.

    Raises:
        InputError: the results of VBench cannot be read, or the batch cannot be made on the GPUs.
    """
    # What follows opens networks and data sets: most runs need none of it.
    from benchmarks.figures import figure6 as figure6_similarity
    from benchmarks.figures import figure8 as figure8_similarity
    from benchmarks.figures import paper_trainings
    from benchmarks.figures.ablations import Ablation, Request
    from benchmarks.figures.figure5 import LETTERS, ablation
    from benchmarks.figures.figure7 import ablation as sizes
    from benchmarks.figures.masks import ablation as masks
    from benchmarks.figures.paper_commands import GPUS
    from benchmarks.tables import paper_measurements
    from benchmarks.tables import table3 as table3_fvd
    from benchmarks.tables import table5 as table5_is_fid
    from benchmarks.tables.published import PublishedTable

    trainings = Request(
        scale="paper",
        seeds=request.seeds,
        cells=_trainings_in(results, "paper"),
        data_root=request.data_root,
        initialise_from=request.initialise_from,
        vae=request.vae,
        gpus=GPUS if request.gpus is None else request.gpus,
    )
    measurements = paper_measurements.PaperRequest(
        checkpoints=request.checkpoints or Path("checkpoints"),
        data_root=request.data_root,
        vae=request.vae,
    )

    def of_figures(*figures: Ablation) -> list[list[Ingredient]]:
        designs = [design for figure in figures for design in figure.designs.values()]
        return [*paper_trainings.ingredients(designs, trainings).values()]

    def of_table(table: PublishedTable) -> list[list[Ingredient]]:
        return [paper_measurements.ingredients(each, measurements) for each in table.columns]

    return {
        "table3": of_table(table3_fvd.TABLE),
        "table4": [[_vbench_results(request)]],
        "table5": of_table(table5_is_fid.TABLE),
        "figure5": of_figures(*(ablation(letter, "paper") for letter in LETTERS)),
        "figure6": [_to_look(figure6_similarity.LOOK, trainings)],
        "figure7": of_figures(sizes("paper")),
        "figure8": [_to_look(figure8_similarity.LOOK, trainings)],
        "intext": of_figures(masks("paper")),
    }


def _to_look(look: "Look", trainings: "Request") -> list[Ingredient]:
    """What looks into networks that Figure 5f has trained; if some are not, what trains them."""
    from benchmarks.figures import frame_similarity, paper_trainings
    from benchmarks.figures.designs import VARIANTS

    request = frame_similarity.SimilarityRequest(
        scale="paper",
        seeds=trainings.seeds,
        cells=trainings.cells,
        data_root=trainings.data_root,
        vae=trainings.vae,
    )
    if all(path.is_file() for path in frame_similarity.checkpoints(look, request).values()):
        return frame_similarity.ingredients(look, request)
    design = VARIANTS[look.variant]
    return paper_trainings.ingredients([design], trainings)[design]


def _vbench_results(request: ReproduceRequest) -> Ingredient:
    from benchmarks.tables.table4 import DIMENSIONS
    from benchmarks.tables.vbench_results import read_models

    return Ingredient(
        name="a results file of VBench",
        here=bool(read_models(request.vbench, list(DIMENSIONS))),
        how_to_get="`latte-bench table4 --scale paper` says how to make one; give it with --vbench",
    )


def _trainings_in(results: Path, scale: Scale) -> Path:
    """Where all figures have their trainings and cells."""
    return results / name_at("trainings", scale)


def runner_commands(
    results: Path, request: ReproduceRequest, *, without: Collection[str] = ()
) -> list[tuple[str, list[str]]]:
    """Names of runners with their options, the report at the end."""
    scale = request.scale
    shared = [] if request.workers is None else ["--workers", str(request.workers)]
    # One store: the demo, the tables and the sensitivity look at the same real videos.
    store = ["--store", str(results / "features")]
    commands = []
    for name in OF_THE_PAPER:
        options = ["--scale", scale, "--out", str(results / name_at(name, scale))]
        if name in ("table3", "table5") or (name == "table4" and scale != "paper"):
            options += [*shared, *store, "--cells", str(results / name_at("methods", scale))]
        elif name.startswith("figure") or name == "intext":
            trains_by_torchrun = scale == "paper" and name not in ("figure6", "figure8")
            options += [*([] if trains_by_torchrun else shared), "--seeds", str(request.seeds)]
            options += ["--cells", str(_trainings_in(results, scale))]
        commands.append((name, [*options, *_of_paper_scale(name, request)]))
    for name in OF_THE_MEASURES:
        commands.append((name, ["--out", str(results / name), *shared, *store]))
    for name, own in OF_ITSELF.items():
        commands.append((name, ["--out", str(results / name), *own]))
    commands = [(name, options) for name, options in commands if name not in without]
    return [*commands, ("report", ["--results", str(results), "--scale", scale])]


def _of_paper_scale(name: str, request: ReproduceRequest) -> list[str]:
    """Those of the options of paper scale that a runner takes."""
    if name == "table4":
        return [part for each in request.vbench for part in ("--results", each)]
    taken = TAKEN_AT_PAPER_SCALE.get(name, ())
    options = [
        part
        for key, value in request.of_paper_scale.items()
        if key in taken and is_given(value)
        for part in (key, str(value))
    ]
    only_available = request.only_available and ONLY_AVAILABLE in taken
    return [*options, ONLY_AVAILABLE] if only_available else options


def _run(name: str, options: Sequence[str]) -> Ending:
    started = time.monotonic()
    # The name of the command, for the provenance, is that of the file that is run.
    program = Path(sys.executable).with_name("latte-bench")
    command = [str(program)] if program.exists() else [sys.executable, "-m", "benchmarks"]
    (ended,) = run_children([[*command, name, *options]])
    return Ending(name=name, code=ended.code, seconds=time.monotonic() - started)


def _end(endings: Sequence[Ending]) -> None:
    failed = [ending for ending in endings if ending.code]
    if failed:
        names = ", ".join(ending.name for ending in failed)
        raise FailedRunError(
            f"{names} ended early, as said above; the others are kept: give the command again",
            fixable=all(ending.code == 2 for ending in failed),
        )
