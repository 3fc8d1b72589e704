"""Summaries as records of a results file, and back."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from evaluation.metrics.inputs import Array
from evaluation.similarity.means import LEVEL, ArrayEstimate, Estimate, MeanDifference
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


@dataclass(frozen=True, kw_only=True)
class DistributionRecord(ArrayRecord):
    """The bins of a distribution from the first to the last that is used."""

    bins: int
    first: int


@dataclass(frozen=True, kw_only=True)
class SummaryRecord:
    """How alike frames are, over clips."""

    num_clips: int
    numbers: dict[str, NumberRecord]
    matrix: ArrayRecord
    by_distance: ArrayRecord
    distribution: DistributionRecord


def summary_record(summary: Summary) -> dict[str, Any]:
    """A summary for JSON."""
    used = np.flatnonzero(summary.distribution.value)
    part = slice(int(used[0]), int(used[-1]) + 1)
    record = SummaryRecord(
        num_clips=summary.num_clips,
        numbers={name: _number(estimate) for name, estimate in summary.numbers.items()},
        matrix=ArrayRecord(**_rounded(summary.matrix)),
        by_distance=ArrayRecord(**_rounded(summary.by_distance)),
        distribution=DistributionRecord(
            bins=NUM_BINS, first=part.start, **_rounded(summary.distribution, part)
        ),
    )
    return asdict(record)


def read_summary(stored: Any, where: str = "a summary of similarities") -> Summary:
    """The summary that a record was made from, its arrays rounded.

    Raises:
        InputError: it is no such record.
    """
    record = convert(stored, SummaryRecord, where)
    distribution = record.distribution
    after = distribution.bins - distribution.first - len(distribution.value)
    return Summary(
        num_clips=record.num_clips,
        matrix=_array(record.matrix),
        by_distance=_array(record.by_distance),
        distribution=_array(distribution, padding=(distribution.first, after)),
        numbers={
            name: _estimate(number, record.num_clips) for name, number in record.numbers.items()
        },
    )


def number_record(number: Estimate | MeanDifference) -> dict[str, Any]:
    """A number with its interval for JSON."""
    return asdict(_number(number))


def _number(number: Estimate | MeanDifference) -> NumberRecord:
    interval = number.interval
    return NumberRecord(
        value=number.value,
        interval=None if interval is None else (interval.low, interval.high),
        deviation=number.deviation if isinstance(number, Estimate) else None,
    )


def _rounded(array: ArrayEstimate, part: slice = slice(None)) -> dict[str, Any]:
    def rounded(values: Array | None) -> Any:
        return None if values is None else np.round(values[part], DECIMALS).tolist()

    return {name: rounded(getattr(array, name)) for name in ("value", "low", "high")}


def _array(record: ArrayRecord, padding: tuple[int, int] = (0, 0)) -> ArrayEstimate:
    def padded(values: Entries | None) -> Any:
        return None if values is None else np.pad(np.array(values), padding)

    return ArrayEstimate(
        value=padded(record.value), low=padded(record.low), high=padded(record.high)
    )


def _estimate(number: NumberRecord, num_clips: int) -> Estimate:
    interval = None
    if number.interval is not None:
        low, high = number.interval
        method = f"Student's t over {num_clips} clips"
        interval = Interval(low=low, high=high, level=LEVEL, method=method)
    return Estimate(value=number.value, interval=interval, deviation=number.deviation or 0.0)
