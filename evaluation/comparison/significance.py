"""Is one result better than another by more than chance? Tests, and their correction for number."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from evaluation.catalogue.registry import METRICS
from evaluation.features.store import FeatureStore
from evaluation.protocol.fields import DDOF
from evaluation.results.record import Result
from latte.data.errors import InputError
from latte.data.files import read_bytes
from latte.data.progress import progress_bar
from latte.data.schema import decode_json

HEXADECIMAL = re.compile(r"[0-9a-f]+")
MAX_FEATURES = 512  # a wider covariance takes seconds for each permutation
SAME_VALUE = 1e-3  # relative difference up to which stored features are those of a result
Kind = Literal["untested", "intervals", "permutations"]
# Why features are not permuted: they are missing, of different shapes, too wide, of other values.
Instead = Literal["", "not_in_store", "lengths_differ", "too_wide", "other_values"]


@dataclass(frozen=True, kw_only=True)
class Method:
    """How a difference was tested."""

    kind: Kind
    conservative: bool = False  # True: both share real videos, which the intervals ignore
    permutations: int = 0
    paired: bool = False
    exact: bool = False  # whether these are all permutations there are
    instead: Instead = ""  # why there is no permutation test


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How likely a difference of this size is where there is none."""

    p_value: float | None  # None: it cannot be tested
    method: Method


DifferenceTest = Callable[[Result, Result], Verdict]


def check_level(level: float) -> None:
    """Refuse a level of significance that is none.

    Raises:
        InputError: it is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise InputError(f"level (--level) {level}: must be between 0 and 1, usually 0.05")


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number, in the same order (Holm, 1979).

    The k-th smallest of m (from 0) is multiplied by m − k; none ends below a smaller one's, nor
    above 1. The chance of one or more false findings among all m stays below the
    level, however they depend on each other.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected = [0.0] * len(p_values)
    smallest = 0.0
    for rank, index in enumerate(order):
        smallest = max(smallest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = smallest
    return corrected


def interval_test(first: Result, second: Result) -> Verdict:
    """Two results compared by their intervals, as those of independent normal values.

    Both share the real videos, so the difference varies less than this assumes: the p-value is
    rather too large.
    """
    errors = [_standard_error(result) for result in (first, second)]
    if None in errors:
        return Verdict(p_value=None, method=Method(kind="untested"))
    spread = math.hypot(*(error for error in errors if error is not None))
    difference = abs(first.value - second.value)
    if spread == 0:
        p_value = 0.0 if difference else 1.0
    else:
        p_value = math.erfc(difference / spread / math.sqrt(2))
    method = Method(kind="intervals", conservative=first.real is not None)
    return Verdict(p_value=p_value, method=method)


def _standard_error(result: Result) -> float | None:
    """Standard error by the longer side of the interval: the other may be cut off at a bound."""
    if result.interval is None:
        return None
    low, high = result.interval
    quantile = NormalDist().inv_cdf(0.5 + result.level / 2)
    return max(high - result.value, result.value - low) / quantile


@dataclass(frozen=True, kw_only=True)
class PairTest:
    """Tests pairs of results: by permutations of stored features, otherwise by intervals."""

    store: Path
    paired: bool = False  # clip i of both models shares its prompt, label or seed
    permutations: int = 1000  # 0: always by intervals
    seed: int = 0
    progress: bool = False
    _opened: dict[str, FeatureStore | None] = field(default_factory=dict, repr=False)

    def __call__(self, first: Result, second: Result) -> Verdict:
        """Test the difference of two results of one metric on the same real set.

        Raises:
            InputError: paired sets of different numbers or names of videos.
        """
        entry = METRICS.get(first.name)
        if not self.permutations or entry is None or not entry.permutes:
            return interval_test(first, second)
        real = self._rows(first, "real")
        a, b = (self._rows(result, "fake") for result in (first, second))
        if real is None or a is None or b is None:
            return self._by_intervals(first, second, "not_in_store")
        if len({row.shape for rows in (real, a, b) for row in rows}) > 1:
            return self._by_intervals(first, second, "lengths_differ")
        if real[0].shape[-1] > MAX_FEATURES:
            return self._by_intervals(first, second, "too_wide")
        if self.paired:
            _check_pairs(first, second, len(a), len(b))
        return self._by_permutations(first, second, (real, a, b))

    def _by_permutations(
        self, first: Result, second: Result, rows: tuple[list[np.ndarray], ...]
    ) -> Verdict:
        from evaluation.uncertainty import FeaturePair, permutation_test

        real, a, b = (np.concatenate(list(map(np.atleast_2d, x))).astype(np.float64) for x in rows)
        models = FeaturePair(
            a,
            b,
            ddof=DDOF[first.protocol_fields.get("covariance", "n")],
            rows_per_draw=len(np.atleast_2d(rows[0][0])),
            labels=("a", "b"),
        )
        label = f"{first.model} against {second.model}"
        with progress_bar(self.permutations, label, "it", shown=self.progress) as bar:
            test = permutation_test(
                real,
                models,
                paired=self.paired,
                permutations=self.permutations,
                seed=self.seed,
                progress=bar.update,
            )
        tolerance = SAME_VALUE * max(abs(first.value), abs(second.value))
        if abs(test.difference - (first.value - second.value)) > tolerance:
            return self._by_intervals(first, second, "other_values")
        method = Method(
            kind="permutations",
            permutations=test.permutations,
            paired=self.paired,
            exact=test.exact,
        )
        return Verdict(p_value=float(test.p_value), method=method)

    def _by_intervals(self, first: Result, second: Result, why: Instead) -> Verdict:
        verdict = interval_test(first, second)
        method = replace(verdict.method, instead=why, paired=self.paired)
        return replace(verdict, method=method)

    def _rows(self, result: Result, side: Literal["real", "fake"]) -> list[np.ndarray] | None:
        """Features of one of a result's sets; None if they are not in the store."""
        space = str(result.details.get("space") or "")
        videos = result.real if side == "real" else result.fake
        order = videos.order if videos else ""
        if not (HEXADECIMAL.fullmatch(space) and HEXADECIMAL.fullmatch(order)):
            return None
        if space not in self._opened:
            self._opened[space] = _open(self.store, space)
        store = self._opened[space]
        keys = store.recall(order) if store else None
        return store.rows(keys) if store and keys else None


def _check_pairs(first: Result, second: Result, num_first: int, num_second: int) -> None:
    if num_first != num_second:
        raise InputError(
            f"--paired: {first.model} has {num_first} clips, {second.model} has {num_second}: "
            "pairs need equally many"
        )
    if len({result.fake.names if result.fake else "" for result in (first, second)}) > 1:
        raise InputError(
            f"--paired: the videos of {first.model} and {second.model} have different names, "
            "so pairs cannot be matched: give pairs the same names"
        )


def _open(root: Path, space: str) -> FeatureStore | None:
    """The store of a feature space by the name of its folder; None if there is none."""
    path = root / space / "space.json"
    try:
        described = decode_json(read_bytes(path, "a feature space"), dict[str, Any], str(path))
    except InputError:
        return None
    return FeatureStore(root, described)
