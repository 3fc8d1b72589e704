"""What a cell at the paper's settings is, and its commands: `latte train`, `latte sample`, FVD."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.designs import PAPER, Design
from benchmarks.finished import cell_key
from evaluation.catalogue import for_metric, metric
from evaluation.presets import LATTE
from evaluation.protocol import override
from latte.data.errors import named
from latte.training.config import as_table, load_config

VERSION = 1  # raised by any change of this module that moves a number
DATASET = "faceforensics"
GPUS = 8
SAMPLES = 2048
DIT = "https://dl.fbaipublicfiles.com/DiT/models/DiT-XL-2-256x256.pt"
WEIGHTS = "ema.safetensors"
HEADING = re.compile(r"# (?P<name>.+, seed (?P<seed>\d+)) \[(?P<key>\w+)\]\n")
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
    initial: str = DIT  # what it starts from: the file's digest, or where the file is published

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.design.name}, seed {self.seed}"

    @cached_property
    def key(self) -> str:
        """Over all that decides the values but the pixels of the data set."""
        table = as_table(load_config(PAPER.config, self.settings))
        del table["output"]
        if self.design.starts_from_images:
            table["model"]["initialise_from"] = self.initial
        return cell_key(
            version=VERSION,
            config=table,
            steps=self.steps,
            sampling=self.sampling,
            fvd=[_fingerprint("fvd", stride) for stride in self.strides],
            fid=_fingerprint("fid", self.strides[0]),
        )

    @property
    def run(self) -> Path:
        """Folder of the training."""
        return self.folder / "runs" / self.key

    @property
    def sampling(self) -> tuple[str, ...]:
        """Options of `latte sample` that decide the samples: the official ones, other noise for
        each seed."""
        count, seed = str(SAMPLES), str(self.seed)
        how = ("--method", "ddpm", "--steps", "250", "--precision", "fp32")
        return ("--num-samples", count, *how, "--seed", seed)

    def train_command(self) -> list[str]:
        """The training; it goes on where it was interrupted."""
        chosen = [part for setting in self.settings for part in ("--set", setting)]
        place = ["--out", str(self.run), "--data-root", str(self.data_root)]
        return [*TORCHRUN, "train", PAPER.config, *chosen, *place]

    def sample_command(self, step: int) -> list[str]:
        """Samples of a checkpoint; those that are there are not made again."""
        checkpoint = str(self.checkpoint(step) / WEIGHTS)
        what = [checkpoint, "--dataset", DATASET, *self.sampling]
        return [*TORCHRUN, "sample", *what, "--out", str(self.samples(step))]

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

    def checkpoint(self, step: int) -> Path:
        """Folder of a checkpoint."""
        return self.run / "checkpoints" / f"{step:07d}"

    @property
    def weights(self) -> Path:
        """Averaged weights at the end: they are there when it is trained, and stay."""
        return self.checkpoint(self.steps[-1]) / WEIGHTS

    def samples(self, step: int) -> Path:
        """Folder of a checkpoint's samples: gigabytes, which are removed once they are measured."""
        return self.run / "samples" / f"{step:07d}"

    def results(self, step: int, stride: int) -> Path:
        """File of one FVD; a finished one is not measured again."""
        return self.run / "fvd" / f"{step:07d}-stride{stride}.jsonl"

    @property
    def fid(self) -> Path:
        """File of the last checkpoint's FID."""
        return self.run / "fid" / f"{self.steps[-1]:07d}.jsonl"

    @property
    def leftovers(self) -> list[Path]:
        """What nobody needs once all is measured: other weights, and the state of the training."""
        others = [self.checkpoint(step) for step in self.steps[:-1]]
        return [*others, self.weights.with_name("state.safetensors")]


def write_commands(path: Path, tasks: Sequence[PaperTraining]) -> Path:
    """Add the commands to a shell script, which can be run by hand as well, again and again.

    All figures share the script as they share the cells: each training is in it once, beginning
    with the first seed of all.
    """
    new = {task.key: task for task in reversed(tasks)}  # of one key, the first gives its name
    names = {task.name for task in new.values()}
    with named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        blocks = {(task.seed, task.name): _block(task) for task in new.values()}
        for block in text.split("\n\n"):
            found = HEADING.match(block)
            if found and found["key"] not in new and found["name"] not in names:
                blocks[int(found["seed"]), found["name"]] = block.rstrip("\n")
        ordered = [block for _, block in sorted(blocks.items())]
        script = "\n\n".join(["#!/bin/sh\nset -e", *ordered]) + "\n"
        path.write_text(script, encoding="utf-8", newline="\n")
    return path


def _block(task: PaperTraining) -> str:
    """The commands of a training; what is there already is not made again."""

    def lacks(*paths: Path) -> str:
        return " && ".join(f"[ -s {shlex.quote(str(path))} ]" for path in paths) + " || "

    lines = [f"# {task.name} [{task.key}]"]
    lines.append(lacks(task.weights) + shlex.join(task.train_command()))
    for step in task.steps:
        measures = task.measure_commands(step)
        lines.append(lacks(*measures) + shlex.join(task.sample_command(step)))
        lines += [lacks(path) + shlex.join(command) for path, command in measures.items()]
        lines.append(shlex.join(["rm", "-rf", str(task.samples(step))]))
    lines.append(shlex.join(["rm", "-rf", *map(str, task.leftovers)]))
    return "\n".join(lines)


def _settings(stride: int) -> tuple[str, ...]:
    """Fields of the protocol: all real videos there are, at most as many as it says itself."""
    return (f"num_fake={SAMPLES}", f"real_stride={stride}")


def _fingerprint(name: str, stride: int) -> str:
    """Of the protocol as a metric takes it."""
    return for_metric(override(LATTE, list(_settings(stride))), metric(name)).fingerprint
