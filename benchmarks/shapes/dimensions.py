"""VBench's dimensions on the embedded data set: its formulas, with stand-ins for its networks.

The formulas are those of Vchitect/VBench 45e79ec, vbench/NAME.py. Each score describes one clip
and lies between 0 and 1, higher is better; a model's score is the mean over its clips. The names
end in -shapes: they cannot be compared with scores of VBench.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import binomtest
from torch import Tensor

from benchmarks.shapes.measuring import ShapesMeasurer
from benchmarks.shapes.networks import embedded_networks
from evaluation.features.extraction import StoredNetwork
from evaluation.features.sets import MeasuredSet
from evaluation.metrics.inputs import Array
from evaluation.networks.shapes import FRAME_CLASSES
from evaluation.networks.spec import NetworkSpec
from evaluation.protocol.content import content_key
from evaluation.uncertainty.interval import two_sided_quantile
from latte.data.clips import Clip
from latte.data.shapes import CLASSES

VERSION = 1  # raised by any change of this module that changes a number
LEVEL = 0.95
RIM = 2  # width of the background, in pixels from the edge of a frame
MOVING_SHARE = 0.05  # share of the pixels that has to change, as in VBench's optical flow
MIN_CHANGE = 255 / 8  # grey levels
MIN_PROBABILITY = 0.85  # VBench counts actions from here on


# VBench's dimensions, and what stands in for its network. Scores of pixels come first, in the order
# of `pixel_scores`.
STAND_INS: Mapping[str, str] = {
    "background_consistency": f"pixels of the rim, {RIM} wide, for CLIP's features",
    "temporal_flickering": "VBench's own formula, which has no network",
    "motion_smoothness": "the mean of the frames beside it for AMT's frame",
    "dynamic_degree": "changes of grey levels for RAFT's flow",
    "subject_consistency": "features of the frame network for DINO's",
    "object_class": "the frame network's shape for GRiT's object",
    "human_action": "the clip network's motion for UMT's action",
    "overall_consistency": "the clip network's probability of the class for ViCLIP's likeness "
    "of video and text",
}
YES_OR_NO = ("dynamic_degree", "human_action")  # a clip scores 0 or 1
SUFFIX = "-shapes"  # ends the names of scores
OF_PIXELS = tuple(STAND_INS)[:4]


def consistency(states: Array) -> float:
    """Similarity of frames to the one before and to the first, for subject and background.

    The mean over all frames but the first of (max(0, cos(frame, previous)) + max(0, cos(frame,
    first))) / 2. 1 for a still clip. The cosines of a frame that is 0 count as 0.

    Args:
        states: (T, D) of T ≥ 2 frames.

    >>> consistency(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]))
    0.5
    """
    lengths = np.linalg.norm(states, axis=1, keepdims=True)
    directions = np.divide(states, lengths, out=np.zeros_like(states), where=lengths > 0)
    previous = (directions[1:] * directions[:-1]).sum(axis=1)
    first = directions[1:] @ directions[0]
    return float((np.maximum(previous, 0) + np.maximum(first, 0)).mean() / 2)


def background_consistency(clip: Array) -> float:
    """`consistency` of the pixels at the rim, grey being 0; (T, H, W, 3), 0 … 255."""
    inside = np.zeros(clip.shape[1:3], dtype=bool)
    inside[RIM:-RIM, RIM:-RIM] = True
    return consistency(clip[:, ~inside].reshape(len(clip), -1) / 127.5 - 1)


def temporal_flickering(clip: Array) -> float:
    """255 minus the mean change from frame to frame, over 255; (T, H, W, 3), 0 … 255.

    1 for a still clip.
    """
    return float((255 - np.abs(np.diff(clip, axis=0)).mean()) / 255)


def motion_smoothness(clip: Array) -> float:
    """How well every other frame follows from the frames beside it; (T, H, W, 3), 0 … 255, T ≥ 3.

    255 minus the mean difference between an odd frame and the mean of its neighbours, over 255.
    """
    even = clip[::2]
    between = (even[:-1] + even[1:]) / 2
    odd = clip[1::2][: len(between)]
    return float((255 - np.abs(odd - between).mean()) / 255)


def dynamic_degree(clip: Array) -> float:
    """1 if much of the clip moves, else 0; (T, H, W, 3), 0 … 255.

    A clip moves if in round(T / 4) or more steps the most changed twentieth of the pixels changes
    by an eighth of the range or more on average; VBench asks for a flow of six pixels of 256.
    """
    changes = np.sort(np.abs(np.diff(clip, axis=0)).mean(axis=-1).reshape(len(clip) - 1, -1))
    most = max(1, round(MOVING_SHARE * changes.shape[1]))
    moving = int((changes[:, -most:].mean(axis=1) >= MIN_CHANGE).sum())
    return float(moving >= round(4 * len(clip) / 16))


def pixel_scores(clips: Tensor) -> Tensor:
    """The scores OF_PIXELS of each clip: uint8 (N, T, H, W, 3) → float64 (N, 4)."""
    scores = (background_consistency, temporal_flickering, motion_smoothness, dynamic_degree)
    arrays = [clip.double().numpy() for clip in clips]
    rows = [[score(clip) for score in scores] for clip in arrays]
    return torch.tensor(rows, dtype=torch.float64)


def class_scores(
    classes: Sequence[int], of_frames: Array, of_clips: Array
) -> Mapping[str, list[float]]:
    """How well clips show the requested class.

    Args:
        classes: each clip's class, an index into `latte.data.shapes.CLASSES`.
        of_frames: (N, T, 10) probabilities of the frame network's classes.
        of_clips: (N, 10) probabilities of the classes.

    Returns:
        Object class: share of the frames in which the shape is recognised. Human action: 1 where
        the motion has 0.85 of the probability. Overall consistency: probability of the class.
    """
    shapes, motions = (np.array(names) for names in zip(*CLASSES, strict=True))
    requested = np.array(classes)[:, None]
    seen = np.array([shape for shape, _ in FRAME_CLASSES])[of_frames.argmax(axis=-1)]
    of_motion = np.where(motions == motions[requested], of_clips, 0).sum(axis=1)
    return {
        "object_class": (seen == shapes[requested]).mean(axis=1).tolist(),
        "human_action": (of_motion >= MIN_PROBABILITY).astype(float).tolist(),
        "overall_consistency": np.take_along_axis(of_clips, requested, axis=1)[:, 0].tolist(),
    }


def score_dimensions(
    measured: MeasuredSet, measurer: ShapesMeasurer, pixels: StoredNetwork
) -> dict[str, dict[str, Any]]:
    """Every dimension of STAND_INS, of videos whose classes are known.

    Args:
        measured: features by the measurer's networks and by `pixels`.
        pixels: as `open_pixel_scores` opens it.

    Returns:
        "value", "interval" and "fingerprint" of each, by "dynamic_degree-shapes" … The interval is
        Wilson's where a clip scores 0 or 1, else Student's t over the clips.
    """
    frames, clips = measurer.network("fid"), measurer.network("fvd")
    features = frames.frame_features(measured.keys).astype(np.float64)
    scores: dict[str, Sequence[float]] = {
        **dict(zip(OF_PIXELS, pixels.features(measured.keys).T.tolist(), strict=True)),
        "subject_consistency": [consistency(states) for states in features],
        **class_scores(
            [_class_of(clip) for clip in measured.clips],
            frames.extractor.probabilities(features),
            clips.extractor.probabilities(clips.features(measured.keys)),
        ),
    }
    made_of = {
        "version": VERSION,
        "networks": embedded_networks(),
        "protocol": measurer.protocol.affecting_fields(),
    }
    return {
        f"{name}{SUFFIX}": {
            "value": float(np.mean(scores[name])),
            "interval": list(mean_interval(scores[name], yes_or_no=name in YES_OR_NO)),
            "fingerprint": content_key({"dimension": name, **made_of}).hex()[:16],
        }
        for name in STAND_INS
    }


def open_pixel_scores(store: Path | None) -> StoredNetwork:
    """`pixel_scores` as a network, so that each clip is read once for all scores."""
    spec = NetworkSpec(
        name="vbench-pixels",
        title="scores of pixels by the formulas of VBench",
        unit="clip",
        outputs={"scores": len(OF_PIXELS)},
        resizes=("none",),
        min_frames=3,
        metric_suffix="-shapes",
        version=VERSION,
    )
    return StoredNetwork.of_function(spec, pixel_scores, store)


def _class_of(clip: Clip) -> int:
    """The class of a video of `shapes`, distorted or not, or the requested class of a sample."""
    video: Any = clip.video
    while not hasattr(video, "label"):
        video = video.video
    return int(video.label)


def mean_interval(
    values: Sequence[float], *, yes_or_no: bool, clips: int = 1
) -> tuple[float, float]:
    """The interval of a mean of shares: Wilson's of yes and no, else Student's t, from 0 to 1.

    Args:
        values: shares, each of so many `clips`.
    """
    count, value = len(values), float(np.mean(values))
    if yes_or_no:
        test = binomtest(round(sum(values) * clips), count * clips)
        ends = test.proportion_ci(LEVEL, method="wilson")
        return float(ends.low), float(ends.high)
    half = two_sided_quantile(LEVEL, count - 1) * float(np.std(values, ddof=1)) / math.sqrt(count)
    return max(value - half, 0.0), min(value + half, 1.0)
