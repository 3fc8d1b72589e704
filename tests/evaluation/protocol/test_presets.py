from dataclasses import replace

import pytest

from evaluation.networks.registry import network
from evaluation.protocol.deviations import differences
from evaluation.protocol.presets import (
    ALIASES,
    LATTE,
    PRESETS,
    STYLEGAN_V,
    for_dataset,
    load_protocol,
    published_protocol,
)
from latte.data.clips import plan_clips
from latte.data.loading import probe_in_workers
from latte.data.shapes import shapes_video_set


def test_presets_have_fingerprints_of_their_own_that_never_move():
    assert {name: preset.fingerprint for name, preset in PRESETS.items()} == FINGERPRINTS


def test_presets_are_of_the_name_they_are_found_by_and_say_what_they_are():
    for name, preset in PRESETS.items():
        assert preset.name == name
        assert preset.description
    assert len({preset.fingerprint for preset in PRESETS.values()}) == len(PRESETS)


def differing(name, base):
    """Names of the fields in which one preset differs from another."""
    found = differences(PRESETS[name].affecting_fields(), PRESETS[base].affecting_fields())
    return {each.field for each in found}


@pytest.mark.parametrize(
    ("name", "base", "fields"),
    [
        ("stylegan-v-128f", "stylegan-v", {"num_frames"}),
        ("stylegan-v-128f-subsample8f", "stylegan-v", {"real_stride", "fake_stride"}),
        ("latte", "stylegan-v", {"real_stride", "real_order", "fake_order", "recipe"}),
        ("cd-fvd-videomae", "cd-fvd", {"network", "weights", "output"}),
        (
            "tats",
            "videogpt",
            {"split", "num_real", "num_fake", "real_clips", "size", "resize"},
        ),
        ("digan", "tats", {"split", "recipe", "resize"}),
        ("pvdm", "digan", {"split", "real_order", "real_clips", "size"}),
    ],
)
def test_presets_differ_from_their_nearest_in_what_their_sources_do(name, base, fields):
    assert differing(name, base) == fields


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_presets_ask_for_networks_outputs_and_weights_that_there_are(preset):
    spec = network(preset.network)
    assert preset.output in spec.outputs
    assert preset.resize in spec.resizes
    names = [file.file_name for file in spec.weight_files]
    assert preset.weights in (names or ["bundled"])
    assert preset.num_frames >= spec.min_frames


def test_covariances_are_over_n_where_the_code_comes_from_stylegan():
    over_n = {name for name, preset in PRESETS.items() if preset.covariance == "n"}
    assert set(PRESETS) - over_n == {"videogpt", "tats", "digan", "pvdm", "common-metrics"}


def test_every_preset_names_its_own_metric_first():
    for preset in PRESETS.values():
        assert preset.metrics[0] == ("fid" if preset.network == "inception" else "fvd")


def test_clips_of_128_frames_and_of_each_8th_of_them_need_the_same_videos():
    long = PRESETS["stylegan-v-128f"].selection("real")
    each_8th = PRESETS["stylegan-v-128f-subsample8f"].selection("real")
    assert long.min_frames == each_8th.min_frames == 128


def plan(preset, num_videos, **fields):
    protocol = replace(PRESETS[preset], num_frames=16, **fields)
    videos = shapes_video_set("test", num_videos=num_videos)
    real, fake = (
        plan_clips(videos, selection, lambda some: probe_in_workers(some, workers=0, timeout=60))
        for selection in (protocol.selection("real"), protocol.selection("fake"))
    )
    return real, fake


def test_cd_fvd_takes_all_real_videos_once_and_repeats_generated_ones_up_to_its_number():
    real, fake = plan("cd-fvd", 5, num_fake=12)
    assert len(real.clips) == 5
    assert len(fake.clips) == 12
    assert PRESETS["cd-fvd"].num_fake <= PRESETS["cd-fvd"].fake_clips  # one video alone would do


def test_fid50k_takes_every_real_frame_and_the_first_generated_ones():
    real, fake = plan("stylegan-v-fid50k", 4, num_fake=40)
    length = real.clips[0].info.num_frames
    assert real.num_frames == 4 * length
    assert fake.num_frames == 40
    taken = [(clip.video.name, frame) for clip in fake.clips for frame in clip.frames]
    assert taken == [(clip.video.name, frame) for clip in real.clips for frame in clip.frames][:40]


def test_a_choice_among_all_clips_reaches_its_number_from_few_videos():
    real, _ = plan("videogpt", 3, num_real=9, num_fake=1)
    assert len(set(real.clips)) == 9


def test_published_figures_take_what_their_data_set_has():
    assert published_protocol("faceforensics").num_real == 704
    assert published_protocol("ucf101").num_real == 2048
    assert published_protocol("taichi-hd").real_stride == 6
    assert published_protocol("ucf101").real_stride == 3
    assert published_protocol("taichi-hd", STYLEGAN_V).real_stride == 1
    assert published_protocol(None) == LATTE
    assert published_protocol("skytimelapse") == LATTE  # no count is reliable


@pytest.mark.parametrize("name", ["stylegan-v-fid50k", "cd-fvd", "tats", "common-metrics"])
def test_counts_that_are_not_of_videos_are_left_alone(name):
    assert published_protocol("faceforensics", PRESETS[name]) == PRESETS[name]


def test_a_preset_follows_its_source_on_each_data_set_and_a_changed_one_stays_as_it_is():
    assert for_dataset(LATTE, "taichi-hd").real_stride == 6
    assert for_dataset(LATTE, "faceforensics") == LATTE  # no cap on a larger copy
    mine = replace(LATTE, name="mine")
    assert for_dataset(mine, "taichi-hd") == mine


FINGERPRINTS = {
    "stylegan-v": "d234fd8816838d97",
    "stylegan-v-128f": "78590eae13c68678",
    "stylegan-v-128f-subsample8f": "295390691e69c5bd",
    "stylegan-v-fid50k": "e211d8beba3410a1",
    "latte": "73291924dcb59d5c",
    "cd-fvd": "f25842f5a67d9042",
    "cd-fvd-videomae": "1d4447b8d081fc97",
    "videogpt": "1fc1a7d0a82152e4",
    "tats": "610e1b48769aa3fd",
    "digan": "6aabf8ad3c0c3747",
    "pvdm": "24e92262404bf1a9",
    "common-metrics": "4e46aa3c0b2dd700",
    "shapes": "ea40932136f85953",
}


def test_the_metrics_of_stylegan_v_have_their_published_names():
    assert {name: load_protocol(name).name for name in ALIASES} == dict(ALIASES)
    assert "is" in load_protocol("isv2048_ucf").metrics
    assert load_protocol("fid50k_full").metrics == ("fid",)
