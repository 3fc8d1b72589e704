"""Summaries as records of a results file, and back."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from evaluation.metrics.inputs import Array
from evaluation.similarity.means import LEVEL, ArrayEstimate, Estimate
from evaluation.similarity.summary import NUM_BINS, Summary
from evaluation.uncertainty.interval import Interval
from latte.data.schema import convert

DECIMALS = 5  # decimals of arrays; numbers keep all their digits
Entries = list[float | list[float]]


@dataclass(frozen=True, kw_only=True)
class NumberRecord:
    """A number with its interval."""

    value: float
    interval: tuple[float, float] | None
    deviation: float | None = None  # standard deviation between clips


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
    numbers: dict[str, NumberRecord]
    matrix: ArrayRecord
    by_distance: ArrayRecord
    distribution: ArrayRecord  # only the bins from the first to the last that is used


def summary_record(summary: Summary) -> dict[str, Any]:
    """A summary for JSON."""
    used = np.flatnonzero(summary.distribution.value)
    record = SummaryRecord(
        num_clips=summary.num_clips,
        numbers={name: _number(estimate) for name, estimate in summary.numbers.items()},
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
        numbers={
            name: _estimate(number, record.num_clips) for name, number in record.numbers.items()
        },
    )


def number_record(number: Estimate) -> dict[str, Any]:
    """A number with its interval for JSON."""
    return asdict(_number(number))


def _number(number: Estimate) -> NumberRecord:
    interval = number.interval
    return NumberRecord(
        value=number.value,
        interval=None if interval is None else (interval.low, interval.high),
        deviation=number.deviation,
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


def _estimate(number: NumberRecord, num_clips: int) -> Estimate:
    interval = None
    if number.interval is not None:
        low, high = number.interval
        method = f"Student's t over {num_clips} clips"
        interval = Interval(low=low, high=high, level=LEVEL, method=method)
    return Estimate(value=number.value, interval=interval, deviation=number.deviation)
