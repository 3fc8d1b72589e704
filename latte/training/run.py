"""A training run: from a configuration to checkpoints, samples and a log."""

import copy
import errno
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from types import FrameType

import numpy as np
import torch
from filelock import FileLock, Timeout

from latte.autoencoder import lasting_path
from latte.data.errors import InputError, named
from latte.data.files import folder_if_used
from latte.data.signals import polite_signals
from latte.model.checkpoints import AutoencoderSettings, CheckpointSettings
from latte.sampling.faults import fixable_faults
from latte.sampling.preview import contact_sheet
from latte.training.config import TrainConfig, as_table
from latte.training.distributed import join_group
from latte.training.log import RunLog
from latte.training.loop import Run, RunOptions, diverged, run_steps
from latte.training.prepare import check_folder, prepare
from latte.training.snapshot import Snapshot
from latte.training.state import TrainState, drop_old_states, save_state

__all__ = ["RunOptions", "train"]

logger = logging.getLogger(__name__)

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
        check_folder(options.out)
        # Locked before anything of the run is read or written; other processes end with the first.
        with locked_folder(options.out) if group.is_first else nullcontext():
            run = prepare(config, options, group)
            if not group.is_first:
                return _run_all_steps(run, None, should_stop)
            with closing(RunLog(options.out, resumed_at=run.state.counters.step)) as log:
                return _run_all_steps(run, log, should_stop)


@contextmanager
def locked_folder(out: Path) -> Iterator[None]:
    """Lock a run's folder: two runs in it would overwrite each other's steps.

    The folder is made; where nothing came into it, it goes again.

    Raises:
        InputError: another run does.
    """
    lock = FileLock(out / LOCK, timeout=0)
    with folder_if_used(out):
        try:
            lock.acquire()
        except Timeout:
            raise InputError(
                f"{out}: another run trains there: wait for it or stop it, or give another --out"
            ) from None
        except NotImplementedError:  # a file system without locks is no reason not to train
            pass
        except OSError as error:
            if error.errno not in WITHOUT_LOCKS:
                raise
        try:
            yield
        finally:
            lock.release()
            if [path.name for path in out.iterdir()] == [LOCK]:
                (out / LOCK).unlink()


@contextmanager
def stop_between_steps() -> Iterator[Callable[[], bool]]:
    """Ctrl-C or a polite kill ends the run after the step under way; a second one at once."""
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        logger.warning("stopping after this step. Interrupt again to stop without saving it.")

    before = {number: signal.getsignal(number) for number in polite_signals()}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, ask)
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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


def _run_all_steps(run: Run, log: RunLog | None, should_stop: Callable[[], bool]) -> Path:
    """Run all steps; whatever ends them early, trained weights are written first."""
    counters, steps = run.state.counters, run.config.training.steps
    saved_at = counters.step
    try:
        with closing(run_steps(run, should_stop)) as rows:
            for row in rows:
                if log is not None and row is not None:
                    log.add("log", counters.step, row)
                if _is_due(run, "checkpoint_every") or counters.step == steps:
                    _save(run)
                    saved_at = counters.step
                try:
                    _sample_and_evaluate(run, log)
                except Exception:  # a fault in a user's function must not cost the steps before it
                    if counters.step > saved_at:
                        _write(run)
                        saved_at = counters.step
                    raise
    except InputError:
        # A loss that is not finite has corrupted the weights: the last checkpoint stands.
        # Other processes may be within a step, so this one does not wait for them.
        if counters.step > saved_at and _is_finite(run.state):
            _write(run)
        raise
    if counters.step < steps:
        if counters.step > saved_at:
            _save(run)
        raise KeyboardInterrupt
    return run.options.out / "checkpoints" / f"{counters.step:07d}" / "ema.safetensors"


def _is_due(run: Run, name: str) -> bool:
    every = getattr(run.config.output, name)
    return every > 0 and run.state.counters.step % every == 0


def _save(run: Run) -> None:
    """Write a checkpoint, for which all processes meet."""
    if not _is_finite(run.state):
        raise diverged(run.state)
    counters, group = run.state.counters, run.group
    window = torch.tensor(counters.window, dtype=torch.float64, device=group.device)
    counters.window = group.mean(window).tolist()
    _write(run)
    group.wait()


def _write(run: Run) -> None:
    if run.group.is_first:
        folder = run.options.out / "checkpoints"
        save_state(folder, run.state, run.config, _settings(run), run.inputs)
        drop_old_states(folder, run.config.output.keep_states)


def _sample_and_evaluate(run: Run, log: RunLog | None) -> None:
    """Sample and evaluate the averaged network where that is due; other processes wait."""
    if not (_is_due(run, "sample_every") or _is_due(run, "evaluate_every")):
        return
    if log is not None:
        model = copy.deepcopy(run.state.model).eval().requires_grad_(False)
        model.load_state_dict(run.state.ema_state_dict())
        snapshot = Snapshot(
            step=run.state.counters.step,
            model=model,
            autoencoder=run.autoencoder,
            config=run.config,
            classes=run.training_set.classes,
            device=run.group.device,
        )
        if _is_due(run, "sample_every"):
            _draw_samples(run, snapshot, log)
        if _is_due(run, "evaluate_every") and run.options.evaluate is not None:
            log.add("evaluations", snapshot.step, run.options.evaluate(snapshot))
    run.group.wait()


def _draw_samples(run: Run, snapshot: Snapshot, log: RunLog) -> None:
    count = run.config.output.num_samples
    labels = snapshot.labels(count)
    names = [str(i) if labels is None else snapshot.classes[labels[i]] for i in range(count)]
    sheet = contact_sheet(list(zip(names, snapshot.clips(count), strict=True)))
    path = run.options.out / "samples" / f"{snapshot.step:07d}.png"
    with named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(path)
    log.add_image("samples", snapshot.step, np.asarray(sheet))


def _settings(run: Run) -> CheckpointSettings:
    """Metadata of a checkpoint: how it was made, and how to sample from it."""
    config, training_set, digest = run.config, run.training_set, run.autoencoder.digest
    autoencoder = AutoencoderSettings(name=config.autoencoder.name)
    if config.autoencoder.path is not None:
        autoencoder["path"] = lasting_path(config.autoencoder.path)
    if digest is not None:
        autoencoder["digest"] = digest
    settings: CheckpointSettings = {
        "dataset": config.data.dataset,
        "frame_size": config.data.size,
        "autoencoder": autoencoder,
        "diffusion": as_table(config)["diffusion"],
        "step": run.state.counters.step,
        "samples": run.state.counters.samples,
        "training": as_table(config),
    }
    if training_set.labels is not None:
        settings["classes"] = list(training_set.classes)
        settings["sampling"] = {"guidance_scale": config.output.guidance_scale}
    if training_set.fps is not None:
        settings["fps"] = training_set.fps / config.data.stride
    return settings


def _is_finite(state: TrainState) -> bool:
    return all(bool(torch.isfinite(value).all()) for value in state.averages.values())
