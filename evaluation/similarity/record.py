"""Summaries as JSON of a results file, and back."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from evaluation.metrics.inputs import Array
from evaluation.similarity.model_similarity import ModelSimilarity
from evaluation.similarity.moments import LEVEL, Band, Estimate, Gap
from evaluation.similarity.summary import NUM_BINS, Summary
from evaluation.uncertainty.interval import Interval

DECIMALS = 5  # of arrays; numbers are kept whole


def summary_record(summary: Summary) -> dict[str, Any]:
    """A summary for JSON; of the distribution the bins from the first to the last that is used."""
    used = np.flatnonzero(summary.distribution.value)
    first, end = int(used[0]), int(used[-1]) + 1
    return {
        "num_clips": summary.num_clips,
        **{name: estimate_record(each) for name, each in summary.numbers.items()},
        "matrix": _band_record(summary.matrix, slice(None)),
        "by_distance": _band_record(summary.by_distance, slice(None)),
        "distribution": {
            "bins": NUM_BINS,
            "first": first,
            **_band_record(summary.distribution, slice(first, end)),
        },
    }


def read_summary(record: Mapping[str, Any]) -> Summary:
    """The summary that a record is of, its arrays rounded."""
    arrays = ("matrix", "by_distance", "distribution")
    distribution = record["distribution"]
    first = distribution["first"]
    after = distribution["bins"] - first - len(distribution["value"])
    return Summary(
        num_clips=record["num_clips"],
        matrix=_read_band(record["matrix"]),
        by_distance=_read_band(record["by_distance"]),
        distribution=_read_band(distribution, padding=(first, after)),
        numbers={
            name: _read_estimate(each, record["num_clips"])
            for name, each in record.items()
            if name not in (*arrays, "num_clips")
        },
    )


def model_record(similarity: ModelSimilarity) -> dict[str, Any]:
    """All that was measured in a network: `sites` and `pairs`, one entry for each timestep."""
    return {
        "sites": [
            {
                "path": site.path,
                "kind": site.kind,
                "depth": site.depth,
                "timestep": step,
                **summary_record(similarity.at(site.path, step)),
            }
            for site in similarity.sites
            for step in similarity.timesteps
        ],
        "pairs": [
            {
                "first": pair.first,
                "second": pair.second,
                "depth": pair.depth,
                "timestep": step,
                **summary_record(similarity.between(pair, step)),
            }
            for pair in similarity.pairs
            for step in similarity.timesteps
        ],
    }


def estimate_record(estimate: Estimate) -> dict[str, Any]:
    """A number with its interval for JSON."""
    return {
        "value": estimate.value,
        "interval": _ends(estimate.interval),
        "deviation": estimate.deviation,
    }


def gap_record(gap: Gap) -> dict[str, Any]:
    """The difference of two sets with its interval for JSON."""
    return {"value": gap.value, "interval": _ends(gap.interval)}


def _ends(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


def _band_record(band: Band, part: slice) -> dict[str, Any]:
    def rounded(values: Array | None) -> Any:
        return None if values is None else np.round(values[part], DECIMALS).tolist()

    return {name: rounded(getattr(band, name)) for name in ("value", "low", "high")}


def _read_band(record: Mapping[str, Any], padding: tuple[int, int] = (0, 0)) -> Band:
    def read(values: Any) -> Any:
        return None if values is None else np.pad(np.array(values), padding)

    return Band(value=read(record["value"]), low=read(record["low"]), high=read(record["high"]))


def _read_estimate(record: Mapping[str, Any], num_clips: int) -> Estimate:
    interval = None
    if record["interval"] is not None:
        low, high = record["interval"]
        method = f"Student's t over {num_clips} clips"
        interval = Interval(low=low, high=high, level=LEVEL, method=method)
    return Estimate(value=record["value"], interval=interval, deviation=record["deviation"])
