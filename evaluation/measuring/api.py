"""`evaluation.measure`: the one way from two sets of videos to numbers."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from evaluation.catalogue.registry import metric
from evaluation.features.extraction import ExtractionOptions
from evaluation.measuring.arrays import Layout, ValueRange, memory_video_set
from evaluation.measuring.choice import choose_protocol, dataset_videos, default_network, videos_at
from evaluation.measuring.measurer import Measurer
from evaluation.measuring.networks import Networks
from evaluation.networks.devices import default_device
from evaluation.protocol.fields import Protocol
from evaluation.results.files import check_writable
from evaluation.results.record import Result
from latte.data.datasets import DATASETS
from latte.data.errors import InputError, nearest
from latte.data.sources import VideoSet

if TYPE_CHECKING:
    from torch import Tensor

Videos: TypeAlias = "str | os.PathLike[str] | np.ndarray | Tensor | VideoSet"


def measure(
    real: "Videos | None",
    fake: "Videos",
    *,
    metrics: str | Sequence[str] = ("fvd",),
    protocol: str | Protocol | None = None,
    network: str | None = None,
    weights: str | os.PathLike[str] | Mapping[str, Path] | None = None,
    num_videos: int | None = None,
    num_frames: int | None = None,
    seed: int | None = None,
    device: str | None = None,
    out: str | os.PathLike[str] | None = None,
    layout: Layout = "NTHWC",
    value_range: ValueRange | None = None,
    dataset: str | None = None,
    model: str | None = None,
    resamples: int = 400,
    options: ExtractionOptions | None = None,
    trust_weights: bool = False,
) -> list[Result]:
    """Measure generated videos against real ones.

    Nothing is written unless `out` or `options.store` says where. Without a store, features stay
    in memory for this call.

    >>> import numpy as np
    >>> clips = np.random.default_rng(0).integers(0, 256, (8, 16, 32, 32, 3), dtype=np.uint8)
    >>> fvd, recall = (
    ...     measure(clips[:4], clips[4:], metrics=[name], protocol="shapes")[-1]
    ...     for name in ("fvd", "precision-recall")
    ... )
    >>> fvd.metric, fvd.num_fake, recall.metric
    ('FVD-shapes', 4, 'recall-shapes')

    Args:
        real: real videos: a path (a folder of videos or of frame folders, an array file, or a file
            of statistics), a data set's name, or clips in memory as uint8 (N, T, H, W, 3), RGB.
            None for metrics that look at generated videos alone.
        fake: generated videos, likewise.
        metrics: one or several names of metrics: "fvd", "fid", "kvd", "kid", "is", ….
        protocol: a preset's name, a .toml file or a `Protocol`. By default stylegan-v, or shapes
            where the data set or the network is shapes.
        network: a feature network in place of the protocol's.
        weights: a file of weights for that network, or files by the names of their networks.
        num_videos: clips of each set, 0 for all; by default as many as the protocol asks for, or
            fewer.
        num_frames, seed: fields of the protocol.
        device: "cpu", "cuda", "cuda:1"; by default that of `options`, else a GPU if there is one.
            Values of a CPU and a GPU may differ in the last digits.
        out: a results file (JSON Lines) to which every result is added as soon as it is there.
        layout: the order of the axes of all clips in memory: "NTHWC", "NCTHW" or "NTCHW".
        value_range: the values of black and white in all clips in memory, unless they are uint8:
            (0, 1), (-1, 1) or (0, 255).
        dataset: the data set under which results are filed; by default the one named by `real`.
        model: what the generated videos are filed under.
        resamples: bootstrap resamples for confidence intervals (0 disables them).
        options: how features are extracted, and the store that keeps them. None of it changes a
            number on a CPU.
        trust_weights: run weights that are TorchScript, which is code, even if their hash is not
            published.

    Returns:
        One result for each number, in the order of `metrics`.

    Raises:
        InputError: what is given cannot be measured; one sentence says what to pass.
        FailedMetricsError: some of several metrics cannot be measured; it holds the results of the
            others.
    """
    metrics = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    if out is not None:
        check_writable(Path(out))
    named = real if isinstance(real, str) and real in DATASETS else None
    if named and dataset not in (None, named):
        raise InputError(f"dataset={dataset!r}: the real videos are of {named}: leave dataset out")
    path = Path(real) if isinstance(real, str | os.PathLike) and not named else None
    effective = choose_protocol(
        protocol,
        dataset=dataset or named,
        network=network,
        num_videos=num_videos,
        num_frames=num_frames,
        seed=seed,
        real=path,
    )
    if real is not None and not named and path is None and not isinstance(real, VideoSet):
        effective = replace(effective, split="given")
    if real is None and any(metric(name).needs_real for name in metrics):
        raise InputError(f"real=None: {metrics[0]} compares with real videos: give some")
    if not isinstance(weights, Mapping | None):
        weights = {default_network(metrics, effective, network): Path(weights)}
    real_set = None if real is None else _open(real, "real set", effective, layout, value_range)
    fake_set = _open(fake, "generated set", effective, layout, value_range)
    measurer = Measurer(
        effective,
        metrics,
        Networks(_options(options, device, trust_weights), weights or {}),
        dataset=dataset or named,
        resamples=resamples,
        at_least=num_videos or 1,
    )
    file = None if out is None else Path(out)
    return measurer.measure(real_set, fake_set, model=model, out=file)


def _options(
    options: ExtractionOptions | None, device: str | None, trust_weights: bool
) -> ExtractionOptions:
    if options is not None:
        trust_weights = trust_weights or options.trust_weights
        return replace(options, device=device or options.device, trust_weights=trust_weights)
    return ExtractionOptions(
        device=device or default_device(), workers=0, progress=False, trust_weights=trust_weights
    )


def _open(
    videos: "Videos", name: str, protocol: Protocol, layout: Layout, value_range: ValueRange | None
) -> VideoSet | Path:
    """What a set stands for; the path of a statistics file stays one."""
    if isinstance(videos, VideoSet):
        return videos
    if isinstance(videos, str | os.PathLike):
        path = Path(videos)
        if not isinstance(videos, str) or videos not in DATASETS:
            if isinstance(videos, str) and not path.exists():
                raise InputError(
                    f"{videos}: no such file or folder, and no data set of that name: "
                    f"{nearest(videos, list(DATASETS))}"
                )
            return videos_at(path)
        if path.exists():
            raise InputError(
                f"{videos}: names a data set and something in this folder: pass Path({videos!r}) "
                "for the latter, or change the folder"
            )
        return dataset_videos(videos, protocol)
    if isinstance(videos, np.ndarray) or hasattr(videos, "detach"):
        return memory_video_set(videos, name, layout=layout, value_range=value_range)
    raise InputError(
        f"{name}: {type(videos).__name__} is no set of videos: pass a path, a data set's name, an "
        "array or a tensor"
    )
