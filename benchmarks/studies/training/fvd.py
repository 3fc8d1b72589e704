"""FVD-shapes of a network while it is trained, against videos that it never sees.

latte train shapes --set output.evaluate_every=500 --evaluate benchmarks.studies.training.fvd:fvd
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from evaluation.features.extraction import ExtractionOptions, StoredNetwork
from evaluation.features.sets import MeasuredSet, measure_set, plan_set
from evaluation.measuring.results import Comparison, frechet_result
from evaluation.networks.registry import build, network
from evaluation.protocol.fields import Protocol
from evaluation.protocol.presets import SHAPES
from latte.data.clips import Selection
from latte.data.errors import InputError
from latte.data.shapes import shapes_video_set
from latte.data.sources import VideoSet, open_video_set
from latte.training.config import DataTable
from latte.training.snapshot import Snapshot

NUM_CLIPS = 256
RESAMPLES = 400  # of the interval, as latte-eval's default


def fvd(snapshot: Snapshot, num_clips: int = NUM_CLIPS) -> Mapping[str, float]:
    """FVD-shapes of the first samples of the averaged network; lower is better.

    Sampled as the [output] table says. The number that `latte-eval fvd --dataset shapes` gives for
    a folder of these samples, and the ends of its 95 % interval. Where clips are not 16 frames of
    32×32 at stride 1, the real ones are taken as they are.

    Raises:
        InputError: the network is of another data set, or its clips are too short to be measured.
    """
    started = time.monotonic()
    data = snapshot.config.data
    if data.dataset != "shapes":
        raise InputError(
            f"{__name__}:fvd measures networks of shapes, not of {data.dataset}: give a"
            " function of your own as --evaluate MODULE:FUNCTION (docs/training.md has one)"
        )
    protocol = _protocol(data)
    least = network(protocol.network).min_frames
    if data.num_frames < least:
        raise InputError(
            f"data.num_frames = {data.num_frames}: FVD-shapes is of clips of at least {least}"
        )
    with TemporaryDirectory() as folder:
        options = ExtractionOptions(store=Path(folder) / "features", workers=0, progress=False)
        stored = StoredNetwork.open(build(protocol.network), options.store)

        def measured(videos: VideoSet, selection: Selection, label: str) -> MeasuredSet:
            planned = plan_set(
                videos, selection, protocol.preparation(), options, label=label, at_least=2
            )
            return measure_set(planned, [stored], options)

        samples = Path(folder) / "samples.npy"
        np.save(samples, np.stack(list(snapshot.clips(num_clips))))
        result = frechet_result(
            measured(_real_videos(data), protocol.real_selection(), "real"),
            measured(open_video_set(samples), protocol.fake_selection(), "fake"),
            stored,
            Comparison(
                protocol=protocol,
                dataset="shapes",
                model=f"step {snapshot.step}",
                resamples=RESAMPLES,
                started=started,
            ),
        )
    found = {result.metric: result.value}
    if result.interval is not None:
        found |= dict(
            zip((f"{result.metric} low", f"{result.metric} high"), result.interval, strict=True)
        )
    return found


def _protocol(data: DataTable) -> Protocol:
    """The protocol `shapes`, for clips of this kind."""
    return replace(SHAPES, num_frames=data.num_frames, real_stride=data.stride, size=data.size)


def _real_videos(data: DataTable) -> VideoSet:
    """The test split, as large and as long as the clips need it."""
    longest = (data.num_frames - 1) * data.stride + 1
    return shapes_video_set(SHAPES.split, size=data.size, num_frames=max(64, longest))
