"""Caveats are data; each prints as one sentence."""

import pytest

from evaluation.protocol.deviations import Deviation
from evaluation.results.caveats import (
    BiasedByCount,
    ClassesLeftOut,
    Deviating,
    NoInterval,
    SingularCovariance,
    VideosLeftOut,
)

STRIDE = Deviation(field="real_stride", value=1, wanted=3)
ORIGIN = Deviation(field="origin", value="stated", subject="ref.npz")


@pytest.mark.parametrize(
    ("caveat", "sentence"),
    [
        (
            VideosLeftOut(names=tuple("abcdefg"), reason="broken"),
            "7 videos are broken and left out: a; b; c; d; e, and 2 more",
        ),
        (
            Deviating(protocol="latte", deviations=(STRIDE, ORIGIN)),
            "not as latte asks: real_stride 1 instead of 3; origin of ref.npz only stated by "
            "whoever imported them",
        ),
        (
            NoInterval(metric="FVD", reason="too_few_clips", min_clips=4),
            "FVD has no interval: fewer than 4 clips",
        ),
        (
            NoInterval(metric="FID per position", reason="mean_of_positions"),
            "FID per position has no interval: it is a mean over positions of the same clips",
        ),
        (
            SingularCovariance(side="generated", rows=24, unit="clip", num_features=400),
            "24 generated clips are few for 400 features: the covariance is singular and the value "
            "far above its limit for many",
        ),
        (
            BiasedByCount(metric="FVD", limit=2.0, interval=(1.0, 3.0), share=0.254),
            "about 25% of FVD is due to the number of clips, if they are independent draws (less "
            "of it if they are balanced by class): extrapolated to infinitely many it is "
            "2.00 ± 1.00",
        ),
        (
            ClassesLeftOut(counts={"c": (1, 1), "d": (2, 0)}, min_clips=2),
            "the mean leaves out c (1 real clip and 1 generated clip, of 2 needed); d (no "
            "generated clips, of 2 needed)",
        ),
    ],
    ids=lambda part: "" if isinstance(part, str) else type(part).__name__,
)
def test_a_caveat_prints_as_its_sentence(caveat, sentence):
    assert str(caveat) == sentence
