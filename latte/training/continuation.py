"""What may differ between a run and its continuation: what moves no weight."""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, get_type_hints

from latte.training.config import TrainConfig, as_table

# They do not move the weights, or not by more than another machine does.
_FREE = {("training", "steps"), ("training", "compile"), ("training", "checkpoint_activations")}
# Several ways to the same batch of all processes, which is what counts.
_BATCH = {("training", "batch_size"), ("training", "accumulate")}
_DATASET, _AUTOENCODER, _CACHE = (
    ("data", "dataset"),
    ("autoencoder", "path"),
    ("autoencoder", "cache"),
)


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What the weights of a run rest on besides its configuration; None: not known."""

    processes: int = 1
    videos: str | None = None  # `TrainingSet.digest`
    autoencoder: str | None = None  # `Autoencoder.digest`

    def as_texts(self) -> dict[str, str]:
        """For the header of a file."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {name: str(value) for name, value in values.items() if value is not None}

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> "Circumstances":
        """From a header; older ones lack some, or all.

        Raises:
            ValueError: the number of processes is none.
        """
        return cls(
            processes=int(texts.get("processes", 1)),
            videos=texts.get("videos"),
            autoencoder=texts.get("autoencoder"),
        )


UNKNOWN = Circumstances()


def differences(
    old: Mapping[str, Mapping[str, Any]],
    config: TrainConfig,
    *,
    before: Circumstances = UNKNOWN,
    now: Circumstances = UNKNOWN,
) -> list[str]:
    """In what a continuation of a run differs from how it began, where that moves the weights.

    Videos and autoencoder are compared by what they are, and may then lie elsewhere; where it is
    not known what they were, by their paths.
    """
    new = as_table(config)
    free = set(_free_fields(old, new, before, now))
    found = []
    for section in (entry.name for entry in fields(TrainConfig) if entry.name != "output"):
        past, present = old.get(section, {}), new[section]
        for name in sorted(past.keys() | present.keys()):
            was, is_now = past.get(name, _default(section, name)), present.get(name)
            if was != is_now and (section, name) not in free:
                found.append(f"{section}.{name} was {was!r}, is {is_now!r}")
    # Other fields of [data] choose other videos: those are named then.
    if _differ(before.videos, now.videos) and not any(each.startswith("data.") for each in found):
        found.append("the videos of data.dataset are others")
    if _differ(before.autoencoder, now.autoencoder):
        found.append("the weights of the autoencoder are others")
    return found


def clips_per_step(training: Mapping[str, Any], processes: int) -> int:
    """The batch of all processes together."""
    return int(training["batch_size"] * training["accumulate"] * processes)


def _free_fields(
    old: Mapping[str, Mapping[str, Any]],
    new: Mapping[str, Mapping[str, Any]],
    before: Circumstances,
    now: Circumstances,
) -> Iterator[tuple[str, str]]:
    yield from _FREE - ({("training", "steps")} if new["training"]["decay"] == "cosine" else set())
    clips = clips_per_step(new["training"], now.processes)
    if clips_per_step(old["training"], before.processes) == clips:
        yield from _BATCH
    if before.videos is not None and now.videos is not None:
        yield _DATASET
    if before.autoencoder is not None and now.autoencoder is not None:
        yield _AUTOENCODER
    if ("cache" in old.get("autoencoder", {})) == ("cache" in new["autoencoder"]):
        yield _CACHE


def _default(section: str, name: str) -> Any:
    """Of a field which an older version did not have: it did what the default does now."""
    table = get_type_hints(TrainConfig)[section]
    defaults = {entry.name: entry.default for entry in fields(table)}
    return None if defaults.get(name, MISSING) is MISSING else defaults[name]


def _differ(before: str | None, now: str | None) -> bool:
    return None not in (before, now) and before != now
