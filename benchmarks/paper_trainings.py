"""Cells at the paper's settings: exact commands of torchrun, run where their ingredients are.

Each cell is a training of `latte train`, then for every checkpoint 2048 samples of `latte sample`
and their FVD by `latte-eval fvd`; of the last one FID as well. All go on where they were
interrupted.
"""

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.child_processes import run_child
from benchmarks.designs import BASELINE, PAPER, Design
from benchmarks.finished import FILE, Measured, finish, read_cells
from benchmarks.paper_commands import DATASET, DIT, GPUS, PaperTraining, write_commands
from benchmarks.scale import (
    Ingredient,
    data_set,
    default_data_root,
    file,
    gpus,
    missing_ingredients,
    network_weights,
    package,
    require,
    vae,
)
from evaluation.networks.weights import digest
from evaluation.result import read_results
from latte.autoencoder import DEFAULT_VAE
from latte.data.errors import InputError
from latte.training.config import load_config

if TYPE_CHECKING:
    from benchmarks.ablations import Cells, Request

COMMANDS = "commands.sh"


def make_paper_cells(designs: Sequence[Design], request: "Request") -> "Cells":
    """Write the commands of all designs; run those whose ingredients are here, one after the other.

    Raises:
        InputError: something is missing: one message with all of it, before anything starts; with
            `only_available`, only if no design can be trained. Or an option has no effect here, or
            no cell could be measured.
    """
    from benchmarks.ablations import Cells

    if request.device is not None:
        raise InputError(
            f"--device {request.device}: at paper scale torchrun takes {GPUS} GPUs; leave it out"
        )
    initial = _initial(designs, request)
    tasks = {
        (design, seed): paper_training(design, seed, request, initial)
        for seed in range(request.seeds)
        for design in designs
    }
    script = write_commands(request.folder / COMMANDS, list(tasks.values()))
    needed = {design: ingredients(design, request) for design in designs}
    possible = [design for design in designs if not missing_ingredients(needed[design])]
    if not (request.only_available and possible):
        hint = "" if request.only_available else ", and --only-available runs what can be run"
        or_else = f"the commands are in {script}{hint}"
        require([each for found in needed.values() for each in found], "paper", or_else=or_else)
    wanted = [task for (design, _), task in tasks.items() if design in possible]
    path = request.folder / FILE
    done = read_cells(path)
    for task in wanted:
        if task.key in done:  # stopped before it was tidied up
            tidy(task)
    finished = finish(wanted, measure_paper_training, path, tidy=tidy)
    finished.end_if_nothing()
    reasons = {
        design: "lacks " + ", ".join(each.name for each in missing_ingredients(needed[design]))
        for design in designs
        if design not in possible
    }
    keys = {place: task.key for place, task in tasks.items()}
    return Cells(finished=finished, keys=keys, reasons=reasons)


def paper_training(
    design: Design, seed: int, request: "Request", initial: str = DIT
) -> PaperTraining:
    """The cell of a design; seed 0 is the configuration's own."""
    own_seed = load_config(PAPER.config).training.seed
    settings = [*PAPER.settings_of(design), f"training.seed={own_seed + seed}"]
    if design.starts_from_images:
        settings.append(f"model.initialise_from={request.initialise_from or Path(DIT).name}")
    config = load_config(PAPER.config, settings)
    usual = PAPER.config_of(BASELINE).data.stride
    every = config.training.steps // PAPER.points
    return PaperTraining(
        design=design,
        settings=tuple(settings),
        steps=tuple(every * (place + 1) for place in range(PAPER.points)),
        strides=tuple(dict.fromkeys((config.data.stride, usual))),
        folder=request.folder,
        data_root=request.data_root or default_data_root(),
        seed=seed,
        initial=initial,
    )


def ingredients(design: Design, request: "Request") -> list[Ingredient]:
    """What a design needs, and whether it is here."""
    dit = file(
        "DiT-XL/2's weights",
        request.initialise_from,
        f"fetch {DIT}, and name it with --initialise-from",
    )
    return [
        data_set(DATASET, request.data_root or default_data_root()),
        package("diffusers", "sd"),
        vae(PAPER.config_of(design).autoencoder.path or DEFAULT_VAE),
        network_weights("i3d"),
        network_weights("inception"),
        *([dit] if design.starts_from_images else []),
        gpus(GPUS),
    ]


def measure_paper_training(task: PaperTraining) -> Measured:
    """Run the commands whose results are not there yet.

    Raises:
        InputError: one of them failed, or a file of results has a broken line.
    """
    missing = {step: list(_missing(task, step)) for step in task.steps}
    if any(missing.values()) and not task.weights.exists():
        _run(task.train_command())
    for step, commands in missing.items():
        for command in [task.sample_command(step), *commands] if commands else []:
            _run(command)
        _remove(task.samples(step))
    rows: list[list[Any]] = [
        [[step, *_value(task.results(step, stride))] for step in task.steps]
        for stride in task.strides
    ]
    last = _record(task.results(task.steps[-1], task.strides[0]))
    _, value, low, high = rows[0][-1]
    return Measured(
        value=value,
        interval=(low, high),
        details={
            "points": rows,
            "fid": list(_value(task.fid)),
            "fingerprint": last["fingerprint"],
        },
        provenance={key: last[key] for key in ("date", "versions", "host")},
    )


def tidy(task: PaperTraining) -> None:
    """Keep the last weights of a measured training alone, beside its log and results."""
    for path in (*task.leftovers, *map(task.samples, task.steps)):
        _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _missing(task: PaperTraining, step: int) -> Iterator[list[str]]:
    for path, command in task.measure_commands(step).items():
        if not _records(path):
            yield command


def _initial(designs: Sequence[Design], request: "Request") -> str:
    """What is known of the file that some designs start from: what is in it, if it is here."""
    path = request.initialise_from
    needed = any(design.starts_from_images for design in designs)
    return digest(path).sha256 if needed and path is not None and path.is_file() else DIT


def _run(command: Sequence[str]) -> None:
    program, *options = command
    launcher = {"python": [], "torchrun": ["-m", "torch.distributed.run"]}[program]
    run_child([sys.executable, *launcher, *options], command)


def _value(path: Path) -> tuple[float, float, float]:
    record = _record(path)
    low, high = record["interval"] or (record["value"], record["value"])
    return record["value"], low, high


def _record(path: Path) -> Mapping[str, Any]:
    records = _records(path)
    if not records:
        raise InputError(f"{path}: a command ended well, but left no result there; run it again")
    return records[-1]


def _records(path: Path) -> list[dict[str, Any]]:
    """The results of a file, which need not be there."""
    return read_results(path) if path.exists() else []
