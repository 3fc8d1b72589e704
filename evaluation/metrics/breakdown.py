"""Where a Fréchet distance comes from: class by class, and frame position by frame position."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from evaluation.metrics.frechet import frechet_distance_from_features
from evaluation.metrics.inputs import Array, as_feature_pair
from latte.data.errors import InputError

MIN_CLIPS = 2  # one clip has no covariance


@dataclass(frozen=True, kw_only=True)
class GroupDistance:
    """The Fréchet distance of one group."""

    value: float | None  # None where a set has fewer than `MIN_CLIPS` clips of the group
    num_real: int
    num_fake: int


def frechet_by_group(
    real: ArrayLike,
    fake: ArrayLike,
    real_groups: Sequence[str],
    fake_groups: Sequence[str],
    *,
    ddof: int,
) -> dict[str, GroupDistance]:
    """Squared Fréchet distance within each group, such as a class; lower is better.

    A group is small, and the bias of the distance grows as its clips get fewer: compare a group
    only with the same group of another model, at the same numbers, never with the whole sets.

    Args:
        real, fake: (N, D) and (M, D), as for `frechet_distance_from_features`.
        real_groups, fake_groups: the group of each row, N and M names.
        ddof: 0 divides the covariances by the group's clips, 1 by one less.

    Returns:
        Every group that one of the sets has, in order. Its value is None where a set has fewer
        than two clips of it.

    Raises:
        InputError: as `as_feature_pair`; another number of groups than of rows.
    """
    first, second = as_feature_pair(
        real, fake, ddof=ddof, labels=("real features", "fake features")
    )
    for rows, groups, which in ((first, real_groups, "real"), (second, fake_groups, "fake")):
        if len(groups) != len(rows):
            raise InputError(
                f"{which} features have {len(rows)} rows but {len(groups)} groups: give one of "
                "each row"
            )
    names_real, names_fake = np.asarray(real_groups), np.asarray(fake_groups)
    distances = {}
    for group in sorted({*real_groups, *fake_groups}):
        x, y = first[names_real == group], second[names_fake == group]
        few = min(len(x), len(y)) < MIN_CLIPS
        distances[group] = GroupDistance(
            value=None if few else frechet_distance_from_features(x, y, ddof=ddof),
            num_real=len(x),
            num_fake=len(y),
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
    for t in range(len(distances)):
        distances[t] = frechet_distance_from_features(
            first[:, t],
            second[:, t],
            ddof=ddof,
            labels=(f"real features at frame {t}", f"fake features at frame {t}"),
        )
    return distances
