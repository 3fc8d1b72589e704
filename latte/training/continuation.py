"""What may differ between a run and its continuation: whatever does not affect the weights."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from latte.training.config import TrainConfig, TrainingTable


@dataclass(frozen=True, kw_only=True)
class RunInputs:
    """What the weights of a run depend on besides its configuration."""

    processes: int = 1
    videos: str | None = None  # `TrainingSet.digest`; None: not known
    autoencoder: str | None = None  # `Autoencoder.digest`; None: it has no weights


@dataclass(frozen=True, kw_only=True)
class Change:
    """A field of the configuration, or a digest, that was different when a run began."""

    field: str
    before: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.field} was {self.before!r}, is {self.now!r}"


def differences(
    old: TrainConfig,
    new: TrainConfig,
    *,
    before: RunInputs = RunInputs(),
    now: RunInputs = RunInputs(),
) -> list[Change]:
    """Differences between how a run began and how it would continue that affect the weights.

    Videos and autoencoder are compared by their digests, and may then lie elsewhere; where a digest
    is not known, by their paths.
    """
    free = set(_free_fields(old, new, before, now))
    past = asdict(old)
    changes = [
        Change(field=f"{section}.{name}", before=past[section][name], now=value)
        for section, table in asdict(new).items()
        for name, value in table.items()
        if section != "output" and past[section][name] != value and f"{section}.{name}" not in free
    ]
    # Other fields of [data] choose other videos: those are named then.
    if not any(change.field.startswith("data.") for change in changes):
        changes += _other_digest("digest of the videos", before.videos, now.videos)
    changes += _other_digest("digest of the autoencoder", before.autoencoder, now.autoencoder)
    return changes


def clips_per_step(training: TrainingTable, processes: int) -> int:
    """The batch of all processes together."""
    return training.batch_size * training.accumulate * processes


def _free_fields(
    old: TrainConfig, new: TrainConfig, before: RunInputs, now: RunInputs
) -> Iterator[str]:
    # These affect the weights no more than another machine does.
    yield from ("training.compile", "training.checkpoint_activations")
    if new.training.decay == "constant":
        yield "training.steps"
    # Only the batch of all processes counts.
    if clips_per_step(old.training, before.processes) == clips_per_step(
        new.training, now.processes
    ):
        yield from ("training.batch_size", "training.accumulate")
    if None not in (before.videos, now.videos):
        yield "data.dataset"
    if None not in (before.autoencoder, now.autoencoder):
        yield "autoencoder.path"
    if (old.autoencoder.cache is None) == (new.autoencoder.cache is None):
        yield "autoencoder.cache"


def _other_digest(what: str, before: str | None, now: str | None) -> Iterator[Change]:
    if before is not None and now is not None and before != now:
        yield Change(field=what, before=before[:8], now=now[:8])
