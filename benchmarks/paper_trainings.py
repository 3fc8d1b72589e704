"""Cells at the paper's settings: exact commands of torchrun, run where their ingredients are.

Each cell is a training of `latte train`, then for every checkpoint 2048 samples of `latte sample`
and their FVD by `latte-eval fvd`. All three go on where they were interrupted.
"""

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.designs import BASELINE, PAPER, Design
from benchmarks.finished import Measured, cell_key, finish
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
)
from latte.data.errors import InputError, named
from latte.training.config import as_table, load_config

if TYPE_CHECKING:
    from benchmarks.ablations import Cells, Request

DATASET = "faceforensics"
GPUS = 8
SAMPLES = 2048
DIT = "https://dl.fbaipublicfiles.com/DiT/models/DiT-XL-2-256x256.pt"
COMMANDS = "commands.sh"
TORCHRUN = ("torchrun", "--standalone", f"--nproc_per_node={GPUS}", "-m", "latte")


@dataclass(frozen=True, kw_only=True)
class PaperTraining:
    """A design and a seed on FaceForensics."""

    design: Design
    settings: tuple[str, ...]  # of `latte train`, seed included
    steps: tuple[int, ...]  # of the checkpoints that are measured
    strides: tuple[int, ...]  # of the real clips
    folder: Path
    data_root: Path
    seed: int

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.design.name}, seed {self.seed}"

    @property
    def key(self) -> str:
        """Over all that decides the values but the pixels of the data set."""
        table = as_table(load_config(PAPER.config, self.settings))
        del table["output"]
        if self.design.starts_from_images:
            table["model"]["initialise_from"] = DIT
        return cell_key(config=table, steps=self.steps, strides=self.strides, samples=SAMPLES)

    @property
    def run(self) -> Path:
        """Folder of the training."""
        return self.folder / "runs" / self.key

    def train_command(self) -> list[str]:
        """The training; one that is finished ends at once."""
        chosen = [part for setting in self.settings for part in ("--set", setting)]
        place = ["--out", str(self.run), "--data-root", str(self.data_root)]
        return [*TORCHRUN, "train", PAPER.config, *chosen, *place]

    def measure_commands(self, step: int) -> list[list[str]]:
        """Samples of a checkpoint, and their FVD against real clips at each interval."""
        checkpoint = self.run / "checkpoints" / f"{step:07d}" / "ema.safetensors"
        samples = str(self.samples(step))
        sample = [*TORCHRUN, "sample", str(checkpoint), "--dataset", DATASET]
        found = [[*sample, "--num-samples", str(SAMPLES), "--out", samples]]
        for stride in self.strides:
            fvd = ["python", "-m", "evaluation", "fvd", "--dataset", DATASET, "--fake", samples]
            fvd += ["--protocol", "latte", "--num-videos", str(SAMPLES)]
            fvd += ["--set", f"real_stride={stride}", "--data-root", str(self.data_root)]
            found.append([*fvd, "--out", str(self.results(step, stride))])
        return found

    def samples(self, step: int) -> Path:
        """Folder of a checkpoint's samples: gigabytes, which are removed once they are measured."""
        return self.run / "samples" / f"{step:07d}"

    def results(self, step: int, stride: int) -> Path:
        """File of one FVD; a finished one is not measured again."""
        return self.run / "fvd" / f"{step:07d}-stride{stride}.jsonl"


def make_paper_cells(designs: Sequence[Design], request: "Request") -> "Cells":
    """Write the commands of all designs; run those whose ingredients are here, one after the other.

    Raises:
        InputError: something is missing: one message with all of it, before anything starts; with
            `only_available`, only if no design can be trained.
    """
    from benchmarks.ablations import Cells

    tasks = {
        (design, seed): paper_training(design, seed, request)
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
    finished = finish(wanted, measure_paper_training, request.folder / "cells.jsonl")
    reasons = {
        design: "lacks " + ", ".join(each.name for each in missing_ingredients(needed[design]))
        for design in designs
        if design not in possible
    }
    keys = {place: task.key for place, task in tasks.items()}
    return Cells(finished=finished, keys=keys, reasons=reasons)


def paper_training(design: Design, seed: int, request: "Request") -> PaperTraining:
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
        network_weights("i3d"),
        *([dit] if design.starts_from_images else []),
        gpus(GPUS),
    ]


def write_commands(path: Path, tasks: Sequence[PaperTraining]) -> Path:
    """All commands as one shell script, which can be run by hand as well."""
    lines = ["#!/bin/sh", "set -e"]
    done: set[str] = set()
    for task in tasks:
        if task.key in done:
            continue
        done.add(task.key)
        lines += ["", f"# {task.name}", shlex.join(task.train_command())]
        for step in task.steps:
            lines += [shlex.join(command) for command in task.measure_commands(step)]
            lines.append(shlex.join(["rm", "-r", str(task.samples(step))]))
    with named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return path


def measure_paper_training(task: PaperTraining) -> Measured:
    """Run the commands whose results are not there yet.

    Raises:
        InputError: one of them failed.
    """
    missing = [
        step
        for step in task.steps
        if not all(task.results(step, stride).exists() for stride in task.strides)
    ]
    if missing:
        _run(task.train_command())
    for step in missing:
        for command in task.measure_commands(step):
            _run(command)
        shutil.rmtree(task.samples(step))
    rows: list[list[Any]] = [
        [[step, *_value(task.results(step, stride))] for step in task.steps]
        for stride in task.strides
    ]
    last = _record(task.results(task.steps[-1], task.strides[0]))
    _, value, low, high = rows[0][-1]
    return Measured(
        value=value,
        interval=(low, high),
        details={"points": rows, "fingerprint": last["fingerprint"]},
        provenance={key: last[key] for key in ("date", "versions", "host")},
    )


def _run(command: Sequence[str]) -> None:
    program, *options = command
    launcher = {"python": [], "torchrun": ["-m", "torch.distributed.run"]}[program]
    code = subprocess.run([sys.executable, *launcher, *options], check=False).returncode
    if code:
        raise InputError(
            f"`{shlex.join(command)}` ended with code {code}; its own message is above"
        )


def _value(path: Path) -> tuple[float, float, float]:
    record = _record(path)
    low, high = record["interval"] or (record["value"], record["value"])
    return record["value"], low, high


def _record(path: Path) -> Mapping[str, Any]:
    lines = path.read_text(encoding="utf-8").splitlines()
    record: Mapping[str, Any] = json.loads(lines[-1])
    return record
