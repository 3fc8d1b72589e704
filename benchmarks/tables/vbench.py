"""VBench: its dimensions, its summary of a model, and the results files of its package.

`NAME_eval_results.json` holds {dimension: [score, [{"video_path": …, "video_results": …}, …]]}
(Vchitect/VBench 00c4b29 and 45e79ec, vbench/__init__.py). Scores are shares of 1; imaging quality
was written in percent by its first releases (0a23482, vbench/imaging_quality.py).
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from evaluation.results.files import json_value
from latte.data.errors import InputError, nearest
from latte.data.files import read_text


@dataclass(frozen=True)
class Dimension:
    """One of VBench's dimensions."""

    key: str
    heading: str  # short enough for eight columns
    prompts: int  # Vchitect/VBench 45e79ec, prompts/prompts_per_dimension
    low: float = 0.0  # range that VBench expects of a score
    high: float = 1.0

    @property
    def title(self) -> str:
        """Its name in words."""
        return self.key.replace("_", " ")


# The paper's order is VBench's (Vchitect/VBench 45e79ec, scripts/constant.py).
DIMENSIONS: Mapping[str, Dimension] = {
    dimension.key: dimension
    for dimension in (
        Dimension("subject_consistency", "Subject", 72, low=0.1462),
        Dimension("background_consistency", "Background", 86, low=0.2615),
        Dimension("temporal_flickering", "Flickering", 75, low=0.6293),
        Dimension("motion_smoothness", "Motion", 72, low=0.706, high=0.9975),
        Dimension("dynamic_degree", "Dynamic", 72),
        Dimension("aesthetic_quality", "Aesthetic", 93),
        Dimension("imaging_quality", "Imaging", 93),
        Dimension("object_class", "Object", 79),
        Dimension("multiple_objects", "Objects", 82),
        Dimension("human_action", "Action", 100),
        Dimension("color", "Color", 85),
        Dimension("spatial_relationship", "Spatial", 84),
        Dimension("scene", "Scene", 86, high=0.8222),
        Dimension("appearance_style", "Appearance", 90, low=0.0009, high=0.2855),
        Dimension("temporal_style", "Temporal", 100, high=0.364),
        Dimension("overall_consistency", "Overall", 93, high=0.364),
    )
}
NUM_QUALITY = 7  # the first dimensions, which VBench counts as quality; the others are semantic
ENDING = "_eval_results"
PERCENT = "imaging_quality"  # the first releases wrote it in percent
MAX_VALUE = 100  # bound of a video's value, a share of 1 or a percentage


@dataclass(frozen=True, kw_only=True)
class Total:
    """VBench's summary of a model, in percent."""

    quality: float
    semantic: float
    total: float


@dataclass(frozen=True, kw_only=True)
class Score:
    """One dimension of one model, in percent."""

    where: str  # the file
    percent: float
    interval: tuple[float, float] | None  # None where the score is no mean over videos
    num_videos: int


@dataclass(frozen=True, kw_only=True)
class VBenchModel:
    """What the files of one model hold."""

    name: str
    scores: Mapping[str, Score]  # keys are dimensions


def read_models(given: Sequence[str]) -> list[VBenchModel]:
    """The models of some files, in the order given; files of one name are one model.

    Args:
        given: `[NAME=]FILE` each; without a name it is the file's, without `_eval_results`.

    Raises:
        InputError: a file that is none of VBench's, an unknown dimension, a score that is no
            number, or two different scores for one dimension of one model.
    """
    models: dict[str, dict[str, Score]] = {}
    for text in given:
        name, path = _named(text)
        scores = models.setdefault(name, {})
        for dimension, score in read_scores(path).items():
            before = scores.setdefault(dimension, score)
            if replace(before, where=score.where) != score:
                values = f"{before.percent:.4g} and {score.percent:.4g} %"
                if before.percent == score.percent:
                    values = f"both {score.percent:.4g} %, of different videos"
                raise InputError(
                    f"{before.where} and {score.where}: two results for {name}, {dimension} "
                    f"({values}): leave one of the files out, or give them two names with "
                    "NAME=FILE"
                )
    return [VBenchModel(name=name, scores=scores) for name, scores in models.items()]


def read_scores(path: Path) -> dict[str, Score]:
    """The scores of one file, by dimension.

    Raises:
        InputError: see `read_models`.
    """
    advice = f"`vbench evaluate` writes NAME{ENDING}.json"
    text = read_text(path, "a results file of VBench", advice)
    record = json_value(text, f"{path}: not a results file of VBench")
    if not isinstance(record, dict) or not record:
        raise InputError(
            f"{path}: not a results file of VBench: wanted is {{dimension: [score, [videos]]}}"
        )
    for name in record:
        if name not in DIMENSIONS:
            raise InputError(
                f"{path}: VBench has no dimension {name!r}: {nearest(name, list(DIMENSIONS))}"
            )
    return {name: _score(str(path), name, entry) for name, entry in record.items()}


def _named(text: str) -> tuple[str, Path]:
    """The name and the file of `[NAME=]FILE`; a file may have an equals sign in its own name."""
    name, equals, rest = text.partition("=")
    if equals and name and not Path(text).exists():
        return name, Path(rest)
    return Path(text).stem.removesuffix(ENDING), Path(text)


def _score(where: str, dimension: str, entry: Any) -> Score:
    if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[1], list)):
        raise InputError(
            f"{where}: {dimension} is not [score, [videos]] as VBench writes it: measure again"
        )
    score, videos = entry
    if type(score) not in (int, float) or not math.isfinite(score):
        shown = "a list or table" if isinstance(score, list | dict) else json.dumps(score)[:80]
        raise InputError(
            f"{where}: {dimension} is {shown} over {len(videos)} videos: VBench found none of its "
            "prompts' videos, so name them PROMPT-INDEX.mp4 and measure again"
        )
    unit = 1.0 if dimension == PERCENT and score > 1 else 100.0
    percent = unit * score
    if not 0 <= percent <= 100:
        raise InputError(f"{where}: {dimension} is {score:g}, not a share of 1: measure again")
    return Score(
        where=where, percent=percent, interval=_interval(percent, videos), num_videos=len(videos)
    )


def _interval(percent: float, videos: Sequence[Any]) -> tuple[float, float] | None:
    """The 95 % interval of a score that is a mean over videos, by Student's t over prompts.

    Videos of one prompt resemble each other, so prompts are what is drawn. None where the score is
    no mean of what the file says of each video, or there are fewer than two prompts.
    """
    from evaluation.uncertainty.interval import two_sided_quantile

    values = _values(percent, videos)
    if values is None:
        return None
    sums: dict[str, float] = {}  # deviations from the mean, by prompt
    for path, value in values:
        prompt = re.sub(r"-\d+$", "", PurePosixPath(path).stem)
        sums[prompt] = sums.get(prompt, 0.0) + value - percent
    count = len(sums)
    if count < 2:
        return None
    variance = count / (count - 1) * sum(x**2 for x in sums.values()) / len(values) ** 2
    half = two_sided_quantile(0.95, count - 1) * math.sqrt(variance)
    return percent - half, percent + half


def _values(percent: float, videos: Sequence[Any]) -> list[tuple[str, float]] | None:
    """Path and value of each video in percent, if their mean is the score."""
    values = []
    for video in videos:
        if not isinstance(video, dict) or not isinstance(video.get("video_path"), str):
            return None
        value = video.get("video_results")
        # True and False of the dynamic degree are numbers here as well.
        if not isinstance(value, int | float) or not abs(value) <= MAX_VALUE:
            return None
        values.append((video["video_path"], float(value)))
    if not values:
        return None
    mean = sum(value for _, value in values) / len(values)
    for unit in (100.0, 1.0):  # later releases leave the videos' imaging quality in percent
        if math.isclose(unit * mean, percent, rel_tol=1e-6, abs_tol=1e-9):
            return [(path, unit * value) for path, value in values]
    return None


def total(percent: Mapping[str, float]) -> Total:
    """VBench's summary of all sixteen dimensions, in percent.

    Each dimension is scaled to the range that VBench expects of it; quality is the weighted mean of
    the first seven, with half the weight for the dynamic degree, semantic the mean of the others,
    and the total four parts of quality and one of semantic (Vchitect/VBench 45e79ec,
    scripts/cal_final_score.py and constant.py).
    """
    scaled = [
        (percent[key] / 100 - dimension.low) / (dimension.high - dimension.low)
        for key, dimension in DIMENSIONS.items()
    ]
    keys = list(DIMENSIONS)[:NUM_QUALITY]
    weights = [0.5 if key == "dynamic_degree" else 1.0 for key in keys]
    weighted = [weight * score for weight, score in zip(weights, scaled, strict=False)]
    quality = sum(weighted) / sum(weights)
    semantic = sum(scaled[NUM_QUALITY:]) / (len(scaled) - NUM_QUALITY)
    return Total(
        quality=100 * quality, semantic=100 * semantic, total=100 * (4 * quality + semantic) / 5
    )
