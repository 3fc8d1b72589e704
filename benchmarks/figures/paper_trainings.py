"""Cells at the paper's settings: exact commands of torchrun, run where their requirements are.

Each cell is a training of `latte train`, then for every checkpoint 2048 samples of `latte sample`
and their FVD by `latte-eval fvd`; of the last one FID as well. All go on where they were
interrupted.
"""

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.cells.cache import FILE, CellValue, measure_cells, read_cells
from benchmarks.cells.processes import run_child
from benchmarks.cells.requirements import (
    Requirement,
    data_set,
    default_data_root,
    file,
    gpus,
    network_weights,
    package,
    require,
    unmet,
    vae,
    vae_identity,
)
from benchmarks.figures.ablations import Cells, Request
from benchmarks.figures.designs import BASELINE, PAPER, Design
from benchmarks.figures.paper_commands import (
    COMMANDS,
    DATASET,
    DIT,
    PaperTraining,
    write_commands,
)
from evaluation.networks.weights import digest
from evaluation.protocol.presets import LATTE
from evaluation.results.reading import read_results
from evaluation.results.record import Result
from latte.autoencoder import DEFAULT_VAE
from latte.data.errors import InputError
from latte.training.config import load_config


def make_paper_cells(designs: Sequence[Design], request: Request) -> Cells:
    """Write the commands of all designs; run those whose requirements are met, one by one.

    Raises:
        InputError: something is missing: one message with all of it, before anything starts; with
            `only_available`, only if no design can be trained. Or an option has no effect here, or
            no cell could be measured.
    """
    if request.device is not None:
        raise InputError(
            f"--device {request.device}: at paper scale torchrun takes {request.gpus} GPUs; leave "
            "it out (--gpus says how many)"
        )
    tasks = _trainings(designs, request)
    script = write_commands(request.folder / COMMANDS, list(tasks.values()))
    needed = requirements(designs, request)
    possible = [design for design in designs if not unmet(needed[design])]
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
    _announce(wanted, done, request)
    finished = measure_cells(wanted, measure_paper_training, path, tidy=tidy)
    finished.raise_if_empty()
    reasons = {
        design: "lacks " + ", ".join(each.name for each in unmet(needed[design]))
        for design in designs
        if design not in possible
    }
    keys = {place: task.key for place, task in tasks.items()}
    return Cells(finished=finished, keys=keys, reasons=reasons)


def _trainings(
    designs: Sequence[Design], request: Request
) -> dict[tuple[Design, int], PaperTraining]:
    """All of them: every design of a seed before those of the next."""
    initial = _initial(designs, request)
    return {
        (design, seed): paper_training(design, seed, request, initial)
        for seed in range(request.seeds)
        for design in designs
    }


def _announce(tasks: Sequence[PaperTraining], done: Iterable[str], request: Request) -> None:
    """Say how much there is to do, before days of it."""
    finished = set(done)
    every = {task.training_key: task for task in tasks}
    left = {key: task for key, task in every.items() if task.key not in finished}
    if not left:
        return
    to_train = sum(not task.weights.exists() for task in left.values())
    steps = sorted({task.steps[-1] for task in every.values()})
    count = "1 training" if len(every) == 1 else f"{len(every)} trainings"
    where = "1 GPU" if request.gpus == 1 else f"{request.gpus} GPUs"
    print(
        f"{count} of {' or '.join(f'{step:,}' for step in steps)} steps, of which "
        f"{len(every) - len(left)} done, {len(left) - to_train} trained but not all measured, and "
        f"{to_train} still to be trained, one after the other on {where}: days for each",
        file=sys.stderr,
        flush=True,
    )


def paper_training(
    design: Design, seed: int, request: Request, initial: str = DIT
) -> PaperTraining:
    """The cell of a design; seed 0 is the configuration's own."""
    own_seed = load_config(PAPER.config).training.seed
    settings = [*PAPER.settings_of(design), f"training.seed={own_seed + seed}"]
    if request.vae is not None:
        settings.append(f"autoencoder.path={request.vae}")
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
        vae=vae_identity(config.autoencoder.path or DEFAULT_VAE),
        gpus=request.gpus,
    )


def requirements(designs: Sequence[Design], request: Request) -> dict[Design, list[Requirement]]:
    """What each design needs, and whether it is here."""
    usual = PAPER.config_of(BASELINE)
    common = [
        package("diffusers", "sd"),
        vae(request.vae or usual.autoencoder.path or DEFAULT_VAE),
        network_weights("i3d"),
        network_weights("inception"),
    ]
    dit = file(
        "DiT-XL/2's weights",
        request.initialise_from,
        f"fetch {DIT}, and name it with --initialise-from",
    )
    root = request.data_root or default_data_root()
    # At its own interval and at the usual one: the longer clips decide.
    strides = {
        design: max(PAPER.config_of(design).data.stride, usual.data.stride) for design in designs
    }
    videos = {
        stride: data_set(DATASET, root, min_frames=_min_frames(stride))
        for stride in set(strides.values())
    }
    return {
        design: [
            videos[strides[design]],
            *common,
            *([dit] if design.starts_from_images else []),
            gpus(request.gpus),
        ]
        for design in designs
    }


def _min_frames(stride: int) -> int:
    """Of a video, for FVD's real clips at this interval; trainings take shorter ones as well."""
    return replace(LATTE, real_stride=stride).real_selection().min_frames


def measure_paper_training(task: PaperTraining) -> CellValue:
    """Run the commands whose results are not there yet.

    Raises:
        InputError: one of them failed, a file of results has a broken line, or weights that are
            to be measured were removed.
    """
    missing = {step: list(_missing(task, step)) for step in task.steps}
    if any(missing.values()) and not task.weights.exists():
        _run(task.train_command())
        _remove_unmeasured(task)
    _require_checkpoints(task, [step for step, commands in missing.items() if commands])
    for step, commands in missing.items():
        for command in [task.sample_command(step), *commands] if commands else []:
            _run(command)
        _remove(task.samples(step))
    rows: list[list[Any]] = [
        [[step, *_value(task.results(step, stride))] for step in task.steps]
        for stride in task.strides
    ]
    last = _record(task.results(task.steps[-1], task.strides[0]))
    files = [path for step in task.steps for path in task.measure_commands(step)]
    deviations = dict.fromkeys(each for path in files for each in _record(path).deviations)
    _, value, low, high = rows[0][-1]
    return CellValue(
        value=value,
        interval=(low, high),
        details={
            "points": rows,
            "fid": list(_value(task.fid)),
            "fingerprint": last.fingerprint,
            "num_real": last.num_real,
            "num_fake": last.num_fake,
            "deviations": [asdict(each) for each in deviations],
        },
        provenance={"date": last.date, "versions": last.versions, "host": last.host},
    )


def tidy(task: PaperTraining) -> None:
    """Keep the weights of a measured training that are measured, beside its log and results."""
    if task.weights.exists():
        _remove_unmeasured(task)
    for path in (task.state, *map(task.samples, task.steps)):
        _remove(path)


def _remove_unmeasured(task: PaperTraining) -> None:
    """Checkpoints in between are for going on after a hard stop alone."""
    kept = {task.checkpoint(step).parent for step in task.steps}
    for folder in sorted(task.checkpoints.glob("*")):
        if folder not in kept:
            _remove(folder)


def _require_checkpoints(task: PaperTraining, steps: Iterable[int]) -> None:
    gone = [step for step in steps if not task.checkpoint(step).exists()]
    if gone:
        raise InputError(
            f"{task.run}: is trained, but its weights of step {gone[0]:,} are gone: bring them "
            "back, or remove the folder to have it trained again"
        )


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _missing(task: PaperTraining, step: int) -> Iterator[list[str]]:
    for path, command in task.measure_commands(step).items():
        if not _records(path):
            yield command


def _initial(designs: Sequence[Design], request: Request) -> str:
    """What is known of the file that some designs start from: what is in it, if it is here."""
    path = request.initialise_from
    needed = any(design.starts_from_images for design in designs)
    return digest(path).sha256 if needed and path is not None and path.is_file() else DIT


def _run(command: Sequence[str]) -> None:
    program, *options = command
    launcher = {"python": [], "torchrun": ["-m", "torch.distributed.run"]}[program]
    run_child([sys.executable, *launcher, *options], command)


def _value(path: Path) -> tuple[float, float, float]:
    result = _record(path)
    return result.value, *(result.interval or (result.value, result.value))


def _record(path: Path) -> Result:
    records = _records(path)
    if not records:
        raise InputError(f"{path}: a command ended well, but left no result there; run it again")
    return records[-1]


def _records(path: Path) -> list[Result]:
    """The results of a file, which need not be there."""
    return read_results(path) if path.exists() else []
