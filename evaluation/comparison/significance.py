"""Is one result better than another by more than chance? Tests, and their correction for number."""

import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from tqdm import tqdm

from evaluation.features.store import FeatureStore
from evaluation.protocol.fields import DDOF
from evaluation.statistics.running import Array
from latte.data.errors import InputError

FRECHET = re.compile(r"(FVD|FID)(-\w+)?")  # metrics that the permutation test computes again
HEXADECIMAL = re.compile(r"[0-9a-f]+")
MOST_FEATURES = 512  # a wider covariance takes seconds for each permutation
BY_INTERVALS = "difference against both intervals, taken for normal and independent"
TOO_CAREFUL = ", which is too careful where both share the real set"
SAME_VALUE = 1e-3  # how far features found in a store may give another difference, relative


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How likely so large a difference is where there is none, and how that was found out."""

    p_value: float | None  # None: it cannot be tested
    method: str  # a sentence's beginning, for under the table


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number, in the same order (Holm, 1979).

    The k-th smallest of m (from 0) is multiplied by m − k; none is below a smaller one's, nor
    above 1. Each is at least as large as it was. The chance of one or more false findings among
    all m stays below the level, however they depend on each other.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected = [0.0] * len(p_values)
    least = 0.0
    for rank, index in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = least
    return corrected


def interval_test(first: Mapping[str, Any], second: Mapping[str, Any]) -> Verdict:
    """Two results held against their intervals, taken for those of independent normal values.

    Both share the real videos, so that the difference varies less than this assumes: the p-value
    is rather too large.
    """
    errors = [_standard_error(record) for record in (first, second)]
    if None in errors:
        return Verdict(p_value=None, method="not tested, for lack of an interval")
    spread = math.hypot(*(error for error in errors if error is not None))
    difference = abs(float(first["value"]) - float(second["value"]))
    if spread == 0:
        p_value = 0.0 if difference else 1.0
    else:
        p_value = math.erfc(difference / spread / math.sqrt(2))
    return Verdict(
        p_value=p_value, method=BY_INTERVALS + (TOO_CAREFUL if first.get("real") else "")
    )


def _standard_error(record: Mapping[str, Any]) -> float | None:
    """From the longer side of the interval: the other may be cut off where the metric ends."""
    interval = record.get("interval")
    if not interval:
        return None
    quantile = NormalDist().inv_cdf(0.5 + float(record.get("level", 0.95)) / 2)
    value = float(record["value"])
    return max(float(interval[1]) - value, value - float(interval[0])) / quantile


@dataclass(frozen=True, kw_only=True)
class PairTest:
    """Tests pairs of results: by permutations where the features are still there, by intervals
    where not."""

    store: Path
    paired: bool = False  # clip i of both models shares its prompt, label or seed
    permutations: int = 1000  # 0: always by intervals
    seed: int = 0
    progress: bool = False
    _opened: dict[str, FeatureStore | None] = field(default_factory=dict, repr=False)

    def __call__(self, first: Mapping[str, Any], second: Mapping[str, Any]) -> Verdict:
        """Test the difference of two results of one metric on the same real set."""
        if not self.permutations or not FRECHET.fullmatch(str(first["metric"])):
            return interval_test(first, second)
        tables = [
            self._rows(first, "real"),
            *(self._rows(record, "fake") for record in (first, second)),
        ]
        if any(table is None for table in tables):
            return self._instead(first, second, "for lack of features in the store")
        real, a, b = (table for table in tables if table is not None)
        shapes = {row.shape for table in (real, a, b) for row in table}
        if len(shapes) > 1 or real[0].shape[-1] > MOST_FEATURES:
            why = "the features being wide" if len(shapes) == 1 else "clips differing in length"
            return self._instead(first, second, why)
        if self.paired and len(a) != len(b):
            raise InputError(
                f"--paired: {first['model']} has {len(a)} clips, {second['model']} has {len(b)}: "
                "pairs need as many of both"
            )
        names = {str((record.get("fake") or {}).get("names")) for record in (first, second)}
        if self.paired and len(names) > 1:
            raise InputError(
                f"--paired: the videos of {first['model']} and {second['model']} are called "
                "differently, so what belongs together cannot be told: give pairs the same names"
            )
        return self._permuted(first, second, real, a, b)

    def _permuted(
        self,
        first: Mapping[str, Any],
        second: Mapping[str, Any],
        real: list[np.ndarray],
        a: list[np.ndarray],
        b: list[np.ndarray],
    ) -> Verdict:
        from evaluation.uncertainty import FeaturePair, permutation_test

        models = FeaturePair(
            _table(a),
            _table(b),
            ddof=DDOF[first["protocol_fields"].get("covariance", "n")],
            rows_per_draw=1 if real[0].ndim == 1 else len(real[0]),
            labels=("a", "b"),
        )

        with tqdm(
            total=self.permutations,
            desc=f"{first['model']} against {second['model']}",
            disable=not self.progress,
            file=sys.stderr,
            mininterval=0.5 if sys.stderr.isatty() else 15.0,
        ) as bar:
            done = permutation_test(
                _table(real),
                models,
                paired=self.paired,
                permutations=self.permutations,
                seed=self.seed,
                progress=bar.update,
            )
        difference = float(first["value"]) - float(second["value"])
        scale = max(abs(float(first["value"])), abs(float(second["value"])))
        if abs(done.difference - difference) > SAME_VALUE * scale:
            return self._instead(first, second, "the features in the store giving other values")
        every = "all " if done.exact else ""
        pairs = "paired" if self.paired else "unpaired"
        return Verdict(
            p_value=float(done.p_value),
            method=f"permutation test on the features, {pairs}, {every}{done.permutations} "
            "permutations",
        )

    def _instead(self, first: Mapping[str, Any], second: Mapping[str, Any], why: str) -> Verdict:
        verdict = interval_test(first, second)
        paired = "; --paired is of no effect" if self.paired else ""
        return Verdict(p_value=verdict.p_value, method=f"{verdict.method} ({why}{paired})")

    def _rows(self, record: Mapping[str, Any], side: str) -> list[np.ndarray] | None:
        """Features of one of a result's sets; None where they are not in the store."""
        space = str((record.get("details") or {}).get("space") or "")
        order = str((record.get(side) or {}).get("order") or "")
        if not (HEXADECIMAL.fullmatch(space) and HEXADECIMAL.fullmatch(order)):
            return None
        if space not in self._opened:
            self._opened[space] = _open(self.store, space)
        store = self._opened[space]
        keys = store.recall(order) if store else None
        return store.rows(keys) if store and keys else None


def _open(root: Path, space: str) -> FeatureStore | None:
    """The store of a feature space by the name of its folder; None where there is none."""
    try:
        described = json.loads((root / space / "space.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return FeatureStore.open(root, described)


def _table(rows: list[np.ndarray]) -> Array:
    """Rows of all clips below each other, (rows, D) float64."""
    return np.concatenate([np.atleast_2d(row) for row in rows]).astype(np.float64)
