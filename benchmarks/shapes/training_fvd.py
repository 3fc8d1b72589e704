"""FVD-shapes of a network while it is trained, against videos that it never sees.

latte train shapes --set output.evaluate_every=500 --evaluate benchmarks.shapes.training_fvd:fvd
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from evaluation.measuring.arrays import memory_video_set
from evaluation.measuring.measurer import Measurer
from evaluation.networks.registry import network
from evaluation.protocol.fields import Protocol
from evaluation.protocol.presets import SHAPES
from latte.data.errors import InputError
from latte.data.shapes import shapes_video_set
from latte.data.sources import VideoSet
from latte.training.config import DataTable
from latte.training.snapshot import Snapshot

NUM_CLIPS = 256
RESAMPLES = 400  # latte-eval's default
MIN_CLIPS = 2  # smaller sets have no covariance


def fvd(snapshot: Snapshot, num_clips: int = NUM_CLIPS) -> Mapping[str, float]:
    """FVD-shapes of the first samples of the averaged network; lower is better.

    Sampled as the [output] table says. The number that `latte-eval fvd --dataset shapes` gives for
    a folder of these samples, and the ends of its 95 % interval. Where clips are not 16 frames of
    32×32 at stride 1, the real ones have their size, length and stride too.

    Raises:
        InputError: the network is of another data set, or its clips are too short to be measured.
    """
    data = snapshot.config.data
    if data.dataset != "shapes":
        raise InputError(
            f"{__name__}:fvd measures networks of shapes, not of {data.dataset}: give a function "
            "of your own as --evaluate MODULE:FUNCTION (docs/training.md has one)"
        )
    min_frames = network(SHAPES.network).min_frames
    if data.num_frames < min_frames:
        raise InputError(
            f"data.num_frames = {data.num_frames}: FVD-shapes needs clips of at least {min_frames}"
        )
    protocol, real = real_clips(data, data.stride)
    samples = memory_video_set(np.stack(list(snapshot.clips(num_clips))), "samples")
    measurer = Measurer(protocol, ("fvd",), resamples=RESAMPLES, at_least=MIN_CLIPS, notes=False)
    (result,) = measurer.measure(real, samples)
    ends = zip(
        (f"{result.metric} low", f"{result.metric} high"), result.interval or (), strict=False
    )
    return {result.metric: result.value, **dict(ends)}


def real_clips(data: DataTable, stride: int, count: int | None = None) -> tuple[Protocol, VideoSet]:
    """The protocol `shapes` for clips of a training, and videos of the test split to measure by.

    Args:
        stride: sampling interval of the real clips.
        count: number of videos; None: all.
    """
    protocol = replace(SHAPES, num_frames=data.num_frames, real_stride=stride, size=data.size)
    length = max(64, (data.num_frames - 1) * stride + 1)
    real = shapes_video_set(SHAPES.split, size=data.size, num_videos=count, num_frames=length)
    return protocol, real
