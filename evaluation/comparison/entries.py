"""Results of files, sorted into columns whose ranked values were all made in one way."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.protocol.deviations import Deviation, differences
from evaluation.results.reading import numbered_records
from evaluation.results.record import UNDIRECTED
from latte.data.errors import InputError

NEEDED: Mapping[str, type | tuple[type, ...]] = {
    "metric": str,
    "model": str,
    "fingerprint": str,
    "higher_is_better": (bool, type(None)),
    "protocol_fields": dict,
    "deviations": list,
}
# Fields that decide which real clips there are: where one of them differs, other clips go without
# saying.
CHOOSE_REAL = ("num_frames", "window", "mirror", "seed", "recipe", "filter", "size", "storage")
HIDDEN = "hidden-"  # before what is measured in a model's hidden states, in place of videos

Way = tuple[str, str, str, str]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A result and where it stands."""

    where: str  # "results.jsonl, line 3"
    record: Mapping[str, Any]

    @property
    def model(self) -> str:
        return str(self.record["model"])

    @property
    def higher_is_better(self) -> bool | None:
        """None: neither more nor less is better."""
        found: bool | None = self.record["higher_is_better"]
        return None if is_undirected(str(self.record["metric"])) else found

    @property
    def place(self) -> tuple[str, str]:
        """The metric, and the data set that it was measured on, or the real videos' path."""
        real = self.record.get("real") or {}
        given = Path(str(real.get("path") or "")).name
        return str(self.record["metric"]), str(self.record.get("dataset") or given)

    @property
    def way(self) -> Way:
        """What has to be equal for two values to compare.

        Fingerprint, weights, real clips, and what the generated frames went through.
        """
        real = self.record.get("real") or {}
        keys = (self.record["fingerprint"], self.record.get("weights_sha256"), real.get("digest"))
        return (str(keys[0]), str(keys[1] or ""), str(keys[2] or ""), frames_of(self.record))


def is_undirected(name: str) -> bool:
    """Whether a metric is best neither high nor low, whatever older files say of it.

    >>> [is_undirected(name) for name in ("hidden-inversion-rate", "inversion-rate-pixels", "FVD")]
    [True, True, False]
    """
    own = name.removeprefix(HIDDEN)
    return any(own == title or own.startswith(f"{title}-") for title in UNDIRECTED)


def read_entries(paths: Sequence[Path]) -> list[Entry]:
    """The results of files, each with its line.

    Raises:
        InputError: no results, or a line that is none or lacks what a comparison needs.
    """
    entries = [
        Entry(where=f"{path}, line {number}", record=record)
        for path in paths
        for number, record in numbered_records(path)
    ]
    if not entries:
        raise InputError(
            f"{', '.join(map(str, paths)) or 'nothing'}: no results in it to compare; `latte-eval "
            "fvd` writes some"
        )
    for entry in entries:
        _check(entry)
    return entries


def newest(entries: Iterable[Entry]) -> tuple[list[Entry], list[str]]:
    """One entry for each model, column and way; the newest by date, then by line."""
    kept: dict[tuple[object, ...], Entry] = {}
    remarks = []
    for entry in entries:
        key = (entry.model, entry.place, entry.way)
        before = kept.get(key)
        if before is None:
            kept[key] = entry
            continue
        later = str(entry.record.get("date") or "") >= str(before.record.get("date") or "")
        counts, other = (entry, before) if later else (before, entry)
        kept[key] = counts
        if counts.record["value"] != other.record["value"]:
            remarks.append(
                f"{entry.model}, {place_title(entry.place)}: measured twice in the same way; the "
                f"newer counts ({counts.where}), not {other.record['value']:.6g} ({other.where})."
            )
    return list(kept.values()), remarks


def in_columns(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Entries by column; those made as the column's first entry are its ranked ones."""
    places: dict[tuple[str, str], dict[Way, list[Entry]]] = {}
    homes: dict[tuple[str, Way], tuple[str, str]] = {}
    for entry in entries:
        home = entry.place
        if entry.record.get("dataset") is None and entry.way[2]:
            # The same clips by another path, such as that of their statistics: the same column.
            home = homes.setdefault((home[0], entry.way), home)
        places.setdefault(home, {}).setdefault(entry.way, []).append(entry)
    columns: list[list[Entry]] = []
    for ways in places.values():
        here: list[list[Entry]] = []
        for group in sorted(ways.values(), key=len, reverse=True):  # stable: ties keep their order
            models = {entry.model for entry in group}
            for column in here:
                if not models & {entry.model for entry in column}:
                    column += group
                    break
            else:
                here.append(list(group))
        columns += here
    return columns


def differing(record: Mapping[str, Any], reference: Mapping[str, Any]) -> list[Deviation]:
    """Everything in which a result was made in another way than a reference one."""
    found = differences(record["protocol_fields"], reference["protocol_fields"])
    found += differences(record.get("parameters") or {}, reference.get("parameters") or {})
    named = {each.field for each in found}
    ours, theirs = (str(each.get("weights_sha256") or "") for each in (record, reference))
    if ours != theirs and "weights" not in named:
        found.append(
            Deviation(field="weights", value=ours[:12] or None, wanted=theirs[:12] or None)
        )
    ours, theirs = (
        str((each.get("real") or {}).get("digest") or "") for each in (record, reference)
    )
    explained = any(
        name in (*CHOOSE_REAL, "num_real", "split", "short_real") or name.startswith("real_")
        for name in named
    )
    if ours != theirs and not explained:
        found.append(Deviation(field="real clips", value=ours[:12], wanted=theirs[:12]))
    ours, theirs = frames_of(record), frames_of(reference)
    if ours != theirs:
        found.append(Deviation(field="generated frames", value=ours, wanted=theirs))
    if not found:
        ours, theirs = record["fingerprint"], reference["fingerprint"]
        found.append(Deviation(field="fingerprint", value=ours, wanted=theirs))
    return found


def frames_of(record: Mapping[str, Any]) -> str:
    """What the generated frames are: lossless ones of one size, however they were stored, agree."""
    fake = record.get("fake") or {}
    storage = str(fake.get("storage") or "")
    kept = "lossless" if storage in ("png", "array", "lossless") else storage
    # JPEG frames that were made here and those that came so were both made for the same protocols.
    kept = "jpg" if kept.startswith("jpeg-75") else kept
    return f"{fake.get('width')}×{fake.get('height')} {kept}"


def place_title(place: tuple[str, str]) -> str:
    """`FVD, ucf101`; the metric alone where there is no data set."""
    metric, dataset = place
    return f"{metric}, {dataset}" if dataset else metric


def _check(entry: Entry) -> None:
    record = entry.record
    wrong = [key for key, kind in NEEDED.items() if not isinstance(record.get(key, ...), kind)]
    if wrong:
        raise InputError(
            f"{entry.where}: this result has no usable {', '.join(wrong)}; remove that line, or "
            "measure again"
        )
    value, ends = record["value"], record.get("interval") or []
    try:
        sound = all(math.isfinite(number) for number in (value, *ends))
        sound = sound and (not ends or (len(ends) == 2 and ends[0] <= ends[1]))
        sound = sound and 0 < float(record.get("level", 0.95)) < 1
    except (TypeError, ValueError, KeyError):
        sound = False
    if not sound or isinstance(value, bool):
        raise InputError(
            f"{entry.where}: value {json.dumps(value)} with interval {json.dumps(ends)} is not a "
            "finite number with its interval; remove that line, or measure again"
        )
