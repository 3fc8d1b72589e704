"""VBench's formulas on the embedded data set: closed forms, and what the table says of methods."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.shapes.dimensions import (
    OF_PIXELS,
    STAND_INS,
    background_consistency,
    class_scores,
    consistency,
    dynamic_degree,
    motion_smoothness,
    open_pixel_scores,
    pixel_scores,
    score_dimensions,
    temporal_flickering,
)
from benchmarks.shapes.distortions import GENERATORS, HELD_OUT, DistortedVideo, real_videos
from benchmarks.shapes.measuring import ShapesMeasurer
from evaluation.features.extraction import ExtractionOptions
from evaluation.measuring.networks import Networks
from evaluation.networks.shapes import FRAME_CLASSES
from evaluation.protocol.presets import SHAPES
from latte.data.errors import InputError
from latte.data.shapes import CLASSES, shapes_video_set

SIZE = (16, 32, 32, 3)


def fade(step: float) -> np.ndarray:
    """Every pixel brighter by `step` in each frame."""
    return np.broadcast_to(step * np.arange(16.0)[:, None, None, None], SIZE).copy()


def test_a_still_clip_is_consistent_smooth_and_not_dynamic() -> None:
    clip = np.random.default_rng(0).integers(0, 256, SIZE[1:]).astype(float)
    still = np.repeat(clip[None], 16, axis=0)
    assert background_consistency(still) == pytest.approx(1, abs=1e-12)
    assert temporal_flickering(still) == 1
    assert motion_smoothness(still) == 1
    assert dynamic_degree(still) == 0


def test_flickering_is_the_mean_change_of_a_pixel() -> None:
    clip = np.zeros(SIZE)
    clip[1::2] = 51.0  # a fifth of the range, every time
    assert temporal_flickering(clip) == pytest.approx(0.8)


def test_a_steady_change_is_smooth_and_a_jump_is_not() -> None:
    assert motion_smoothness(fade(10)) == 1
    jump = np.zeros(SIZE)
    jump[5] = 255.0  # one of the seven frames that are told by others
    assert motion_smoothness(jump) == pytest.approx(1 - 1 / 7)


def test_consistency_is_that_with_the_frame_before_and_with_the_first() -> None:
    turn = np.deg2rad(30)
    states = np.array([[np.cos(k * turn), np.sin(k * turn)] for k in range(6)])
    first = [max(0.0, np.cos(k * turn)) for k in range(1, 6)]
    assert consistency(7 * states) == pytest.approx((np.cos(turn) + np.mean(first)) / 2)


def test_consistency_counts_opposite_frames_and_frames_of_nothing_as_0() -> None:
    assert consistency(np.array([[1.0, 0], [-1, 0], [-1, 0]])) == pytest.approx(0.25)
    assert consistency(np.zeros((3, 2))) == 0


def test_the_background_is_the_rim() -> None:
    clip = np.full(SIZE, 200.0)
    clip[:, 2:-2, 2:-2] = np.random.default_rng(0).integers(0, 256, (16, 28, 28, 3))
    assert background_consistency(clip) == pytest.approx(1, abs=1e-12)
    clip[8:, 0] = 0
    assert background_consistency(clip) < 0.9


@pytest.mark.parametrize(("change", "dynamic"), [(31, 0), (32, 1)])
def test_a_clip_is_dynamic_where_a_twentieth_of_it_changes_by_an_eighth(
    change: float, dynamic: float
) -> None:
    clip = np.zeros(SIZE)
    clip[1:9:2].reshape(4, -1, 3)[:, :52] = change  # 8 of 15 steps; 51 are a twentieth
    assert dynamic_degree(clip) == dynamic


def test_three_moving_steps_of_sixteen_frames_are_too_few() -> None:
    clip = np.zeros(SIZE)
    for steps, dynamic in ((3, 0), (4, 1)):
        clip[:] = 0
        clip[1 : steps + 1] = 100 * np.arange(1, steps + 1)[:, None, None, None]
        clip[steps + 1 :] = clip[steps]
        assert dynamic_degree(clip) == dynamic


def test_a_row_of_pixel_scores_is_each_score_of_its_clip() -> None:
    clips = np.stack([video.read(range(16)) for video in shapes_video_set("test").videos[:3]])
    rows = pixel_scores(torch.from_numpy(clips))
    assert rows.shape == (3, len(OF_PIXELS))
    functions = (background_consistency, temporal_flickering, motion_smoothness, dynamic_degree)
    for row, clip in zip(rows, clips.astype(np.float64), strict=True):
        assert row.tolist() == [function(clip) for function in functions]


def test_scores_of_classes_by_hand() -> None:
    shape, motion = CLASSES[0]
    same_motion = [place for place, (_, moves) in enumerate(CLASSES) if moves == motion]
    of_clips = np.zeros((2, 10))
    of_clips[0, same_motion] = 0.45, 0.45
    of_clips[0, 2] = 0.1
    of_clips[1, same_motion] = 0.5, 0.3
    of_clips[1, 2] = 0.2
    of_frames = np.zeros((2, 4, 10))
    right = [place for place, (name, _) in enumerate(FRAME_CLASSES) if name == shape]
    of_frames[0, :3, right[0]] = 1  # three of four frames
    of_frames[0, 3, (right[1] + 1) % 10] = 1
    of_frames[1, :, right[1]] = 1
    found = class_scores([0, 0], of_frames, of_clips)
    assert found["object_class"] == [0.75, 1.0]
    assert found["human_action"] == [1.0, 0.0]
    assert found["overall_consistency"] == [of_clips[0, 0], of_clips[1, 0]]


def measured(label: str, store: Path, count: int = 20) -> dict[str, dict[str, object]]:
    generator = next(each for each in GENERATORS if each.label == label)
    protocol = replace(SHAPES, num_real=count, num_fake=count)
    options = ExtractionOptions(store=store, workers=0, progress=False)
    measurer = ShapesMeasurer(real_videos(0, count), protocol, Networks(options))
    pixels = open_pixel_scores(store)
    clips = measurer.extract(generator.videos(20, 20), "fake", also=[pixels])
    found = score_dimensions(clips, measurer, pixels)
    assert all(name.endswith("-shapes") for name in found)
    return {name.removesuffix("-shapes"): each for name, each in found.items()}


def test_videos_of_the_data_set_are_of_their_class_and_frozen_ones_do_not_move(
    tmp_path: Path,
) -> None:
    real = measured(HELD_OUT, tmp_path)
    assert list(real) == list(STAND_INS)
    for name in ("object_class", "human_action", "overall_consistency"):
        assert real[name]["value"] > 0.95
    frozen = measured("frozen first frame", tmp_path)
    assert frozen["dynamic_degree"]["value"] == 0
    assert frozen["dynamic_degree"]["interval"] == pytest.approx([0, 0.161], abs=1e-3)  # Wilson
    assert frozen["temporal_flickering"]["value"] == 1
    assert frozen["human_action"]["value"] < 0.5 < frozen["object_class"]["value"]
    for each in (*real.values(), *frozen.values()):
        low, high = each["interval"]
        assert 0 <= low <= each["value"] + 1e-12
        assert each["value"] <= high + 1e-12 <= 1 + 2e-12
    json.dumps([real, frozen])
    assert real["object_class"]["fingerprint"] != real["human_action"]["fingerprint"]


def test_each_clip_is_read_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = measured("blur, σ 1 px", tmp_path)

    def fail(*arguments: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(DistortedVideo, "read", fail)
    assert measured("blur, σ 1 px", tmp_path) == first


def test_too_few_videos_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\b21\b.*\b20\b"):
        measured("half speed", tmp_path, count=21)
