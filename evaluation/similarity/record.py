"""Summaries as records of a results file, and back."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from evaluation.metrics.inputs import Array
from evaluation.similarity.summary import NUM_BINS, ArrayEstimate, Estimate, Summary
from latte.data.schema import convert

DECIMALS = 5  # decimals of arrays; numbers keep all their digits
Entries = list[float | list[float]]


@dataclass(frozen=True, kw_only=True)
class ArrayRecord:
    """The entries of an array, rounded, with the ends of their intervals."""

    value: Entries
    low: Entries | None
    high: Entries | None
    first: int = 0  # place of the first entry; entries before it and after the last are 0


@dataclass(frozen=True, kw_only=True)
class SummaryRecord:
    """How alike frames are, over clips."""

    num_clips: int
    numbers: dict[str, Estimate]
    matrix: ArrayRecord
    by_distance: ArrayRecord
    distribution: ArrayRecord  # only the bins from the first to the last that is used


def summary_record(summary: Summary) -> dict[str, Any]:
    """A summary for JSON."""
    used = np.flatnonzero(summary.distribution.value)
    record = SummaryRecord(
        num_clips=summary.num_clips,
        numbers=dict(summary.numbers),
        matrix=_rounded(summary.matrix),
        by_distance=_rounded(summary.by_distance),
        distribution=_rounded(summary.distribution, int(used[0]), int(used[-1]) + 1),
    )
    return asdict(record)


def read_summary(stored: Any, where: str = "a summary of similarities") -> Summary:
    """The summary that a record was made from, its arrays rounded.

    Raises:
        InputError: it is no such record.
    """
    record = convert(stored, SummaryRecord, where)
    return Summary(
        num_clips=record.num_clips,
        matrix=_array(record.matrix),
        by_distance=_array(record.by_distance),
        distribution=_array(record.distribution, NUM_BINS),
        numbers=record.numbers,
    )


def _rounded(array: ArrayEstimate, first: int = 0, end: int | None = None) -> ArrayRecord:
    def rounded(values: Array | None) -> Any:
        return None if values is None else np.round(values[first:end], DECIMALS).tolist()

    return ArrayRecord(
        value=rounded(array.value), low=rounded(array.low), high=rounded(array.high), first=first
    )


def _array(record: ArrayRecord, size: int | None = None) -> ArrayEstimate:
    after = 0 if size is None else size - record.first - len(record.value)

    def padded(values: Entries | None) -> Any:
        return None if values is None else np.pad(np.array(values), (record.first, after))

    return ArrayEstimate(
        value=padded(record.value), low=padded(record.low), high=padded(record.high)
    )
