"""`latte-bench protocols` on small arrays: every number against one made by hand."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.studies.protocols import measure as measuring
from benchmarks.studies.protocols.choices import Choice, changes, choices
from benchmarks.studies.protocols.measure import ChoiceResult, ProtocolBench, measure_protocols
from benchmarks.studies.protocols.report import notes
from benchmarks.studies.protocols.run import (
    ProtocolsRequest,
    as_source,
    open_bench,
    run,
    shapes_pair,
)
from evaluation.features.extraction import ExtractionOptions
from evaluation.measuring.networks import Networks
from evaluation.metrics import frechet_distance_from_features
from evaluation.networks.registry import build, network
from evaluation.protocol.presets import PRESETS, SHAPES
from latte.data.errors import InputError
from latte.data.sources import open_video_set
from latte.data.transforms import crop_then_resize, jpeg_round_trip, resize_then_crop

COUNT, LENGTH = 16, 40


def smooth_clips(seed: int, count: int, speed: float) -> np.ndarray:
    """Drifting waves, uint8 (count, LENGTH, 42, 56, 3): enough for features that differ."""
    random = np.random.default_rng(seed)
    phase = random.uniform(0, 6, (count, 1, 1, 1, 3)) + speed * np.arange(LENGTH).reshape(
        1, -1, 1, 1, 1
    )
    tilt = random.uniform(0.1, 0.9, (count, 1, 1, 1, 1))
    y, x = np.arange(42).reshape(1, 1, -1, 1, 1), np.arange(56).reshape(1, 1, 1, -1, 1)
    return (127 + 120 * np.sin(tilt * x + (1 - tilt) * y + phase)).astype(np.uint8)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("pair")
    for name, seed, speed in (("real", 0, 0.3), ("fake", 1, 0.35)):
        np.save(folder / f"{name}.npy", smooth_clips(seed, COUNT, speed))
    return folder / "real.npy", folder / "fake.npy"


@pytest.fixture(scope="module")
def bench(pair: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> ProtocolBench:
    real, fake = (as_source(open_video_set(path)) for path in pair)
    store = tmp_path_factory.mktemp("store")
    return ProtocolBench(
        real=real,
        fake=fake,
        base=replace(SHAPES, num_real=COUNT, num_fake=COUNT),
        networks=Networks(ExtractionOptions(store=store, workers=0, progress=False)),
        resamples=40,
    )


@pytest.fixture(scope="module")
def measured(bench: ProtocolBench) -> dict[str, ChoiceResult]:
    study = measure_protocols(bench)
    base = Choice(label="base", family="clips", changes={})
    by_label = {choice.choice.label: choice for choice in study.choices}
    return {"base": ChoiceResult(choice=base, result=study.result), **by_label}


def by_hand(real: np.ndarray, fake: np.ndarray, output: str = "pooled", ddof: int = 0) -> float:
    extractor = build("shapes", output=output)
    return frechet_distance_from_features(extractor(real), extractor(fake), ddof=ddof)


def prepared(
    pair: tuple[Path, Path],
    frames: Sequence[Sequence[int]] = (range(16), range(16)),
    recipe: str = "latte",
    filter: str = "lanczos",
) -> list[np.ndarray]:
    make = {"latte": crop_then_resize, "stylegan-v": resize_then_crop}[recipe]
    return [
        np.stack([make(clip[list(kept)], 32, filter) for clip in np.load(path)])
        for path, kept in zip(pair, frames, strict=True)
    ]


def value(measured: dict[str, ChoiceResult], label: str) -> float:
    result = measured[label].result
    assert result is not None
    return result.value


def test_the_base_is_the_distance_of_frames_prepared_by_hand(pair, measured):
    assert value(measured, "base") == pytest.approx(by_hand(*prepared(pair)), rel=1e-9)


@pytest.mark.parametrize(
    ("label", "how"),
    [
        ("nearest resizing", {"filter": "nearest"}),
        ("box resizing", {"filter": "box"}),
        ("resize, then crop (StyleGAN-V)", {"recipe": "stylegan-v"}),
        ("real clips at stride 2", {"frames": (range(0, 32, 2), range(16))}),
        ("all clips at stride 2", {"frames": (range(0, 32, 2), range(0, 32, 2))}),
        ("half as many frames", {"frames": (range(8), range(8))}),
    ],
)
def test_a_choice_changes_what_it_says_and_nothing_else(pair, measured, label, how):
    assert value(measured, label) == pytest.approx(by_hand(*prepared(pair, **how)), rel=1e-9)
    assert value(measured, label) != value(measured, "base")


def test_choices_after_the_preparation_are_made_on_the_prepared_frames(pair, measured):
    real, fake = prepared(pair)
    stored = [np.stack([jpeg_round_trip(c, 75) for c in clips]) for clips in (real, fake)]
    flipped = np.concatenate([real, real[:, :, :, ::-1]])
    expected = {
        "JPEG of quality 75": by_hand(*stored),
        "half of the clips": by_hand(real[: COUNT // 2], fake[: COUNT // 2]),
        "real clips and their mirror images": by_hand(flipped, fake),
        "covariance over n − 1": by_hand(real, fake, ddof=1),
        "logits features": by_hand(real, fake, output="logits"),
    }
    for label, number in expected.items():
        assert value(measured, label) == pytest.approx(number, rel=1e-9)


def notes_on(measured: dict[str, ChoiceResult], label: str) -> list[str]:
    base = measured["base"].result
    assert base is not None
    return list(notes(base, measured[label]))


def test_two_clips_of_each_of_half_the_videos(measured):
    result = measured["2 clips of each video, as many clips in all"].result
    assert result is not None
    assert result.num_real == result.num_fake == COUNT
    assert result.real is not None
    assert result.real.num_listed == COUNT // 2
    assert len(notes_on(measured, "all clips and their mirror images")) == 1
    assert not notes_on(measured, "half of the clips")


def test_what_cannot_be_made_of_these_videos_says_why(measured):
    found = measured["real clips at stride 3"]  # 16 frames at stride 3 need 46
    assert found.result is None
    assert isinstance(found.error, InputError)
    assert "has 40 frames" in str(found.error)
    assert measured["all clips at stride 3"].result is None
    assert sum(each.result is None for each in measured.values()) == 2


def test_a_choice_that_does_nothing_says_so(measured):
    found = measured["random videos"]  # all videos are taken, in another order
    assert value(measured, "random videos") == pytest.approx(value(measured, "base"), rel=1e-9)
    assert measured["random videos"].change is not None
    assert not notes_on(measured, "bilinear resizing")
    assert found.error is None
    base = measured["base"]
    same = replace(found, result=base.result)
    assert len(notes_on({"base": base, "same": same}, "same")) == 1


def test_what_moves_both_numbers_alike_cancels_from_the_interval_of_the_change(measured):
    base = measured["base"].result
    assert base is not None
    assert base.interval is not None
    width = base.interval[1] - base.interval[0]
    for label in ("covariance over n − 1", "bicubic resizing"):
        change = measured[label].change
        difference = value(measured, label) - base.value
        assert change is not None
        assert change.low <= difference <= change.high
        assert change.high - change.low < width / 3
        assert change.method.startswith("jackknife")
    other = measured["half of the clips"].change
    assert other is not None
    assert other.high - other.low > width
    assert "independent" in other.method


def only(monkeypatch: pytest.MonkeyPatch, *chosen: Choice) -> None:
    monkeypatch.setattr(measuring, "choices", lambda base, spec: list(chosen))


def test_an_odd_size_has_no_mp4_and_a_network_its_shortest_clip(bench, monkeypatch):
    mp4 = Choice(label="mp4", family="frames", changes={"storage": "mp4"})
    short = Choice(label="short", family="time", changes={"num_frames": 4})
    clash = Choice(label="clash", family="clips", changes={"real_order": "clips"})
    only(monkeypatch, mp4, short, clash)
    few = replace(bench.base, size=31, num_real=8, num_fake=8)
    found = measure_protocols(replace(bench, base=few, resamples=0)).choices
    assert [each.result for each in found] == [None, None, None]
    for parts, each in zip(("31×31", "at least 8 frames", "real_offset = "), found, strict=True):
        assert parts in str(each.error)
        assert "\n" not in str(each.error)


def test_without_intervals_there_is_none_of_a_change(bench, monkeypatch):
    only(monkeypatch, Choice(label="n", family="statistics", changes={"covariance": "n-1"}))
    study = measure_protocols(replace(bench, resamples=0))
    (found,) = study.choices
    assert study.result.interval is None
    assert found.change is None
    assert found.result is not None


@pytest.mark.parametrize("name", PRESETS)
def test_every_choice_differs_from_the_base_and_from_every_other(name):
    base = PRESETS[name]
    base = replace(base, num_real=64, num_fake=64)
    found = choices(base, network(base.network))
    assert len({choice.label for choice in found}) == len(found)
    asked = [json.dumps([choice.changes, choice.videos], sort_keys=True) for choice in found]
    assert len(set(asked)) == len(asked)
    fields = base.affecting_fields()
    for choice in found:
        assert any(fields[key] != changed for key, changed in choice.changes.items())
        assert changes(base, choice)
    families = {choice.family for choice in found}
    assert {"clips", "time", "frames", "statistics"} <= families


def test_fields_that_both_sets_share_are_named_once():
    def fields(**fields: object) -> list[tuple[str, object]]:
        choice = Choice(label="", family="clips", changes=fields)
        return [(change.field, change.value) for change in changes(SHAPES, choice)]

    assert fields(real_order="random", fake_order="random", seed=1) == [
        ("order", "random"),
        ("seed", 1),
    ]
    assert fields(num_real=64, num_fake=64) == [("number", 64)]
    assert fields(num_real=64, num_fake=32) == [("num_real", 64), ("num_fake", 32)]
    assert fields(real_stride=3) == [("real_stride", 3)]


def test_the_embedded_pair_is_source_videos_that_share_no_scene():
    real, fake = shapes_pair(3)
    assert len(real.videos) == len(fake.videos) == 12
    assert not {video.name for video in real.videos} & {video.name for video in fake.videos}
    for video in (*real.videos, *fake.videos):
        info = video.probe()
        assert (info.height, info.width) == (60, 80)
        assert not video.prepared
    assert (fake.videos[0].read((3,)) != real.videos[0].read((3,))).any()


def test_the_base_takes_as_many_clips_as_both_sets_have(pair, tmp_path):
    def made(name: str | None, chosen: str | None, num_videos: int | None, *settings: str):
        request = ProtocolsRequest(
            real=pair[0],
            fake=pair[1],
            base=name,
            network=chosen,
            settings=settings,
            num_videos=num_videos,
        )
        return open_bench(request, tmp_path).base

    assert made(None, None, None).name == "stylegan-v"
    assert made("cd-fvd", None, None).num_real == COUNT  # every one there is
    assert made(None, "shapes", 12).affecting_fields() == {
        **SHAPES.affecting_fields(),
        "num_real": 12,
        "num_fake": 12,
    }
    other = made("latte", "i3d-videogpt", 8, "size=64")
    assert (other.network, other.output, other.size) == ("i3d-videogpt", "logits", 64)
    with pytest.raises(InputError, match=r"--num-videos 17: .*\b16\b"):
        made(None, None, 17)


def test_every_document_is_written_and_says_the_same(pair, tmp_path, section, capsys, monkeypatch):
    chosen = (
        Choice(label="half", family="clips", changes={"num_real": 8, "num_fake": 8}),
        Choice(label="too far", family="time", changes={"real_stride": 30}),
        Choice(label="n − 1", family="statistics", changes={"covariance": "n-1"}),
    )
    only(monkeypatch, *chosen)
    run(
        tmp_path,
        ProtocolsRequest(
            real=pair[0], fake=pair[1], base="shapes", num_videos=12, resamples=40, workers=0
        ),
    )
    names = {f"protocols.{ending}" for ending in ("md", "csv", "tex", "svg", "png", "report.json")}
    assert names | {"results.jsonl", "features"} == {path.name for path in tmp_path.iterdir()}
    printed = capsys.readouterr().out
    assert (tmp_path / "protocols.md").read_text(encoding="utf-8") in printed
    frame = pd.read_csv(tmp_path / "protocols.csv").set_index(["row", "column"])
    lines = (tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines()
    results = [json.loads(line) for line in lines]
    assert len(results) == 3
    labels = ("base protocol: shapes", "half", "n − 1")
    for label, record in zip(labels, results, strict=True):
        assert float(frame.loc[(label, "value"), "value"]) == record["value"]
    change = results[1]["value"] - results[0]["value"]
    assert float(frame.loc[("half", "change"), "value"]) == pytest.approx(change, rel=0.02)
    assert frame.loc[("too far", "value"), "reason"].startswith(str(pair[0]))
    assert frame.loc[("too far", "fields"), "value"] == "real_stride 30 instead of 1"
    for label in ("half", "n − 1"):
        low, high = frame.loc[(label, "change"), ["low", "high"]]
        clear = "no" if low <= 0 <= high else "yes"
        assert frame.loc[(label, "clear"), "value"] == clear
    report = section(tmp_path, "protocols")
    value = results[0]["value"]
    count = sum(frame.loc[(label, "clear"), "value"] == "yes" for label in ("half", "n − 1"))
    assert re.match(rf"FVD-shapes is {value:.4g} .*shapes\. Of 2 choices {count} ", report.lead)
    assert [getattr(block, "name", "") for block in report.blocks[:1]] == ["protocols"]


def test_requests_that_cannot_be_measured_are_refused(pair):
    with pytest.raises(InputError, match="--real and --fake"):
        ProtocolsRequest(real=pair[0])
    with pytest.raises(InputError, match="--num-videos 7"):
        ProtocolsRequest(num_videos=7)
