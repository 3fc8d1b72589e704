"""What a metric is computed from."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from evaluation.features.extraction import StoredNetwork
from evaluation.features.sets import MeasuredSet
from evaluation.metrics.inputs import Array
from evaluation.protocol.fields import DDOF, Protocol
from evaluation.uncertainty.resampling import FeaturePair


@dataclass(frozen=True, kw_only=True)
class MetricInput:
    """Two measured sets, the network that their features are from, and how they are compared."""

    real: MeasuredSet | None  # None: the metric looks at the generated set alone
    fake: MeasuredSet
    network: StoredNetwork
    protocol: Protocol
    parameters: Mapping[str, Any]  # the metric's
    resamples: int  # bootstrap resamples of an interval; 0 for no intervals at all

    @property
    def ddof(self) -> int:
        """Delta degrees of freedom of covariances."""
        return DDOF[self.protocol.covariance]

    @property
    def rows_per_draw(self) -> int | None:
        """Rows that are drawn together: the frames of a clip; None where clips differ in length."""
        if self.network.extractor.spec.unit == "clip":
            return 1
        lengths = {len(clip.frames) for clip in (*self.real_set.clips, *self.fake.clips)}
        return lengths.pop() if len(lengths) == 1 else None

    @property
    def real_set(self) -> MeasuredSet:
        """The real set of a metric that needs one."""
        assert self.real is not None
        return self.real

    @property
    def min_count(self) -> int:
        """Clips of the smaller set."""
        return min(len(self.real_set.keys), len(self.fake.keys))

    @cached_property
    def pair(self) -> tuple[Array, Array]:
        """Features of the real and of the generated set."""
        return self.real_set.features(self.network), self.fake.features(self.network)

    def feature_pair(self) -> FeaturePair:
        """Features of both sets, ready to be resampled; all clips have one length."""
        assert self.rows_per_draw is not None
        return FeaturePair(*self.pair, ddof=self.ddof, rows_per_draw=self.rows_per_draw)
