"""`latte-bench sensitivity` on few clips, and its rules on made-up answers."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.documents.tables import publish
from benchmarks.shapes.distortions import DISTORTIONS
from benchmarks.studies.sensitivity.measure import (
    METRICS,
    STRENGTHS,
    chosen_metrics,
    effects,
    measure_sensitivity,
)
from benchmarks.studies.sensitivity.report import (
    curves,
    finding,
    findings,
    heat_map,
    noticed_table,
    panels,
    sensitivity_document,
    summary_table,
)
from benchmarks.studies.sensitivity.run import SensitivityRequest, open_bench, run, split_draws
from evaluation.catalogue import registry as catalogue
from evaluation.metrics import frechet_distance_from_features
from evaluation.networks.registry import build
from latte.data.errors import InputError
from latte.data.shapes import shapes_clips, shapes_video_set

FEW = {"blur": (0.25, 4.0), "frozen": (0.5, 1.0)}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sensitivity")
    study(folder, FEW, SensitivityRequest(num_videos=40, draws=4))
    return folder


def study(out: Path, strengths: dict[str, tuple[float, ...]], request: SensitivityRequest) -> None:
    bench = replace(open_bench(request, out), strengths=strengths)
    publish(sensitivity_document(bench, *measure_sensitivity(bench), seconds=1.0), out)


@pytest.fixture(scope="module")
def frame(out: Path) -> pd.DataFrame:
    return pd.read_csv(out / "sensitivity.csv", keep_default_na=True)


def one(frame: pd.DataFrame, distortion: str, strength: float, metric: str) -> pd.Series:
    found = frame[
        (frame.distortion == distortion) & (frame.strength == strength) & (frame.metric == metric)
    ]
    assert len(found) == 1
    return found.iloc[0]


def test_the_section_says_who_notices_most(out, section):
    report = section(out, "sensitivity")
    summary, chart, table = report.blocks[:3]
    assert chart.name == "sensitivity"
    assert len(table.table.rows) == len(FEW)
    in_time = {row.label: int(row.cells["time"].text[0]) for row in summary.table.rows}
    most, least = (", ".join(x for x in in_time if in_time[x] == count) for count in (1, 0))
    assert re.search(rf"time 1 of 1 .*{most}; 0 .*{least}\.", report.lead)
    assert re.search(rf"space 1 of 1 .*{', '.join(in_time)}\.", report.lead)


def test_a_metric_looks_the_same_whatever_others_are_followed():
    def colours(*names):
        kept = [each for each in METRICS if not names or each.name in names]
        frame = pd.concat([made_up().query("metric == 'a'").assign(metric=m.name) for m in kept])
        bench = SimpleNamespace(metrics=kept, title=lambda followed: followed.name)
        lines = curves(bench, frame).figure.axes[0].lines
        return {
            each.name: (line.get_color(), line.get_linestyle())
            for each, line in zip(kept, lines, strict=True)
        }

    every, few = colours(), colours("KVD", "recall")
    assert few == {name: every[name] for name in few}


def test_every_metric_has_a_number_for_every_set(frame):
    sets = 4 + sum(len(strengths) for strengths in FEW.values())
    assert list(frame.columns) == [
        "distortion",
        "strength",
        "metric",
        "value",
        "low",
        "high",
        "relative",
        "effect",
    ]
    counts = frame.metric.value_counts()
    assert set(counts) == {sets}
    assert set(counts.index) == {f"{measure.name}-shapes" for measure in METRICS}
    with_interval = frame.dropna(subset=["low"])
    assert (with_interval.low <= with_interval.value).all()
    assert (with_interval.value <= with_interval.high).all()
    assert set(frame[frame.low.isna()].metric) == {"KID-shapes"}


def test_a_number_is_the_metric_of_clips_made_by_hand(frame):
    videos = shapes_video_set("test", num_videos=200)
    real, other = split_draws(videos, 40, 4, seed=0)[:2]
    clips = [shapes_clips("test", [video.index for video in each.videos]) for each in (real, other)]
    extractor = build("shapes")
    still = np.repeat(clips[1][:, :1], 16, axis=1)
    for distortion, strength, fake in (("none", 0, clips[1]), ("frozen", 1, still)):
        expected = frechet_distance_from_features(extractor(clips[0]), extractor(fake))
        found = one(frame, distortion, strength, "FVD-shapes").value
        assert found == pytest.approx(expected, rel=1e-9)


def test_values_are_relative_to_the_same_videos_undistorted(frame):
    assert one(frame, "none", 0, "FVD-shapes").relative == 1.0
    blurred, sharp = (one(frame, *which, "FID-shapes") for which in (("blur", 4), ("none", 0)))
    assert blurred.relative == pytest.approx(blurred.value / sharp.value)


def test_clips_see_what_frames_do_not(frame):
    frozen = frame[(frame.distortion == "frozen") & (frame.strength == 1)].set_index("metric")
    assert frozen.effect["FVD-shapes"] > 1
    assert abs(frozen.effect["FID-shapes"]) < 1
    blurred = frame[(frame.distortion == "blur") & (frame.strength == 4)].set_index("metric")
    assert blurred.effect[["FVD-shapes", "FID-shapes", "coverage-shapes"]].min() > 1


def test_everything_promised_is_written(out):
    names = {path.name for path in out.iterdir()}
    endings = ("md", "csv", "tex", "svg", "png")
    assert {f"sensitivity.{ending}" for ending in endings} <= names
    text = (out / "sensitivity.md").read_text(encoding="utf-8")
    assert "| blur (σ, pixels; 0.25 … 4)" in text
    assert "| FVD-shapes " in text
    assert "`" in text


def test_the_range_of_undistorted_videos_holds_another_draw_19_times_of_20():
    values = [1.0, 2.0, 4.0]
    half = stats.t.ppf(0.975, 2) * np.std(values, ddof=1) * np.sqrt(4 / 3)
    ends = np.array([7 / 3 + half, 7 / 3 - half])
    np.testing.assert_allclose(effects(values, ends, more_is_worse=True), [1, -1])
    random = np.random.default_rng(0)
    draws = random.normal(5.0, 3.0, (4000, 9))
    inside = [abs(effects(row[:8], row[8:], more_is_worse=True)[0]) <= 1 for row in draws]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.012)


def test_an_effect_is_positive_where_the_metric_says_worse():
    worse = effects([1.0, 3.0], np.array([5.0]), more_is_worse=True)
    assert worse > 0
    assert effects([1.0, 3.0], np.array([5.0]), more_is_worse=False) == -worse
    exact = [1.0, 1.0]  # every draw gave the same number
    assert effects(exact, np.array([1.0, 0.5]), more_is_worse=False).tolist() == [0, np.inf]


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        ((0.5, 2.0, 3.0), (20.0, 2, True)),
        ((2.0, 3.0, 4.0), (10.0, 1, True)),
        ((2.0, 0.9, 3.0), (30.0, 3, True)),  # once more unnoticed: not noticed until then
        ((5.0, 5.0, 1.0), (np.nan, np.nan, True)),
        ((0.0, -2.0, -3.0), (20.0, 2, False)),
        ((-2.0, 0.0, 3.0), (30.0, 3, True)),
        ((3.0, -3.0, -3.0), (20.0, 2, False)),
    ],
)
def test_noticed_is_what_every_stronger_distortion_is_too(effects, expected):
    rows = pd.DataFrame({"strength": (10.0, 20.0, 30.0), "effect": effects})
    found = finding(rows.sample(frac=1, random_state=0))
    strength, step, worse = expected
    assert (found["strength"], found["step"]) == pytest.approx((strength, step), nan_ok=True)
    assert found["worse"] == worse
    assert found["noticed"] == (worse and not np.isnan(step))


def made_up() -> pd.DataFrame:
    """Metric "a" sees everything at the second strength, "b" takes all for better."""
    rows = []
    for name, strengths in STRENGTHS.items():
        for step, strength in enumerate(strengths):
            rows += [(name, strength, "a", 2.0 if step else 0.0), (name, strength, "b", -2.0)]
    rows += [("none", 0.0, "a", 0.1), ("none", 0.0, "b", -0.1)]
    return pd.DataFrame(rows, columns=["distortion", "strength", "metric", "effect"])


def test_the_tables_say_what_was_computed():
    impossible = {"sped up": "Not at 4: too short"}
    found = findings(made_up())
    table = noticed_table(found, STRENGTHS, impossible, draws=8)
    cells = {row.label.split(" (")[0]: row.cells for row in table.rows}
    for name, strengths in STRENGTHS.items():
        if name in impossible:
            assert cells[name]["a"].reason == "Not at 4: too short"
            continue
        assert cells[name]["a"].text == f"{strengths[1]:.3g}"
        assert cells[name]["a"].notes == ()
        assert cells[name]["b"].text == f"{strengths[0]:.3g}"
        assert cells[name]["b"].notes
    summary = summary_table(found).rows
    assert summary[0].cells["space"].text == "5 of 5"
    assert summary[0].cells["step"].text == "2.0"
    assert summary[1].cells["time"].text == "0 of 7"
    assert summary[1].cells["step"].is_empty
    assert summary[1].cells["missed"].text == "none"


def test_a_panel_begins_at_no_strength_with_the_undistorted_videos():
    found = {panel.title: panel for panel in panels(made_up())}
    assert list(found) == list(STRENGTHS)
    curve = found["slowed"].lines[0]
    assert curve.x == (1.0, *STRENGTHS["slowed"])
    assert curve.y[:2] == (0.1, 0.0)


def test_every_strength_is_one_that_its_distortion_takes_and_they_grow():
    assert set(STRENGTHS) <= set(DISTORTIONS)
    for name, strengths in STRENGTHS.items():
        assert list(strengths) == sorted(set(strengths))
        assert strengths[0] > DISTORTIONS[name].none


def test_draws_share_no_video_and_need_enough_of_them():
    videos = shapes_video_set("test", num_videos=20)
    sets = split_draws(videos, 4, 4, seed=1)
    names = [video.name for each in sets for video in each.videos]
    assert len(sets) == 5
    assert sorted(names) == [video.name for video in videos.videos]
    with pytest.raises(InputError, match=r"\b25\b.*\b20\b"):
        split_draws(videos, 5, 4, seed=1)


def test_the_heat_map_has_a_cell_for_each_pair():
    drawn = heat_map(findings(made_up())).figure
    texts = [text.get_text() for text in drawn.axes[0].texts]
    assert len(texts) == 2 * len(STRENGTHS)
    for strengths in STRENGTHS.values():
        assert f"{strengths[1]:.3g}" in texts
    assert "Distortions in space: blur" in heat_map(findings(made_up())).caption


def test_videos_too_short_to_be_sped_up_say_so(tmp_path):
    random = np.random.default_rng(0)
    np.save(tmp_path / "real.npy", random.integers(0, 256, (80, 20, 16, 16, 3), dtype=np.uint8))
    few = {"noise": (60.0,), "sped up": (1.1, 2.0)}
    request = SensitivityRequest(
        real=tmp_path / "real.npy", network="shapes", metrics=("fvd",), draws=3
    )
    study(tmp_path / "out", few, request)
    printed = (tmp_path / "out" / "sensitivity.md").read_text(encoding="utf-8")
    assert "Not at 2: " in printed
    assert "has 10 frames" in printed
    frame = pd.read_csv(tmp_path / "out" / "sensitivity.csv")
    assert set(frame.distortion) == {"none", "noise"}
    with pytest.raises(InputError, match=r"real\.npy: .*\b5 sets\b"):
        run(tmp_path, replace(request, draws=4))


def test_metrics_are_chosen_by_their_names():
    assert chosen_metrics([]) == METRICS
    assert [each.name for each in chosen_metrics(["precision-recall", "fid"])] == [
        "FID",
        "precision",
        "recall",
    ]
    with pytest.raises(InputError, match="did you mean kvd"):
        chosen_metrics(["kdv"])


def test_numbers_of_rows_are_followed_as_the_catalogue_has_them():
    # Frame similarity needs no network's features; the others are FVD and FID of parts of the sets.
    others = {entry.name for entry in catalogue.METRICS.values() if entry.function is None}
    assert others == {"similarity", "per-class", "per-position"}
    numbers = [
        (entry.name, number.plain)
        for entry in catalogue.METRICS.values()
        for number in entry.numbers
        if entry.function is not None
    ]
    assert numbers == [(followed.metric, followed.name) for followed in METRICS]
