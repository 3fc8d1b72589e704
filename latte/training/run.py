"""A training run: from a configuration to checkpoints, samples and a log."""

import copy
import errno
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout

from latte.autoencoder import lasting_path
from latte.data.errors import InputError, named
from latte.data.files import folder_if_used
from latte.model.checkpoints import AutoencoderSettings, CheckpointSettings
from latte.sampling.faults import fixable_faults
from latte.sampling.preview import contact_sheet
from latte.training.config import TrainConfig, as_table
from latte.training.distributed import Group, join_group
from latte.training.log import RunLog
from latte.training.loop import RunParts, diverged, run_steps
from latte.training.prepare import RunOptions, check_folder, prepare
from latte.training.signals import stop_between_steps
from latte.training.snapshot import Snapshot
from latte.training.state import TrainState, drop_old_states, save_state

__all__ = ["RunOptions", "train"]

LOCK = ".lock"  # file in a run's folder
WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)


def train(config: TrainConfig, options: RunOptions) -> Path:
    """Train, or resume the run in `options.out`.

    Returns:
        The last checkpoint's averaged weights.

    Raises:
        InputError: data, weights, device or memory are not as the run needs them.
        KeyboardInterrupt: it was stopped: after its state was written, unless asked twice.
    """
    memory_advice = (
        f"for {config.training.batch_size} clips at a time: set training.batch_size lower and "
        "training.accumulate higher, training.precision to bf16, or "
        "training.checkpoint_activations to true"
    )
    with (
        fixable_faults(memory_advice, "set training.compile to false"),
        join_group(options.device) as group,
        stop_between_steps() as should_stop,
        allowing_tf32(config.training.tf32 and group.device.type == "cuda"),
    ):
        return _train(config, options, group, should_stop)


def _train(
    config: TrainConfig, options: RunOptions, group: Group, should_stop: Callable[[], bool]
) -> Path:
    check_folder(options.out)
    # Before anything of the run is read or written; the other processes end with the first.
    with alone_in(options.out) if group.is_first else nullcontext():
        parts, state = prepare(config, options, group)
        run = _Run(options=options, parts=parts, state=state)
        if not group.is_first:
            return run.to_the_end(None, should_stop)
        with RunLog(options.out, resumed_at=state.counters.step) as log:
            return run.to_the_end(log, should_stop)


@contextmanager
def alone_in(out: Path) -> Iterator[None]:
    """While no other run works in this folder: the two would overwrite each other's steps.

    The folder is made; where nothing came into it, it goes again.

    Raises:
        InputError: another run does.
    """
    lock = FileLock(out / LOCK, timeout=0)
    with folder_if_used(out):
        try:
            _acquire(lock)
        except Timeout:
            raise InputError(
                f"{out}: another run trains there: wait for it or stop it, or give another --out"
            ) from None
        try:
            yield
        finally:
            lock.release()
            if [path.name for path in out.iterdir()] == [LOCK]:
                (out / LOCK).unlink()


def _acquire(lock: FileLock) -> None:
    """A file system that knows no locks is no reason not to train."""
    try:
        lock.acquire()
    except NotImplementedError:
        return
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise


@contextmanager
def allowing_tf32(wanted: bool) -> Iterator[None]:
    """TF32 within, if wanted: what comes after a training is computed as before it."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    try:
        if wanted:
            torch.set_float32_matmul_precision("high")
            torch.backends.cudnn.allow_tf32 = True
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


@dataclass(frozen=True, kw_only=True)
class _Run:
    """One process's part of a run."""

    options: RunOptions
    parts: RunParts
    state: TrainState

    def to_the_end(self, log: RunLog | None, should_stop: Callable[[], bool]) -> Path:
        """Run all steps; whatever ends them early, trained weights are written first."""
        counters, steps = self.state.counters, self.parts.config.training.steps
        saved_at = counters.step

        def after_step(row: Mapping[str, float] | None) -> None:
            nonlocal saved_at
            if log is not None and row is not None:
                log.add("log", counters.step, row)
            if self._is_due("checkpoint_every") or counters.step == steps:
                self._save()
                saved_at = counters.step
            try:
                self._look(log)
            except Exception:  # a fault in a user's function must not cost the steps before it
                if counters.step > saved_at:
                    self._write()
                    saved_at = counters.step
                raise

        try:
            run_steps(
                self.parts,
                self.state,
                workers=self.options.workers,
                should_stop=should_stop,
                after_step=after_step,
                progress=self.options.progress,
            )
        except InputError:
            # A loss that is not finite has corrupted the weights: the last checkpoint stands.
            # Other processes may be within a step, so this one does not wait for them.
            if counters.step > saved_at and _is_finite(self.state):
                self._write()
            raise
        if counters.step < steps:
            if counters.step > saved_at:
                self._save()
            raise KeyboardInterrupt
        return self.options.checkpoints / f"{counters.step:07d}" / "ema.safetensors"

    def _is_due(self, name: str) -> bool:
        every = getattr(self.parts.config.output, name)
        return every > 0 and self.state.counters.step % every == 0

    def _save(self) -> None:
        """Write a checkpoint, for which all processes meet."""
        if not _is_finite(self.state):
            raise diverged(self.state)
        counters, group = self.state.counters, self.parts.group
        window = torch.tensor(counters.window, dtype=torch.float64, device=group.device)
        counters.window = group.mean(window).tolist()
        self._write()
        group.wait()

    def _write(self) -> None:
        parts, folder = self.parts, self.options.checkpoints
        if parts.group.is_first:
            settings = _settings(parts, self.state)
            save_state(folder, self.state, self.parts.config, settings, parts.inputs)
            drop_old_states(folder, self.parts.config.output.keep_states)

    def _look(self, log: RunLog | None) -> None:
        """Draw samples of the averaged network, and measure it; the others wait."""
        if not (self._is_due("sample_every") or self._is_due("evaluate_every")):
            return
        if log is not None:
            step = self.state.counters.step
            model = copy.deepcopy(self.state.model).eval().requires_grad_(False)
            model.load_state_dict(self.state.ema_state_dict())
            snapshot = Snapshot(
                step=step,
                model=model,
                autoencoder=self.parts.autoencoder,
                config=self.parts.config,
                classes=self.parts.training_set.classes,
                device=self.parts.group.device,
            )
            if self._is_due("sample_every"):
                self._draw_samples(snapshot, log)
            if self._is_due("evaluate_every") and self.options.evaluate is not None:
                log.add("evaluations", step, self.options.evaluate(snapshot))
        self.parts.group.wait()

    def _draw_samples(self, snapshot: Snapshot, log: RunLog) -> None:
        count = self.parts.config.output.num_samples
        labels = snapshot.labels(count)
        names = [str(i) if labels is None else snapshot.classes[labels[i]] for i in range(count)]
        sheet = contact_sheet(list(zip(names, snapshot.clips(count), strict=True)))
        path = self.options.out / "samples" / f"{snapshot.step:07d}.png"
        with named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            sheet.save(path)
        log.add_image("samples", snapshot.step, np.asarray(sheet))


def _settings(parts: RunParts, state: TrainState) -> CheckpointSettings:
    """Metadata of a checkpoint: how it was made, and how to sample from it."""
    config, training_set = parts.config, parts.training_set
    settings: CheckpointSettings = {
        "dataset": config.data.dataset,
        "frame_size": config.data.size,
        "autoencoder": _autoencoder_settings(parts),
        "diffusion": as_table(config)["diffusion"],
        "step": state.counters.step,
        "samples": state.counters.samples,
        "training": as_table(config),
    }
    if training_set.labels is not None:
        settings["classes"] = list(training_set.classes)
        settings["sampling"] = {"guidance_scale": config.output.guidance_scale}
    if training_set.fps is not None:
        settings["fps"] = training_set.fps / config.data.stride
    return settings


def _autoencoder_settings(parts: RunParts) -> AutoencoderSettings:
    """Its name, its path as seen from any folder, and its digest."""
    table, digest = parts.config.autoencoder, parts.autoencoder.digest
    settings = AutoencoderSettings(name=table.name)
    if table.path is not None:
        settings["path"] = lasting_path(table.path)
    if digest is not None:
        settings["digest"] = digest
    return settings


def _is_finite(state: TrainState) -> bool:
    return all(bool(torch.isfinite(value).all()) for value in state.averages.values())
