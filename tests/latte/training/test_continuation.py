"""A run goes on with what moves no weight changed, and with nothing else."""

from dataclasses import replace

import pytest

from latte.training.config import as_table, load_config
from latte.training.continuation import Circumstances, differences


def of(processes):
    return Circumstances(processes=processes)


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ("training.learning_rate=2e-3", ["training.learning_rate was 0.001, is 0.002"]),
        ("training.batch_size=3", ["training.batch_size was 4, is 3"]),
        ("training.decay=cosine", ["training.decay was 'constant', is 'cosine'"]),
        ("data.stride=2", ["data.stride was 1, is 2"]),
        ("model.initialise_from=dit.pt", ["model.initialise_from was None, is 'dit.pt'"]),
        ("diffusion.schedule=cosine", ["diffusion.schedule was 'linear', is 'cosine'"]),
        ("autoencoder.cache=latents", ["autoencoder.cache was None, is 'latents'"]),
        ("data.dataset=videos", ["data.dataset was 'shapes', is 'videos'"]),
        ("autoencoder.path=vae", ["autoencoder.path was None, is 'vae'"]),
        ("training.steps=7", []),
        ("training.compile=true", []),
        ("training.checkpoint_activations=true", []),
        *((f"output.{each}_every=3", []) for each in ("log", "checkpoint", "sample", "evaluate")),
    ],
)
def test_a_continuation_may_differ_in_what_moves_no_weight(setting, found):
    before = as_table(load_config("shapes-tiny"))
    assert differences(before, load_config("shapes-tiny", [setting])) == found


def test_a_cosine_ends_where_it_was_to_end():
    before = as_table(load_config("shapes-tiny", ["training.decay=cosine"]))
    longer = load_config("shapes-tiny", ["training.decay=cosine", "training.steps=200"])
    assert differences(before, longer) == ["training.steps was 100, is 200"]


def test_a_batch_may_be_cut_otherwise_and_processes_may_come_and_go():
    before = as_table(load_config("shapes-tiny"))  # 4 clips
    halves = load_config("shapes-tiny", ["training.batch_size=2", "training.accumulate=2"])
    assert differences(before, halves) == []
    assert differences(before, halves, before=of(2), now=of(2)) == []
    assert len(differences(before, halves, before=of(2), now=of(1))) == 2
    twice = load_config("shapes-tiny", ["training.accumulate=2"])
    assert differences(before, twice, before=of(2), now=of(1)) == []
    assert differences(before, twice) == ["training.accumulate was 1, is 2"]
    same = load_config("shapes-tiny")
    assert differences(before, same, before=of(8), now=of(3)) == []


def test_videos_and_weights_are_compared_by_what_they_are():
    old = ["data.dataset=a", "autoencoder.path=a", "autoencoder.cache=a"]
    before = as_table(load_config("shapes-tiny", old))
    moved = [setting.replace("=a", "=b") for setting in old]
    now = load_config("shapes-tiny", moved)
    began = Circumstances(videos="1", autoencoder="2")
    assert differences(before, now, before=began, now=began) == []
    others = Circumstances(videos="3", autoencoder="4")
    assert differences(before, now, before=began, now=others) == [
        "the videos of data.dataset are others",
        "the weights of the autoencoder are others",
    ]
    by_name = ["data.dataset was 'a', is 'b'", "autoencoder.path was 'a', is 'b'"]
    assert differences(before, now, now=began) == by_name  # began with an older version
    fewer = load_config("shapes-tiny", [*moved, "data.num_videos=3"])
    found = differences(before, fewer, before=began, now=replace(began, videos="3"))
    assert found == ["data.num_videos was 64, is 3"]


def test_a_field_that_an_older_version_did_not_have_was_at_its_default():
    before = as_table(load_config("shapes-tiny"))
    del before["model"]["variant"]
    assert differences(before, load_config("shapes-tiny")) == []
    other = load_config("shapes-tiny", ["model.variant=2"])
    assert differences(before, other) == ["model.variant was 1, is 2"]
    newer = as_table(other)
    newer["model"]["from_later"] = True
    assert differences(newer, other) == ["model.from_later was True, is None"]


def test_circumstances_come_back_from_a_header_and_older_headers_lack_some():
    for each in (Circumstances(processes=3, videos="a", autoencoder="b"), Circumstances()):
        assert Circumstances.from_texts(each.as_texts()) == each
    assert Circumstances.from_texts({"processes": "2"}) == of(2)
    assert Circumstances.from_texts({}) == of(1)
