"""`latte-bench demo` on few clips: what it writes, and what it says of what it measured."""

import re

import pandas as pd
import pytest

from benchmarks import demo
from evaluation.result import read_results


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    demo.run(out=folder, num_videos=24, resamples=20)
    return folder


def test_everything_promised_is_written(out):
    names = {path.name for path in out.iterdir()}
    assert {"report.md", "report.html", "demo.csv", "demo.md", "demo.tex"} <= names
    assert {"fvd_shapes.svg", "fvd_shapes.png", "clips.png", "results.jsonl"} <= names


def test_the_page_needs_nothing_from_outside(out):
    page = (out / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["']?(https?:|//|[\w/]+\.(png|svg|css|js))""", page)
    assert page.count("data:image/png;base64,") >= len(demo.GENERATORS)


def test_every_generator_has_every_metric_with_an_interval(out):
    records = pd.DataFrame(read_results(out / "results.jsonl"))
    by_cell = records.set_index(["model", "metric"])
    for generator in demo.GENERATORS:
        for metric in ("FVD-shapes", "FID-shapes", "IS-shapes"):
            low, high = by_cell.interval[generator.label, metric]
            assert low <= by_cell.value[generator.label, metric] <= high
    assert ("real videos", "IS-shapes") in by_cell.index
    assert set(records.metric) == {"FVD-shapes", "FID-shapes", "IS-shapes"}
    assert records.groupby("metric").fingerprint.nunique().max() <= 2


def test_distortions_of_time_are_seen_by_clips_and_not_by_frames(out):
    records = pd.DataFrame(read_results(out / "results.jsonl"))
    value = records.set_index(["model", "metric"]).value
    for label in ("frozen first frame", "shuffled frames"):
        fvd = value[label, "FVD-shapes"] / value[demo.SECOND_DRAW, "FVD-shapes"]
        fid = value[label, "FID-shapes"] / value[demo.SECOND_DRAW, "FID-shapes"]
        assert fvd > 1.5 > fid


def test_a_second_run_takes_its_features_from_the_store_and_gives_the_same(out, capsys):
    first = [record["value"] for record in read_results(out / "results.jsonl")]
    demo.run(out=out, num_videos=24, resamples=20)
    again = read_results(out / "results.jsonl")
    assert [record["value"] for record in again] == first
    assert all(record["details"]["decoded_clips"] == 0 for record in again)
    assert str(out / "report.html") in capsys.readouterr().out


def frame(**values: float) -> pd.DataFrame:
    return pd.DataFrame(
        {"generator": list(values), "metric": "FVD-shapes", "value": list(values.values())}
    )


def test_findings_are_computed_and_can_fail():
    labels = [generator.label for generator in demo.GENERATORS]
    rising = {label: 10.0 + i for i, label in enumerate(labels)} | {demo.SECOND_DRAW: 1.0}
    assert all(finding.holds for finding in demo.findings(frame(**rising)))
    falling = {label: 10.0 - i / 2 for i, label in enumerate(labels)} | {demo.SECOND_DRAW: 9.0}
    assert not any(finding.holds for finding in demo.findings(frame(**falling)))


def test_the_reference_is_shown_and_never_ranked(out):
    text = (out / "demo.md").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith("| real videos")]
    assert "**" not in line
    assert line.count("–") == 2
