"""A training run: from a configuration to checkpoints, samples and a log."""

import copy
import errno
import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout

from latte.autoencoder import lasting_path
from latte.data.errors import InputError
from latte.data.files import atomic_path, folder_if_used, writing_in
from latte.model.checkpoints import AutoencoderSettings, CheckpointSettings
from latte.sampling.faults import fixable_faults
from latte.sampling.preview import contact_sheet
from latte.training.config import TrainConfig, as_table
from latte.training.distributed import join_group
from latte.training.log import RunLog
from latte.training.loop import Run, RunOptions, diverged, run_steps
from latte.training.prepare import check_folder, prepare
from latte.training.snapshot import Snapshot, numbers_by_name
from latte.training.state import TrainState, drop_old_states, save_state
from latte.training.stopping import StopNow, StopRequests, hearing_signals

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
        hearing_signals() as requests,
        allowing_tf32(config.training.tf32 and group.device.type == "cuda"),
    ):
        check_folder(options.out)
        # Locked before anything of the run is read or written; other processes end with the first.
        with locked_folder(options.out) if group.is_first else nullcontext():
            with requests.at_once():
                run = prepare(config, options, group)
            if not group.is_first:
                return _run_all_steps(run, None, requests)
            with closing(RunLog(options.out, resumed_at=run.state.counters.step)) as log:
                return _run_all_steps(run, log, requests)


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
            with writing_in(out):
                yield
        finally:
            lock.release()
            if [path.name for path in out.iterdir()] == [LOCK]:
                (out / LOCK).unlink()


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


def _run_all_steps(run: Run, log: RunLog | None, requests: StopRequests) -> Path:
    """Run all steps; whatever ends them early, trained weights are written first."""
    counters, steps = run.state.counters, run.config.training.steps
    saved_at = counters.step
    try:
        if counters.step:  # a kill may have come between the checkpoint and what follows it
            _sample_and_evaluate(run, log, requests, resumed=True)
        with closing(run_steps(run, requests)) as rows:
            for row in rows:
                if log is not None and row is not None:
                    log.add("log", counters.step, row)
                if _is_due(run, "checkpoint_every") or counters.step == steps:
                    saved_at = counters.step  # also where it fails: the error is reported
                    _save(run)
                _sample_and_evaluate(run, log, requests)
    except (Exception, StopNow) as error:
        # A loss that is not finite has corrupted the weights: the last checkpoint stands.
        # Other processes may be within a step, so this one does not wait for them.
        if counters.step > saved_at:
            _write_what_is_sound(run)
        if requests.asked and not isinstance(error, InputError | StopNow):
            raise KeyboardInterrupt from error  # another process has stopped, and was waited for
        raise
    if counters.step < steps:
        if counters.step > saved_at:
            _save(run)
        raise KeyboardInterrupt
    return run.options.out / "checkpoints" / f"{counters.step:07d}" / "ema.safetensors"


def _write_what_is_sound(run: Run) -> None:
    """Write the weights after an error, which is the one to be reported."""
    try:
        if _is_finite(run.state):
            _write(run)
    except Exception as error:  # the same full disk, or a GPU that has failed
        logger.warning("the steps since the last checkpoint cannot be written (%s)", error)


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


def _sample_and_evaluate(
    run: Run, log: RunLog | None, requests: StopRequests, *, resumed: bool = False
) -> None:
    """Sample and evaluate the averaged network where that is due; other processes wait.

    Args:
        resumed: only what an earlier process was to do at this step, and has not done.
    """
    if not (_is_due(run, "sample_every") or _is_due(run, "evaluate_every")):
        return
    step = run.state.counters.step
    if log is not None:
        draws = _is_due(run, "sample_every") and not (resumed and _sheet(run).exists())
        evaluates = _is_due(run, "evaluate_every") and run.options.evaluate is not None
        evaluates = evaluates and not (resumed and log.has("evaluations", step))
        try:
            with requests.at_once():
                snapshot = _snapshot(run)
                if draws:
                    _draw_samples(run, snapshot, log)
                if evaluates:
                    _evaluate(run, snapshot, log)
        except StopNow:  # the others are to stop as well
            logger.info("step %d: its evaluation is made when the run is resumed", step)
    run.group.wait()


def _snapshot(run: Run) -> Snapshot:
    model = copy.deepcopy(run.state.model).eval().requires_grad_(False)
    model.load_state_dict(run.state.ema_state_dict())
    return Snapshot(
        step=run.state.counters.step,
        model=model,
        autoencoder=run.autoencoder,
        config=run.config,
        classes=run.training_set.classes,
        device=run.group.device,
    )


def _evaluate(run: Run, snapshot: Snapshot, log: RunLog) -> None:
    assert run.options.evaluate is not None
    row = numbers_by_name(run.options.evaluate(snapshot), run.options.evaluate)
    log.add("evaluations", snapshot.step, row)


def _sheet(run: Run) -> Path:
    """The picture of samples of this step."""
    return run.options.out / "samples" / f"{run.state.counters.step:07d}.png"


def _draw_samples(run: Run, snapshot: Snapshot, log: RunLog) -> None:
    count = run.config.output.num_samples
    labels = snapshot.labels(count)
    names = [str(i) if labels is None else snapshot.classes[labels[i]] for i in range(count)]
    with closing(snapshot.clips(count)) as clips:
        sheet = contact_sheet(list(zip(names, clips, strict=True)))
    with atomic_path(_sheet(run)) as partial:
        sheet.save(partial, format="png")
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
