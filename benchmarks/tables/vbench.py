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

from evaluation.results.reading import json_value
from latte.data.errors import InputError, nearest


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """One of VBench's dimensions."""

    title: str
    heading: str  # where eight stand beside each other
    prompts: int  # Vchitect/VBench 45e79ec, prompts/prompts_per_dimension


# In the paper's order, which is VBench's (Vchitect/VBench 45e79ec, scripts/constant.py).
DIMENSIONS: Mapping[str, Dimension] = {
    key: Dimension(title=key.replace("_", " "), heading=heading, prompts=prompts)
    for key, heading, prompts in (
        ("subject_consistency", "Subject", 72),
        ("background_consistency", "Background", 86),
        ("temporal_flickering", "Flickering", 75),
        ("motion_smoothness", "Motion", 72),
        ("dynamic_degree", "Dynamic", 72),
        ("aesthetic_quality", "Aesthetic", 93),
        ("imaging_quality", "Imaging", 93),
        ("object_class", "Object", 79),
        ("multiple_objects", "Objects", 82),
        ("human_action", "Action", 100),
        ("color", "Color", 85),
        ("spatial_relationship", "Spatial", 84),
        ("scene", "Scene", 86),
        ("appearance_style", "Appearance", 90),
        ("temporal_style", "Temporal", 100),
        ("overall_consistency", "Overall", 93),
    )
}
NUM_QUALITY = 7  # the first dimensions, which VBench counts as quality; the others are semantic
ENDING = "_eval_results"
PERCENT = "imaging_quality"  # of the first releases
MOST = 100  # of a video's value: shares of 1, and percentages


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
    interval: tuple[float, float] | None  # over prompts, where the score is a mean over videos
    num_videos: int


@dataclass(frozen=True, kw_only=True)
class VBenchModel:
    """What the files of one model hold."""

    name: str
    scores: Mapping[str, Score]  # by dimension


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
                    f"({values}); leave one of the files out, or give them two names with "
                    "NAME=FILE"
                )
    return [VBenchModel(name=name, scores=scores) for name, scores in models.items()]


def read_scores(path: Path) -> dict[str, Score]:
    """The scores of one file, by dimension.

    Raises:
        InputError: see `read_models`.
    """
    try:
        record = json_value(
            path.read_text(encoding="utf-8"), f"{path}: not a results file of VBench"
        )
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such results file; `vbench evaluate` writes NAME{ENDING}.json"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a results file of VBench ({error})") from None
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
            f"{where}: {dimension} is not [score, [videos]] as VBench writes it; measure again"
        )
    score, videos = entry
    if not _is_number(score) or not math.isfinite(score):
        raise InputError(
            f"{where}: {dimension} is {_shown(score)} over {len(videos)} videos: VBench found "
            "none of its prompts' videos; name them PROMPT-INDEX.mp4 and measure again"
        )
    unit = 1.0 if dimension == PERCENT and score > 1 else 100.0
    percent = unit * score
    if not 0 <= percent <= 100:
        raise InputError(f"{where}: {dimension} is {score:g}, not a share of 1; measure again")
    return Score(
        where=where,
        percent=percent,
        interval=_interval(percent, videos),
        num_videos=len(videos),
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
    sums: dict[str, float] = {}  # of the deviations from the mean
    for path, value in values:
        prompt = re.sub(r"-\d+$", "", PurePosixPath(path).stem)
        sums[prompt] = sums.get(prompt, 0.0) + value - percent
    count = len(sums)
    if count < 2:
        return None
    variance = count / (count - 1) * sum(each**2 for each in sums.values()) / len(values) ** 2
    half = two_sided_quantile(0.95, count - 1) * math.sqrt(variance)
    return percent - half, percent + half


def _values(percent: float, videos: Sequence[Any]) -> list[tuple[str, float]] | None:
    """Path and value of each video in percent, if their mean is the score."""
    found = []
    for video in videos:
        if not isinstance(video, dict) or not isinstance(video.get("video_path"), str):
            return None
        value = video.get("video_results")
        # True and False of the dynamic degree are numbers here as well.
        if not isinstance(value, int | float) or not abs(value) <= MOST:
            return None
        found.append((video["video_path"], float(value)))
    if not found:
        return None
    mean = sum(value for _, value in found) / len(found)
    for unit in (100.0, 1.0):  # later releases leave the videos' imaging quality in percent
        if math.isclose(unit * mean, percent, rel_tol=1e-6, abs_tol=1e-9):
            return [(path, unit * value) for path, value in found]
    return None


def _shown(score: Any) -> str:
    """A score that is none, as JSON: NaN, or a text; what has parts is only named."""
    return "a list or table" if isinstance(score, list | dict) else json.dumps(score)[:80]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def total(percent: Mapping[str, float]) -> Total:
    """VBench's summary of all sixteen dimensions, in percent.

    Each dimension is brought to 0 … 1 by the least and the most that VBench expects of it; quality
    is the weighted mean of the first seven, with half the weight for the dynamic degree, semantic
    the mean of the others, and the total four parts of quality and one of semantic
    (Vchitect/VBench 45e79ec, scripts/cal_final_score.py and constant.py).
    """
    least = {
        "subject_consistency": 0.1462,
        "background_consistency": 0.2615,
        "temporal_flickering": 0.6293,
        "motion_smoothness": 0.706,
        "appearance_style": 0.0009,
    }
    most = {
        "motion_smoothness": 0.9975,
        "scene": 0.8222,
        "appearance_style": 0.2855,
        "temporal_style": 0.364,
        "overall_consistency": 0.364,
    }
    scaled = {
        key: (percent[key] / 100 - least.get(key, 0.0)) / (most.get(key, 1.0) - least.get(key, 0.0))
        for key in DIMENSIONS
    }
    of_quality = list(DIMENSIONS)[:7]
    weights = {key: 0.5 if key == "dynamic_degree" else 1.0 for key in of_quality}
    quality = sum(weights[key] * scaled[key] for key in of_quality) / sum(weights.values())
    semantic = sum(scaled[key] for key in list(DIMENSIONS)[7:]) / (len(DIMENSIONS) - 7)
    return Total(
        quality=100 * quality, semantic=100 * semantic, total=100 * (4 * quality + semantic) / 5
    )
