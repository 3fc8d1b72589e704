"""A training at the paper's settings: `latte train`, then `latte sample` and FVD of checkpoints.

Each command is resumed, or skipped where its results are there.
"""

import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.cells.cache import CellValue, cell_key
from benchmarks.cells.executors import PAPER_GPUS
from benchmarks.cells.provenance import software_of
from benchmarks.cells.requirements import vae_identity
from benchmarks.figures.designs import DATASET, PAPER, Design
from benchmarks.figures.requests import TrainingRequest
from evaluation.catalogue.registry import metric
from evaluation.measuring.choice import for_metric
from evaluation.protocol.fields import override
from evaluation.protocol.presets import LATTE
from evaluation.results.files import read_results
from evaluation.results.record import Result
from latte.autoencoder import DEFAULT_VAE
from latte.data.errors import InputError
from latte.data.hashing import file_sha256
from latte.data.processes.cluster import run_command, torchrun
from latte.training.config import TrainConfig, load_config

# Raised by any change that affects weights, such as another default of a configuration: all
# trainings begin anew.
TRAINING_VERSION = 2
VERSION = 2  # raised by any change of this module that affects a number, but no weight
SAMPLES = 2048
DIT = "https://dl.fbaipublicfiles.com/DiT/models/DiT-XL-2-256x256.pt"
WEIGHTS = "ema.safetensors"


@dataclass(frozen=True, kw_only=True)
class PaperTraining:
    """A design and a seed on FaceForensics."""

    design: Design
    seed: int  # 0 is the configuration's own
    request: TrainingRequest

    @property
    def name(self) -> str:
        """Name for messages."""
        return f"{self.design.name}, seed {self.seed}"

    @cached_property
    def settings(self) -> tuple[str, ...]:
        """Settings of `latte train`."""
        request, own_seed = self.request, load_config(PAPER.config).training.seed
        settings = [*PAPER.settings_of(self.design), f"training.seed={own_seed + self.seed}"]
        if request.vae is not None:
            settings.append(f"autoencoder.path={request.vae}")
        if self.design.starts_from_images:
            settings.append(f"model.initialise_from={request.initialise_from or Path(DIT).name}")
        return tuple(settings)

    @cached_property
    def config(self) -> TrainConfig:
        """What these settings make."""
        return load_config(PAPER.config, self.settings)

    @cached_property
    def steps(self) -> tuple[int, ...]:
        """Checkpoints that are measured."""
        every = self.config.training.steps // PAPER.points
        return tuple(every * (place + 1) for place in range(PAPER.points))

    @cached_property
    def strides(self) -> tuple[int, ...]:
        """Sampling intervals of the real clips."""
        return PAPER.strides_of(self.design)

    @cached_property
    def initial(self) -> str:
        """The file that an image model's design starts from: its digest, or its address."""
        path = self.request.initialise_from
        return file_sha256(path) if path is not None and path.is_file() else DIT

    @cached_property
    def vae(self) -> str:
        """The autoencoder: the digest of its files, or its name on the hub."""
        return vae_identity(self.config.autoencoder.path or DEFAULT_VAE)

    @cached_property
    def training_key(self) -> str:
        """Hash over all that decides the weights but the pixels of the data set.

        Values that are the configuration's defaults are left out: a new field orphans no training.
        """
        table = _changed_values(self.config)
        table.pop("output", None)
        table.setdefault("autoencoder", {})["path"] = self.vae
        if self.design.starts_from_images:
            table["model"]["initialise_from"] = self.initial
        return cell_key(version=TRAINING_VERSION, config=table)

    @cached_property
    def key(self) -> str:
        """Hash over the training and how it is measured: all that decides the values."""
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
        return self.request.folder / "runs" / self.training_key

    @property
    def measured(self) -> Path:
        """Folder of samples and results."""
        return self.run / "measured" / self.key

    @cached_property
    def sampling(self) -> tuple[str, ...]:
        """Options of `latte sample` that decide the samples: the official ones, fp16 as in Table 3,
        other noise for each seed."""
        sampler = ("--method", "ddpm", "--steps", "250", "--precision", "fp16")
        return ("--num-samples", str(SAMPLES), *sampler, "--seed", str(self.seed))

    def train_command(self) -> list[str]:
        """The training; it resumes, also with another number of GPUs."""
        settings, resources = list(self.settings), self.request.resources
        passes = PAPER_GPUS // resources.processes
        if passes > 1:
            settings.append(f"training.accumulate={passes}")
        place = ["--out", str(self.run), "--data-root", str(self.request.root)]
        return [*torchrun(resources), "train", PAPER.config, *_set_options(settings), *place]

    def sample_command(self, step: int) -> list[str]:
        """Samples of a checkpoint; existing ones are kept."""
        options = [str(self.checkpoint(step)), "--dataset", DATASET, *self.sampling]
        program = torchrun(self.request.resources)
        return [*program, "sample", *options, "--out", str(self.samples(step))]

    def measure_commands(self, step: int) -> dict[Path, list[str]]:
        """Measurements of a checkpoint's samples, by the file of the result.

        FVD against real clips at each interval; of the last checkpoint FID at the first one.
        """
        commands = {
            self.results(step, stride): self._measure_command("fvd", step, stride)
            for stride in self.strides
        }
        if step == self.steps[-1]:
            commands[self.fid] = self._measure_command("fid", step, self.strides[0])
        return {path: [*command, "--out", str(path)] for path, command in commands.items()}

    def _measure_command(self, name: str, step: int, stride: int) -> list[str]:
        sets = ["--dataset", DATASET, "--fake", str(self.samples(step)), "--protocol", LATTE.name]
        options = [*_set_options(_protocol_fields(stride)), "--data-root", str(self.request.root)]
        return ["python", "-m", "evaluation", name, *sets, *options]

    def checkpoint(self, step: int) -> Path:
        """Averaged weights of a checkpoint; those of measured checkpoints are kept."""
        return self.run / "checkpoints" / f"{step:07d}" / WEIGHTS

    @property
    def weights(self) -> Path:
        """Averaged weights at the end: they exist once it is trained."""
        return self.checkpoint(self.steps[-1])

    def samples(self, step: int) -> Path:
        """Folder of a checkpoint's samples, gigabytes that are removed once they are measured."""
        return self.measured / "samples" / f"{step:07d}"

    def results(self, step: int, stride: int) -> Path:
        """File of one FVD, which is not measured again."""
        return self.measured / "fvd" / f"{step:07d}-stride{stride}.jsonl"

    @property
    def fid(self) -> Path:
        """File of the last checkpoint's FID."""
        return self.measured / "fid" / f"{self.steps[-1]:07d}.jsonl"


def _set_options(settings: Iterable[str]) -> list[str]:
    return [part for setting in settings for part in ("--set", setting)]


def _changed_values(config: TrainConfig) -> dict[str, dict[str, Any]]:
    """The values of a configuration that are not the defaults, by table."""
    changed: dict[str, dict[str, Any]] = {}
    for section in fields(config):
        table = getattr(config, section.name)
        for entry in fields(table):
            value = getattr(table, entry.name)
            if value != entry.default:
                changed.setdefault(section.name, {})[entry.name] = value
    return changed


def _protocol_fields(stride: int) -> tuple[str, ...]:
    """Changed fields of the protocol: all available real videos, at most as many as it says."""
    return (f"num_fake={SAMPLES}", f"real_stride={stride}")


def _fingerprint(name: str, stride: int) -> str:
    """Fingerprint of the protocol as a metric takes it."""
    return for_metric(override(LATTE, list(_protocol_fields(stride))), metric(name)).fingerprint


def measure_paper_training(task: PaperTraining) -> CellValue:
    """Run the commands whose results are not there yet.

    Raises:
        InputError: one of them failed, a file of results has a broken line, or weights that are
            to be measured were removed.
    """
    missing = {
        step: [command for path, command in task.measure_commands(step).items() if not _read(path)]
        for step in task.steps
    }
    if any(missing.values()) and not task.weights.exists():
        run_command(task.train_command())
        _remove_unmeasured(task)
    for step, commands in missing.items():
        if commands and not task.checkpoint(step).exists():
            raise InputError(
                f"{task.run}: is trained, but its weights of step {step:,} are gone: bring them "
                "back, or remove the folder to have it trained again"
            )
    for step, commands in missing.items():
        for command in [task.sample_command(step), *commands] if commands else []:
            run_command(command)
        _remove(task.samples(step))
    results = {path: _result(path) for step in task.steps for path in task.measure_commands(step)}
    points = [
        [(step, results[task.results(step, stride)]) for step in task.steps]
        for stride in task.strides
    ]
    (_, last), fid = points[0][-1], results[task.fid]
    deviations = dict.fromkeys(part for result in results.values() for part in result.deviations)
    return CellValue(
        value=last.value,
        interval=last.ends,
        details={
            "points": [[[step, x.value, *x.ends] for step, x in rows] for rows in points],
            "fid": [fid.value, *fid.ends],
            "fingerprint": last.fingerprint,
            "num_real": last.num_real,
            "num_fake": last.num_fake,
            "deviations": [asdict(part) for part in deviations],
        },
        provenance=software_of(last),
    )


def tidy(task: PaperTraining) -> None:
    """Keep the weights of a measured training that are measured, beside its log and results."""
    if task.weights.exists():
        _remove_unmeasured(task)
    # The state to resume from: 11 GB that nobody needs once the training is complete.
    _remove(task.weights.with_name("state.safetensors"))
    for step in task.steps:
        _remove(task.samples(step))


def _remove_unmeasured(task: PaperTraining) -> None:
    """Checkpoints in between are for resuming after a hard stop alone."""
    kept = {task.checkpoint(step).parent for step in task.steps}
    for folder in set(task.weights.parents[1].glob("*")) - kept:
        _remove(folder)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _read(path: Path) -> list[Result]:
    """The results of a file, which need not be there."""
    return read_results(path) if path.exists() else []


def _result(path: Path) -> Result:
    results = _read(path)
    if not results:
        raise InputError(f"{path}: a command ended well, but left no result there: run it again")
    return results[-1]
