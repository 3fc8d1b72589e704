import hashlib
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latte.data.drawing import OUTLINES, Pose, cosine, paint, reflect, sine
from latte.data.errors import BrokenVideoError, InputError
from latte.data.shapes import (
    CLASS_NAMES,
    CLASSES,
    NUM_CLASSES,
    SHAPES,
    ShapesVideo,
    draw_scene,
    shapes_clips,
    shapes_video_set,
)

# Of the clips below, drawn by this code on x86-64 with numpy 2.4, at each of its vector levels.
GOLDEN_32 = "fa34d9f4038336a9699fb0e5c2a2dcd9a3e0c16b8255a47c02a4f463438ec69b"
GOLDEN_64 = "f10d64ee3310bd22352a02913762e23c2d01764159a583eeb52ee68ea21fb400"


def sha256(array: np.ndarray) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


def test_every_byte_is_the_same_on_every_machine():
    assert sha256(shapes_clips("train", range(10), num_frames=64)) == GOLDEN_32
    videos = (ShapesVideo(index=index, split="test", size=64) for index in (3, 2047))
    assert sha256(np.stack([video.read(range(5, 21)) for video in videos])) == GOLDEN_64


def test_another_process_draws_the_same_bytes():
    program = (
        "import hashlib; from latte.data.shapes import shapes_clips; "
        "print(hashlib.sha256(shapes_clips('test', [7]).tobytes()).hexdigest())"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert printed.strip() == sha256(shapes_clips("test", [7]))


def test_our_sine_is_the_sine():
    turns = np.linspace(-3, 3, 10_001)
    assert np.abs(sine(turns) - np.sin(2 * np.pi * turns)).max() < 1e-10
    assert np.abs(cosine(turns) - np.cos(2 * np.pi * turns)).max() < 1e-10


@settings(max_examples=30, deadline=None)
@given(
    index=st.integers(0, 10**9),
    frames=st.lists(st.integers(0, 63), min_size=1, max_size=5),
    size=st.sampled_from([8, 32, 33]),
)
def test_a_frame_does_not_depend_on_what_else_is_asked_for(index, frames, size):
    video = ShapesVideo(index=index, split="train", size=size)
    whole = video.read(range(64))
    assert whole.dtype == np.uint8
    assert whole.shape == (64, size, size, 3)
    assert np.array_equal(video.read(frames), whole[frames])


def test_a_longer_video_begins_like_a_shorter_one():
    short = ShapesVideo(index=5, split="test", num_frames=16).read(range(16))
    long = ShapesVideo(index=5, split="test", num_frames=200).read(range(200))
    assert np.array_equal(short, long[:16])


def test_the_larger_picture_is_the_same_scene_drawn_finer():
    small = shapes_clips("test", range(20), num_frames=4).astype(float)
    large = shapes_clips("test", range(20), num_frames=4, size=64).astype(float)
    averaged = large.reshape(20, 4, 32, 2, 32, 2, 3).mean(axis=(3, 5))
    assert np.abs(averaged - small).mean() < 2.0
    assert np.abs(np.roll(averaged, 1, axis=0) - small).mean() > 20.0


def test_splits_and_indices_have_scenes_of_their_own():
    scenes = {
        (scene.radius, scene.phase, scene.ground_direction)
        for split in ("train", "test")
        for scene in (draw_scene(split, index) for index in range(500))
    }
    assert len(scenes) == 1000


def test_neither_the_shape_nor_the_motion_alone_gives_the_class():
    assert len(set(CLASSES)) == NUM_CLASSES == len(CLASS_NAMES) == 10
    assert set(Counter(shape for shape, _ in CLASSES).values()) == {2}
    assert set(Counter(motion for _, motion in CLASSES).values()) == {2}


def test_labels_are_balanced_and_say_what_the_scene_is():
    videos = shapes_video_set("test", num_videos=200).videos
    assert set(Counter(video.label for video in videos).values()) == {20}
    for video in videos[:20]:
        scene = draw_scene(video.split, video.index)
        assert (scene.shape, scene.motion) == CLASSES[video.label]


@pytest.mark.parametrize("motion", sorted({motion for _, motion in CLASSES}))
def test_each_motion_moves_what_it_says_and_nothing_else(motion):
    label = [found for _, found in CLASSES].index(motion)
    time = np.arange(64.0)
    moved = {"x": [], "y": [], "radius": [], "turns": []}
    for index in range(label, label + 200, 10):
        pose = draw_scene("train", index).pose(time)
        for name, ways in moved.items():
            ways.append(np.ptp(getattr(pose, name)))
    still = {
        "bouncing": {"radius", "turns"},
        "orbiting": {"radius", "turns"},
        "pulsing": {"x", "y", "turns"},
        "swinging": {"radius"},
        "spinning": {"x", "y", "radius"},
    }[motion]
    assert {name for name, ways in moved.items() if max(ways) == 0} == still
    for name in moved.keys() - still:
        assert min(moved[name]) > 0.02


def test_what_bounces_stays_inside_and_keeps_its_speed():
    position = np.arange(400) * 0.037
    bounced = reflect(position, 0.2, 0.8)
    assert bounced.min() >= 0.2
    assert bounced.max() <= 0.8
    steps = np.abs(np.diff(bounced))
    assert np.median(steps) == pytest.approx(0.037)
    assert steps.max() < 0.0371


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        ("circle", np.pi),
        ("square", 4 * 0.84**2),
        ("ring", np.pi * (1 - 0.52**2)),
        # Ten triangles between the centre, a tip (cut at 1.15) and a notch.
        ("star", 5 * 1.16 * 0.52 * np.sin(np.pi / 5)),
        ("triangle", 3 * np.sqrt(3) * 0.56**2),
    ],
)
@pytest.mark.parametrize("turns", [0.0, 0.13])
def test_coverage_adds_up_to_the_area_of_the_shape(shape, area, turns):
    """Drawn in white on black, less the shadow, which cannot darken black."""
    canvas = np.zeros((1, 32, 32, 3))
    white, radius = np.full(3, 255.0), 0.2
    pose = Pose(
        x=np.array([0.51]), y=np.array([0.48]), radius=np.array([radius]), turns=np.array([turns])
    )
    paint(canvas, pose, shape, white, white)
    covered = canvas[0, :, :, 0].sum() / 255 / 32**2
    assert covered == pytest.approx(area * radius**2, rel=0.03)
    assert (canvas % 255 != 0).sum() > 0  # edges are smooth


def test_all_shapes_of_the_classes_can_be_drawn():
    assert set(SHAPES) == set(OUTLINES)


def test_the_digest_follows_the_content():
    video = ShapesVideo(index=3, split="test")
    assert video.digest([0]) == ShapesVideo(index=3, split="test", num_frames=9).digest([5])
    others = [
        ShapesVideo(index=4, split="test"),
        ShapesVideo(index=3, split="train"),
        ShapesVideo(index=3, split="test", size=64),
    ]
    assert len({other.digest([0]) for other in [video, *others]}) == 4


def test_sets_are_sorted_by_name_and_cover_what_they_say():
    videos = shapes_video_set("train+test", num_videos=3, start=9, num_frames=20)
    names = [video.name for video in videos.videos]
    assert names == sorted(names)
    assert names[:3] == ["test/000009", "test/000010", "test/000011"]
    assert len(names) == 6
    assert videos.videos[0].probe().num_frames == 20
    assert len(shapes_video_set("train").videos) == 10_000


@pytest.mark.parametrize("split", ["valid", "train+train", "", "train+"])
def test_an_unknown_split_is_refused(split):
    with pytest.raises(InputError, match=r"\bsplit\b.*train, test"):
        shapes_video_set(split)


@pytest.mark.parametrize(
    ("change", "fact"),
    [({"size": 4}, "size 4"), ({"num_videos": 0}, "0 videos"), ({"num_frames": 0}, "0 frames")],
)
def test_numbers_out_of_range_are_refused(change, fact):
    with pytest.raises(InputError, match=rf"\b{fact}\b"):
        shapes_video_set("test", **change)


@pytest.mark.parametrize("frame", [-1, 64])
def test_a_frame_beyond_the_end_is_refused_by_name(frame):
    with pytest.raises(BrokenVideoError, match=rf"test/000001: .*{frame}\b.*\b64 frames"):
        ShapesVideo(index=1, split="test").read([0, frame])
