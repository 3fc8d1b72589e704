"""Sample n is a function of the seed and n, and the samples are those that were asked for."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latte.data.errors import BrokenVideoError, InputError
from latte.data.shapes import CLASS_NAMES, draw_scene, render
from latte.data.transforms import RECIPES
from latte.data.video import write_video
from latte.training.config import DataTable
from latte.training.data import open_training_set

LENGTHS = {"ape": (4, 9), "bee": (3, 16), "cat": (7, 4)}  # two videos each; one is too short


@pytest.fixture(scope="module")
def folder(make_clips, tmp_path_factory):
    """Six videos of 12×10 pixels in three classes."""
    root = tmp_path_factory.mktemp("videos")
    for seed, (name, number) in enumerate(itertools.product(LENGTHS, (0, 1))):
        (root / name).mkdir(exist_ok=True)
        clip = make_clips(1, LENGTHS[name][number], 10, 12, seed)[0]
        write_video(root / name / f"{number}.mkv", clip, fps=8)
    return root


def open_set(dataset, seed=0, workers=0, class_conditional=False, **changes):
    table = {"num_frames": 4, "stride": 2, "size": 8, "recipe": "stylegan-v"} | changes
    return open_training_set(
        DataTable(dataset=str(dataset), **table),
        seed=seed,
        data_root=Path("nowhere"),
        workers=workers,
        class_conditional=class_conditional,
    )


def shapes(**changes):
    return open_set(
        "shapes", **{"stride": 1, "num_videos": 12, "class_conditional": True} | changes
    )


def names(training_set, numbers):
    return [training_set.plan(number).clips[0].video.name for number in numbers]


def test_a_sample_does_not_depend_on_what_was_asked_before(folder):
    whole = open_set(folder, images_per_clip=2)
    plans = [whole.plan(number) for number in range(30)]
    other = open_set(folder, images_per_clip=2)
    for number in reversed(range(30)):
        assert other.plan(number) == plans[number]
    assert open_set(folder, images_per_clip=2).plan(17) == plans[17]
    changed = open_set(folder, images_per_clip=2, seed=1)
    assert [changed.plan(number) for number in range(30)] != plans


@pytest.mark.slow
def test_workers_change_nothing(folder):
    alone = list(open_set(folder, images_per_clip=1).samples(range(3, 10), workers=0))
    for workers in (1, 2):
        training_set = open_set(folder, images_per_clip=1, workers=workers)
        together = list(training_set.samples(range(3, 10), workers=workers))
        for mine, theirs in zip(alone, together, strict=True):
            assert mine.plan == theirs.plan
            assert np.array_equal(mine.frames, theirs.frames)


def test_frames_are_those_of_the_plan_prepared_as_asked_for(folder):
    training_set = open_set(folder, images_per_clip=2, filter="box")
    for sample in training_set.samples(range(6), workers=0):
        parts = []
        for clip in sample.plan.clips:
            frames = RECIPES["stylegan-v"](clip.video.read(clip.frames), 8, "box")
            parts.append(frames[:, :, ::-1] if clip.mirrored else frames)
        assert sample.frames.shape == (6, 8, 8, 3)
        assert np.array_equal(sample.frames, np.concatenate(parts))


def test_plans_alone_decode_nothing(folder):
    training_set = open_set(folder)
    videos = [replace(video, path=folder / "gone.mkv") for video in training_set.videos.videos]
    gone = replace(training_set, videos=replace(training_set.videos, videos=tuple(videos)))
    samples = list(gone.samples(range(4), workers=0, decode=False))
    assert [sample.frames for sample in samples] == [None] * 4
    assert [sample.plan.number for sample in samples] == [0, 1, 2, 3]


def test_every_video_comes_once_in_an_epoch_and_each_epoch_has_its_order(folder):
    training_set = open_set(folder)
    epochs = [names(training_set, range(5 * i, 5 * i + 5)) for i in range(20)]
    every = ["ape/0", "ape/1", "bee/1", "cat/0", "cat/1"]
    assert all(sorted(epoch) == every for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 10
    assert {epoch[0] for epoch in epochs} == set(every)


def test_clips_begin_wherever_they_fit_and_short_videos_take_a_smaller_stride(folder):
    training_set = open_set(folder, stride=2)
    seen = {}
    for number in range(600):
        clip = training_set.plan(number).clips[0]
        seen.setdefault(clip.video.name, set()).add(clip.frames)

    def windows(length, stride):
        last = length - 3 * stride
        return {tuple(range(start, start + 3 * stride + 1, stride)) for start in range(last)}

    assert seen == {
        "ape/0": windows(4, 1),
        "ape/1": windows(9, 2),
        "bee/1": windows(16, 2),
        "cat/0": windows(7, 2),
        "cat/1": windows(4, 1),
    }


@pytest.mark.parametrize(("stride", "taken"), [(1, 1), (4, 4), (5, 5), (16, 5)])
def test_the_largest_stride_that_fits_is_taken(folder, stride, taken):
    training_set = open_set(folder, stride=stride)
    strides = {
        clip.video.name: clip.frames[1] - clip.frames[0]
        for clip in (training_set.plan(number).clips[0] for number in range(5))
    }
    assert strides["bee/1"] == taken  # clips have 16 frames
    assert strides["ape/0"] == 1


def test_one_frame_is_a_clip(folder):
    training_set = open_set(folder, num_frames=1, stride=3)
    frames = {training_set.plan(number).clips[0].frames for number in range(800)}
    assert frames == {(i,) for i in range(16)}
    assert list(training_set.notes()) == []


def test_what_is_not_as_asked_for_is_said(folder):
    assert list(open_set(folder, stride=2).notes()) == [
        f"{folder}: 1 of 6 videos have fewer than 4 frames and are left out",
        f"{folder}: 2 of 5 videos are too short for clips at stride 2, and take the largest that "
        "fits, 1 at least",
    ]
    assert list(open_set(folder, num_frames=3, stride=1).notes()) == []


def test_half_of_the_clips_are_flipped(folder):
    training_set = open_set(folder, images_per_clip=1)
    plans = [training_set.plan(number) for number in range(1000)]
    clips = np.array([plan.clips[0].mirrored for plan in plans])
    images = np.array([plan.clips[1].mirrored for plan in plans])
    for flips in (clips, images):
        assert abs(flips.mean() - 0.5) < 4 * 0.5 / 1000**0.5
    assert abs(np.corrcoef(clips, images)[0, 1]) < 4 / 1000**0.5
    never = open_set(folder, flip=False, images_per_clip=1)
    assert not any(never.plan(number).clips[0].mirrored for number in range(50))
    assert not any(never.plan(number).clips[1].mirrored for number in range(50))


def test_images_are_any_frame_of_the_set_whatever_the_clip(folder):
    training_set = open_set(folder, images_per_clip=2, class_conditional=True)
    plans = [training_set.plan(number) for number in range(2000)]
    taken = [
        (image.video.name, image.frames[0], label)
        for plan in plans
        for image, label in zip(plan.clips[1:], plan.labels[1:], strict=True)
    ]
    lengths = {"ape/0": 4, "ape/1": 9, "bee/1": 16, "cat/0": 7, "cat/1": 4}
    labels = {"ape/0": 0, "ape/1": 0, "bee/1": 1, "cat/0": 2, "cat/1": 2}
    every = {(name, i, labels[name]) for name, count in lengths.items() for i in range(count)}
    assert set(taken) == every
    counts = np.unique([f"{name} {frame}" for name, frame, _ in taken], return_counts=True)[1]
    expected = len(taken) / 40
    assert ((counts - expected) ** 2 / expected).sum() < 39 + 4 * 78**0.5
    # Independent of the clip, and of each other.
    same = np.mean([plan.clips[0].video == plan.clips[1].video for plan in plans])
    alone = np.mean([lengths[plan.clips[0].video.name] / 40 for plan in plans])
    assert abs(same - alone) < 4 * 0.5 / 2000**0.5
    pairs = {(plan.clips[1].frames, plan.clips[2].frames) for plan in plans}
    assert len(pairs) > 150


def test_classes_are_folders(folder):
    training_set = open_set(folder, class_conditional=True)
    assert training_set.classes == ("ape", "bee", "cat")
    found = {plan.clips[0].video.name: plan.labels[0] for plan in map(training_set.plan, range(5))}
    assert found == {"ape/0": 0, "ape/1": 0, "bee/1": 1, "cat/0": 2, "cat/1": 2}
    without = open_set(folder)
    assert without.classes == ()
    assert without.plan(0).labels == ()


def test_shapes_have_ten_classes_and_any_size_and_length():
    training_set = shapes(size=16, stride=30)
    assert training_set.classes == CLASS_NAMES
    assert training_set.fps == 8.0
    for sample in training_set.samples(range(4), workers=0):
        clip = sample.plan.clips[0]
        assert sample.plan.labels[0] == clip.video.index % 10
        assert np.diff(clip.frames).tolist() == [30] * 3
        drawn = render(draw_scene("train", clip.video.index), clip.frames, 16)
        assert np.array_equal(sample.frames, drawn[:, :, ::-1] if clip.mirrored else drawn)
    assert list(training_set.notes()) == []


def test_the_first_videos_alone_are_a_small_set(folder):
    assert len(shapes(num_videos=3).infos) == 3
    assert len(shapes(num_videos=0).infos) == 10_000
    assert set(names(open_set(folder, num_videos=2), range(9))) == {"ape/0", "ape/1"}


def test_frame_folders_are_taken_as_they_are(tmp_path, make_clips):
    from PIL import Image

    clip = make_clips(1, 5, 8, 8)[0]
    (tmp_path / "frames" / "one").mkdir(parents=True)
    for number, frame in enumerate(clip):
        Image.fromarray(frame).save(tmp_path / "frames" / "one" / f"{number}.png")
    training_set = open_set(tmp_path / "frames", stride=1, flip=False)
    sample = next(training_set.samples([0], workers=0))
    start = sample.plan.clips[0].frames[0]
    assert np.array_equal(sample.frames, clip[start : start + 4])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"recipe": "stylegan"}, r"data\.recipe.*stylegan\b.*none.*stylegan-v, latte"),
        ({"filter": "linear"}, r"data\.filter.*linear.*stylegan-v.*lanczos, bicubic"),
        ({"recipe": "digan", "filter": "box"}, r"data\.filter.*box.*digan.*bilinear"),
        ({"recipe": "none"}, r"ape/0 .*12×10.*data\.size"),
        ({"num_frames": 17}, r"\b6 videos.*\b17 frames"),
        ({"dataset": "shapse"}, r"data\.dataset.*shapse.*did you mean shapes"),
        ({"dataset": "ucf101"}, "ucf101: not found.*--data-root"),
        ({"dataset": "shapes", "split": "val"}, r"shapes: .*\bval\b.*train, test"),
    ],
)
def test_what_cannot_be_trained_on_is_one_sentence(folder, tmp_path, changes, sentence):
    table = {"dataset": str(folder), "num_frames": 4, "size": 8} | changes
    with pytest.raises(InputError, match=sentence) as refused:
        open_training_set(
            DataTable(**table), seed=0, data_root=tmp_path, workers=0, class_conditional=False
        )
    assert "\n" not in str(refused.value)


def test_videos_without_classes_are_named(folder, tmp_path, make_clips):
    np.save(tmp_path / "clips.npy", make_clips(3, 4, 8, 8))
    with pytest.raises(InputError, match=r"clips\.npy: .*no class.*\b3 of 3 videos"):
        open_set(tmp_path / "clips.npy", class_conditional=True)
    write_video(tmp_path / "one.mkv", make_clips(1, 4, 8, 8)[0], fps=8)
    (tmp_path / "clips.npy").unlink()
    with pytest.raises(InputError, match=r"set model\.class_conditional=false"):
        open_set(tmp_path, class_conditional=True)


def test_a_broken_video_is_named_and_no_option_is_promised(tmp_path, make_clips):
    for number in range(2):
        write_video(tmp_path / f"{number}.mkv", make_clips(1, 8, 16, 16, number)[0], fps=8)
    training_set = open_set(tmp_path)
    content = (tmp_path / "1.mkv").read_bytes()
    (tmp_path / "1.mkv").write_bytes(content[: len(content) // 2])
    advice = r"/1\.mkv: .*replace"
    with pytest.raises(BrokenVideoError, match=advice):
        open_set(tmp_path)
    with pytest.raises(BrokenVideoError, match=advice):  # broken after it was looked at
        list(training_set.samples(range(4), workers=0))
