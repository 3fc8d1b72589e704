"""A training at the paper's settings: its commands are `latte train`, `latte sample` and FVD."""

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.cells.cache import cell_key
from benchmarks.cells.executors import Resources, torchrun
from benchmarks.figures.designs import PAPER, PAPER_GPUS, Design
from evaluation.catalogue.networks import for_metric
from evaluation.catalogue.registry import metric
from evaluation.protocol.fields import override
from evaluation.protocol.presets import LATTE
from latte.autoencoder import DEFAULT_VAE
from latte.training.config import TrainConfig, load_config

# Raised by any change that moves weights, another default value of a configuration included: all
# trainings begin anew.
TRAINING_VERSION = 2
VERSION = 2  # raised by any change of this module that moves a number, but no weight
DATASET = "faceforensics"
SAMPLES = 2048
DIT = "https://dl.fbaipublicfiles.com/DiT/models/DiT-XL-2-256x256.pt"
WEIGHTS = "ema.safetensors"


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
    resources: Resources  # no effect on results

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
        passes = PAPER_GPUS // self.resources.processes
        if passes > 1:
            settings.append(f"training.accumulate={passes}")
        chosen = [part for setting in settings for part in ("--set", setting)]
        place = ["--out", str(self.run), "--data-root", str(self.data_root)]
        return [*torchrun(self.resources), "train", PAPER.config, *chosen, *place]

    def sample_command(self, step: int) -> list[str]:
        """Samples of a checkpoint; those that are there are not made again."""
        what = [str(self.checkpoint(step)), "--dataset", DATASET, *self.sampling]
        return [*torchrun(self.resources), "sample", *what, "--out", str(self.samples(step))]

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
