"""Where a Fréchet distance comes from: class by class, and frame position by frame position."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluation.metrics.frechet import frechet_distance_from_features
from evaluation.metrics.inputs import Array, as_feature_pair
from latte.data.errors import InputError

Group = str | int
Groups = Sequence[Group] | NDArray[np.str_] | NDArray[np.integer]
MIN_CLIPS = 2  # one clip has no covariance


@dataclass(frozen=True, kw_only=True)
class GroupDistance:
    """The Fréchet distance of one group."""

    value: float | None  # None where a set has fewer than `MIN_CLIPS` clips of the group
    num_real: int
    num_fake: int


def frechet_by_group(
    real: ArrayLike, fake: ArrayLike, real_groups: Groups, fake_groups: Groups, *, ddof: int
) -> dict[Group, GroupDistance]:
    """Squared Fréchet distance within each group, such as a class; lower is better.

    A group is small, and the bias of the distance grows as its clips get fewer: compare a group
    only with the same group of another model, at the same numbers, never with the whole sets.

    Args:
        real, fake: (N, D) and (M, D), as for `frechet_distance_from_features`.
        real_groups, fake_groups: the group of each row, N and M names or numbers.
        ddof: 0 divides the covariances by the group's clips, 1 by one less.

    Returns:
        Every group that one of the sets has, in order. Its value is None where a set has fewer
        than two clips of it.

    Raises:
        InputError: as `as_feature_pair`; another number of groups than of rows, or groups that
            are not all names or all numbers.
    """
    first, second = as_feature_pair(
        real, fake, ddof=ddof, labels=("real features", "fake features")
    )
    rows_real = _rows_by_group(real_groups, len(first), "real")
    rows_fake = _rows_by_group(fake_groups, len(second), "fake")
    distances: dict[Group, GroupDistance] = {}
    for group in _in_order(rows_real.keys() | rows_fake.keys()):
        pair = first[rows_real.get(group, [])], second[rows_fake.get(group, [])]
        counts = len(pair[0]), len(pair[1])
        few = min(counts) < MIN_CLIPS
        distances[group] = GroupDistance(
            value=None if few else frechet_distance_from_features(*pair, ddof=ddof),
            num_real=counts[0],
            num_fake=counts[1],
        )
    return distances


def frechet_by_position(real: ArrayLike, fake: ArrayLike, *, ddof: int) -> Array:
    """Squared Fréchet distance at each frame position of the clips, (T,); lower is better.

    Entry t compares frame t of the generated clips with frame t of the real ones: it rises where
    in the clip the frames go wrong. Each has one sample per clip, so all have the same bias.

    Args:
        real, fake: (N, T, D) and (M, T, D), features of a frame network.
        ddof: 0 divides the covariances by N, 1 by N − 1.

    Raises:
        InputError: other axes, clips of different lengths, and as `as_feature_pair` with the
            position at which it is.
    """
    first, second = np.asarray(real), np.asarray(fake)
    for array, label in ((first, "real"), (second, "fake")):
        if array.ndim != 3 or 0 in array.shape:
            raise InputError(
                f"{label} features have shape {array.shape}: a distance by position needs "
                "(clips, frames, features) with at least one of each"
            )
    if first.shape[1] != second.shape[1]:
        raise InputError(
            f"real clips have {first.shape[1]} frames but fake ones {second.shape[1]}: compare "
            "clips of one length"
        )
    distances = np.empty(first.shape[1])
    for t in range(first.shape[1]):
        labels = (f"real features at frame {t}", f"fake features at frame {t}")
        pair = as_feature_pair(first[:, t], second[:, t], ddof=ddof, labels=labels)
        distances[t] = frechet_distance_from_features(*pair, ddof=ddof)
    return distances


def _rows_by_group(groups: Groups, num_rows: int, which: str) -> dict[Group, list[int]]:
    labels = [label.item() if isinstance(label, np.generic) else label for label in groups]
    if len(labels) != num_rows:
        raise InputError(
            f"{which} features have {num_rows} rows but {len(labels)} groups: give one of each row"
        )
    rows: dict[Group, list[int]] = {}
    for row, label in enumerate(labels):
        if not isinstance(label, str | int):
            raise InputError(
                f"the group of row {row} of the {which} features is {label!r}: groups must be "
                "strings or integers"
            )
        rows.setdefault(label, []).append(row)
    return rows


def _in_order(groups: set[Group]) -> list[Group]:
    if len({isinstance(group, str) for group in groups}) > 1:
        raise InputError("some groups are names and others numbers: give one kind in both sets")
    return sorted(groups)  # type: ignore[type-var]
