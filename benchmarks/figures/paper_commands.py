"""What a cell at the paper's settings is, and its commands: `latte train`, `latte sample`, FVD."""

import re
import shlex
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.cells.cache import alone_with, cell_key
from benchmarks.figures.designs import PAPER, Design
from evaluation.catalogue.registry import for_metric, metric
from evaluation.protocol.fields import override
from evaluation.protocol.presets import LATTE
from latte.autoencoder import DEFAULT_VAE
from latte.data.errors import named
from latte.training.config import TrainConfig, load_config

# Raised by any change that moves weights, another default value of a configuration included: all
# trainings begin anew.
TRAINING_VERSION = 2
VERSION = 2  # raised by any change of this module that moves a number, but no weight
DATASET = "faceforensics"
GPUS = 8  # of the paper; fewer make the same batch in several passes
SAMPLES = 2048
DIT = "https://dl.fbaipublicfiles.com/DiT/models/DiT-XL-2-256x256.pt"
WEIGHTS = "ema.safetensors"
COMMANDS = "commands.sh"
HEADING = re.compile(r"# (?P<name>.+) \[(?P<key>\w+)\]\n")


def torchrun(processes: int) -> tuple[str, ...]:
    """`latte` in so many processes, each with a GPU of its own."""
    return ("torchrun", "--standalone", f"--nproc_per_node={processes}", "-m", "latte")


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
    initial: str = DIT  # what it starts from: the file's digest, or where the file is published
    vae: str = DEFAULT_VAE  # its autoencoder: the digest of its files, or its name on the hub
    gpus: int = GPUS  # moves no number: a divisor of the paper's

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.design.name}, seed {self.seed}"

    @cached_property
    def training_key(self) -> str:
        """Over all that decides the weights but the pixels of the data set.

        What a configuration has by default is left out: a new field orphans no training.
        """
        table = _chosen(load_config(PAPER.config, self.settings))
        table.pop("output", None)
        table.setdefault("autoencoder", {})["path"] = self.vae
        if self.design.starts_from_images:
            table["model"]["initialise_from"] = self.initial
        return cell_key(version=TRAINING_VERSION, config=table)

    @cached_property
    def key(self) -> str:
        """Over the training and how it is measured: all that decides the values."""
        return cell_key(
            version=VERSION,
            training=self.training_key,
            steps=self.steps,
            sampling=self.sampling,
            fvd=[_fingerprint("fvd", stride) for stride in self.strides],
            fid=_fingerprint("fid", self.strides[0]),
        )

    @property
    def run(self) -> Path:
        """Folder of the training: another way to measure it finds it there."""
        return self.folder / "runs" / self.training_key

    @property
    def measured(self) -> Path:
        """Folder of what is made of its checkpoints."""
        return self.run / "measured" / self.key

    @property
    def sampling(self) -> tuple[str, ...]:
        """Options of `latte sample` that decide the samples: the official ones, fp16 as in Table 3,
        other noise for each seed."""
        count, seed = str(SAMPLES), str(self.seed)
        how = ("--method", "ddpm", "--steps", "250", "--precision", "fp16")
        return ("--num-samples", count, *how, "--seed", seed)

    def train_command(self) -> list[str]:
        """The training; it goes on where it was interrupted, also with another number of GPUs."""
        settings = list(self.settings)
        if self.gpus < GPUS:
            settings.append(f"training.accumulate={GPUS // self.gpus}")
        chosen = [part for setting in settings for part in ("--set", setting)]
        place = ["--out", str(self.run), "--data-root", str(self.data_root)]
        return [*torchrun(self.gpus), "train", PAPER.config, *chosen, *place]

    def sample_command(self, step: int) -> list[str]:
        """Samples of a checkpoint; those that are there are not made again."""
        what = [str(self.checkpoint(step)), "--dataset", DATASET, *self.sampling]
        return [*torchrun(self.gpus), "sample", *what, "--out", str(self.samples(step))]

    def measure_commands(self, step: int) -> dict[Path, list[str]]:
        """What is measured of a checkpoint's samples, by the file of its result.

        FVD against real clips at each interval; of the last checkpoint FID at the first one.
        """
        found = {
            self.results(step, stride): self._measure_command("fvd", step, stride)
            for stride in self.strides
        }
        if step == self.steps[-1]:
            found[self.fid] = self._measure_command("fid", step, self.strides[0])
        return {path: [*command, "--out", str(path)] for path, command in found.items()}

    def _measure_command(self, name: str, step: int, stride: int) -> list[str]:
        chosen = [part for setting in _settings(stride) for part in ("--set", setting)]
        what = ["--dataset", DATASET, "--fake", str(self.samples(step)), "--protocol", LATTE.name]
        place = ["--data-root", str(self.data_root)]
        return ["python", "-m", "evaluation", name, *what, *chosen, *place]

    @property
    def checkpoints(self) -> Path:
        """Folder of folders, one for each checkpoint."""
        return self.run / "checkpoints"

    def checkpoint(self, step: int) -> Path:
        """Averaged weights of a checkpoint; those that are measured stay."""
        return self.checkpoints / f"{step:07d}" / WEIGHTS

    @property
    def weights(self) -> Path:
        """Averaged weights at the end: they are there when it is trained."""
        return self.checkpoint(self.steps[-1])

    @property
    def state(self) -> Path:
        """What a training goes on from: 11 GB that nobody needs once it is at its end."""
        return self.weights.with_name("state.safetensors")

    def samples(self, step: int) -> Path:
        """Folder of a checkpoint's samples: gigabytes, which are removed once they are measured."""
        return self.measured / "samples" / f"{step:07d}"

    def results(self, step: int, stride: int) -> Path:
        """File of one FVD; a finished one is not measured again."""
        return self.measured / "fvd" / f"{step:07d}-stride{stride}.jsonl"

    @property
    def fid(self) -> Path:
        """File of the last checkpoint's FID."""
        return self.measured / "fid" / f"{self.steps[-1]:07d}.jsonl"


@dataclass(frozen=True, kw_only=True)
class ScriptPart:
    """Commands that belong together, in a script of several of them."""

    name: str
    key: str  # of what they make
    text: str  # lines of shell

    @property
    def place(self) -> tuple[int, str]:
        """In the script, which begins with the first seed of all."""
        found = re.search(r", seed (\d+)$", self.name)
        return (int(found[1]) if found else 0, self.name)


def write_commands(path: Path, tasks: Sequence[PaperTraining]) -> Path:
    """Add the commands of trainings to a shell script, see `write_script`."""
    parts = [ScriptPart(name=task.name, key=task.key, text=_lines(task)) for task in tasks]
    return write_script(path, parts)


def write_script(path: Path, parts: Iterable[ScriptPart]) -> Path:
    """Add commands to a shell script, which can be run by hand as well, again and again.

    All figures share the script as they share the cells: what makes one thing is in it once, and
    takes the place of what made it before, or of what had its name. Of commands that are started
    together each adds its parts in turn, and whoever reads the script sees a whole one.
    """
    new = {part.key: part for part in reversed([*parts])}  # of one key, the first gives its name
    names = {part.name for part in new.values()}
    with named(path), alone_with(path, path.name):
        before = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        kept = [part for part in _parts(before) if part.key not in new and part.name not in names]
        ordered = sorted([*kept, *new.values()], key=lambda part: part.place)
        blocks = [f"# {part.name} [{part.key}]\n{part.text}" for part in ordered]
        script = "\n\n".join(["#!/bin/sh\nset -e", *blocks]) + "\n"
        _replace(path, script)
    return path


def _replace(path: Path, script: str) -> None:
    """Write a script, whole or not at all; it may be run by whom it could be before."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(script, encoding="utf-8", newline="\n")
        if path.exists():
            shutil.copymode(path, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _parts(script: str) -> list[ScriptPart]:
    """Those of an earlier script."""
    found = ((HEADING.match(block), block) for block in script.split("\n\n"))
    return [
        ScriptPart(name=head["name"], key=head["key"], text=block[head.end() :].rstrip("\n"))
        for head, block in found
        if head
    ]


def _lines(task: PaperTraining) -> str:
    """The commands of a training; what is there already is not made again."""

    def lacks(*paths: Path) -> str:
        return " && ".join(f"[ -s {shlex.quote(str(path))} ]" for path in paths) + " || "

    lines = [lacks(task.weights) + shlex.join(task.train_command()), _remove_unmeasured(task)]
    for step in task.steps:
        measures = task.measure_commands(step)
        lines.append(lacks(*measures) + shlex.join(task.sample_command(step)))
        lines += [lacks(path) + shlex.join(command) for path, command in measures.items()]
        lines.append(shlex.join(["rm", "-rf", str(task.samples(step))]))
    lines.append(shlex.join(["rm", "-rf", str(task.state)]))
    return "\n".join(lines)


def _remove_unmeasured(task: PaperTraining) -> str:
    """Checkpoints in between are for going on after a hard stop alone."""
    measured = "|".join(f"*/{step:07d}" for step in task.steps)
    every = f"{shlex.quote(str(task.checkpoints))}/*"
    return f'for each in {every}; do case "$each" in {measured}) ;; *) rm -rf "$each" ;; esac; done'


def _chosen(config: TrainConfig) -> dict[str, dict[str, Any]]:
    """The values of a configuration that are not those by default."""
    tables = {section.name: getattr(config, section.name) for section in fields(config)}
    found = {
        name: {
            entry.name: getattr(table, entry.name)
            for entry in fields(table)
            if getattr(table, entry.name) != entry.default
        }
        for name, table in tables.items()
    }
    return {name: values for name, values in found.items() if values}


def _settings(stride: int) -> tuple[str, ...]:
    """Fields of the protocol: all real videos there are, at most as many as it says itself."""
    return (f"num_fake={SAMPLES}", f"real_stride={stride}")


def _fingerprint(name: str, stride: int) -> str:
    """Of the protocol as a metric takes it."""
    return for_metric(override(LATTE, list(_settings(stride))), metric(name)).fingerprint
