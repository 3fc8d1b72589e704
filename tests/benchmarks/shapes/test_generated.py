"""Samples of a checkpoint as a set of videos: what decides them, and where they may be made."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.shapes.generated import generated_videos, sampling_text, with_clips
from evaluation.features.extraction import ExtractionOptions, StoredNetwork
from evaluation.features.sets import measure_set, plan_set
from evaluation.networks.registry import build
from evaluation.protocol.presets import SHAPES
from latte.autoencoder import open_autoencoder
from latte.data.errors import InputError
from latte.model.checkpoints import build_model, load_checkpoint
from latte.sampling.generate import Sampler, SamplingOptions, open_diffusion

OPTIONS = SamplingOptions(method="ddim", steps=2, seed=5)


@pytest.fixture
def file(tiny_checkpoint, tmp_path):
    return tiny_checkpoint(tmp_path / "tiny.safetensors")


def measured(videos, store, workers=0):
    options = ExtractionOptions(store=store, workers=workers, progress=False)
    network = StoredNetwork(build("shapes"), store)
    planned = plan_set(videos, SHAPES, "fake", options)
    found = measure_set(planned, [network], options)
    return found, network.features(found.keys)


def test_a_video_is_the_sample_that_latte_sample_makes(file):
    video = generated_videos(file, 12, OPTIONS).videos[11]
    sampler = Sampler(
        model=build_model(load_checkpoint(file)),
        diffusion=open_diffusion(OPTIONS),
        autoencoder=open_autoencoder("identity"),
        options=OPTIONS,
    )
    (clip,) = sampler.clips([11], [1])
    np.testing.assert_array_equal(video.read(range(16)), clip)
    np.testing.assert_array_equal(video.read([3, 0]), clip[[3, 0]])
    info = video.probe()
    assert (info.num_frames, info.height, info.width) == clip.shape[:3]
    assert video.prepared


def test_classes_are_asked_for_in_turn(file, tiny_checkpoint, tmp_path):
    videos = generated_videos(file, 25, OPTIONS).videos
    assert [video.label for video in videos] == [i % 10 for i in range(25)]
    assert [video.name for video in videos] == sorted(video.name for video in videos)
    free = generated_videos(tiny_checkpoint(tmp_path / "free", num_classes=None), 2, OPTIONS)
    assert [video.label for video in free.videos] == [None, None]
    assert free.videos[0].read(range(16)).shape == (16, 8, 8, 3)


def test_whatever_moves_a_pixel_moves_the_digest(file, tiny_checkpoint, tmp_path):
    video = generated_videos(file, 1, OPTIONS).videos[0]
    others = [
        generated_videos(file, 2, OPTIONS).videos[1],
        replace(video, label=3),
        replace(video, autoencoder="another"),
        *(
            generated_videos(file, 1, replace(OPTIONS, **change)).videos[0]
            for change in (
                {"seed": 6},
                {"steps": 3},
                {"method": "ddpm"},
                {"eta": 0.5},
                {"guidance_scale": 1.5},
                {"guided": "all"},
            )
        ),
        generated_videos(tiny_checkpoint(tmp_path / "other", seed=1), 1, OPTIONS).videos[0],
    ]
    digests = {each.digest(range(16)) for each in (video, *others)}
    assert len(digests) == 1 + len(others)


def test_the_same_content_elsewhere_has_the_same_digest(file, tmp_path):
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(file.read_bytes())
    digests = {generated_videos(path, 1, OPTIONS).videos[0].digest([0]) for path in (file, copy)}
    assert len(digests) == 1


def test_features_do_not_depend_on_where_samples_are_made_and_are_found_again(file, tmp_path):
    videos = generated_videos(file, 3, OPTIONS)
    here, rows = measured(videos, tmp_path / "here")
    away, same = measured(videos, tmp_path / "away", workers=1)
    assert (here.decoded, away.decoded) == (3, 3)
    np.testing.assert_array_equal(rows, same)
    assert measured(videos, tmp_path / "here")[0].decoded == 0


def test_clips_that_are_sampled_are_not_sampled_again(file, tmp_path, monkeypatch):
    videos = generated_videos(file, 3, OPTIONS)
    held = with_clips(videos, 3, workers=0)

    def fail(*given):
        raise AssertionError("sampled again")

    monkeypatch.setattr(Sampler, "clips", fail)
    clips = [video.read(range(16)) for video in held.videos]
    assert measured(held, tmp_path)[0].decoded == 3
    monkeypatch.undo()
    for video, clip in zip(videos.videos, clips, strict=True):
        np.testing.assert_array_equal(video.read(range(16)), clip)
    assert [v.digest([0]) for v in held.videos] == [v.digest([0]) for v in videos.videos]
    assert pickle.loads(pickle.dumps(held.videos[0])) == videos.videos[0]


def test_one_thread_samples_and_the_number_is_restored(file, monkeypatch):
    seen = []
    original = Sampler.clips

    def spy(*arguments):
        seen.append(torch.get_num_threads())
        return original(*arguments)

    monkeypatch.setattr(Sampler, "clips", spy)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        generated_videos(file, 1, OPTIONS).videos[0].read([0])
        assert seen == [1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_file_that_changes_meanwhile_is_refused(file, tiny_checkpoint):
    video = generated_videos(file, 1, OPTIONS).videos[0]
    tiny_checkpoint(file, seed=2)
    with pytest.raises(InputError, match=r"tiny\.safetensors .*changed"):
        video.read([0])


@pytest.mark.parametrize(
    ("settings", "options", "sentence"),
    [
        ({"dataset": "ucf101"}, OPTIONS, "ucf101, .*shapes"),
        ({}, replace(OPTIONS, steps=2000), r"steps = 2000: .*\b1000\b"),
        ({"num_classes": None}, replace(OPTIONS, guidance_scale=2.0), "no classes"),
    ],
)
def test_what_cannot_be_sampled_is_refused_before_the_work(
    settings, options, sentence, tiny_checkpoint, tmp_path
):
    path = tiny_checkpoint(tmp_path / "odd.safetensors", **settings)
    with pytest.raises(InputError, match=sentence):
        generated_videos(path, 1, options)


def test_the_way_of_sampling_sampling_text():
    assert sampling_text(OPTIONS) == "DDIM, 2 steps, no guidance, seed 5"
    options = SamplingOptions(method="ddim", steps=10, eta=0.5, guidance_scale=1.5)
    assert sampling_text(options) == "DDIM with η 0.5, 10 steps, guidance 1.5, seed 0"
