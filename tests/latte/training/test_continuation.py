"""A run continues only as a run that gives the same weights."""

from dataclasses import replace

import pytest

from latte.training.config import load_config
from latte.training.state import RunInputs, changed_fields


def of(processes):
    return RunInputs(processes=processes)


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ("training.learning_rate=2e-3", {"training.learning_rate": (0.001, 0.002)}),
        ("training.batch_size=3", {"training.batch_size": (4, 3)}),
        ("training.decay=cosine", {"training.decay": ("constant", "cosine")}),
        ("data.stride=2", {"data.stride": (1, 2)}),
        ("model.initialise_from=dit.pt", {"model.initialise_from": (None, "dit.pt")}),
        ("diffusion.schedule=cosine", {"diffusion.schedule": ("linear", "cosine")}),
        ("autoencoder.cache=latents", {"autoencoder.cache": (None, "latents")}),
        ("data.dataset=videos", {"data.dataset": ("shapes", "videos")}),
        ("autoencoder.path=vae", {"autoencoder.path": (None, "vae")}),
        ("training.steps=7", {}),
        ("training.compile=true", {}),
        ("training.checkpoint_activations=true", {}),
        *((f"output.{each}_every=3", {}) for each in ("log", "checkpoint", "sample", "evaluate")),
    ],
)
def test_a_continuation_may_differ_in_what_does_not_affect_the_weights(setting, found):
    before = load_config("shapes-tiny")
    assert changed_fields(before, load_config("shapes-tiny", [setting])) == found


def test_a_cosine_ends_where_it_was_to_end():
    before = load_config("shapes-tiny", ["training.decay=cosine"])
    longer = load_config("shapes-tiny", ["training.decay=cosine", "training.steps=200"])
    assert changed_fields(before, longer) == {"training.steps": (100, 200)}


def test_a_batch_may_be_cut_otherwise_and_processes_may_come_and_go():
    before = load_config("shapes-tiny")  # 4 clips
    halves = load_config("shapes-tiny", ["training.batch_size=2", "training.accumulate=2"])
    assert changed_fields(before, halves) == {}
    assert changed_fields(before, halves, before=of(2), now=of(2)) == {}
    assert len(changed_fields(before, halves, before=of(2), now=of(1))) == 2
    twice = load_config("shapes-tiny", ["training.accumulate=2"])
    assert changed_fields(before, twice, before=of(2), now=of(1)) == {}
    assert changed_fields(before, twice) == {"training.accumulate": (1, 2)}
    same = load_config("shapes-tiny")
    assert changed_fields(before, same, before=of(8), now=of(3)) == {}


def test_videos_and_weights_are_compared_by_what_they_are():
    old = ["data.dataset=a", "autoencoder.path=a", "autoencoder.cache=a"]
    before = load_config("shapes-tiny", old)
    moved = [setting.replace("=a", "=b") for setting in old]
    now = load_config("shapes-tiny", moved)
    began = RunInputs(videos="1", autoencoder="2")
    assert changed_fields(before, now, before=began, now=began) == {}
    others = RunInputs(videos="3", autoencoder="4")
    assert changed_fields(before, now, before=began, now=others) == {
        "digest of the videos": ("1", "3"),
        "digest of the autoencoder": ("2", "4"),
    }
    by_name = {"data.dataset": ("a", "b"), "autoencoder.path": ("a", "b")}
    assert changed_fields(before, now, now=began) == by_name
    fewer = load_config("shapes-tiny", [*moved, "data.num_videos=3"])
    found = changed_fields(before, fewer, before=began, now=replace(began, videos="3"))
    assert found == {"data.num_videos": (64, 3)}
