"""`latte-bench demo` on few clips: what it writes, and what it says of what it measured."""

import hashlib
import re

import pandas as pd
import pytest

from benchmarks.demo.report import expectations
from benchmarks.demo.run import DemoRequest, demo_sets, run
from benchmarks.shapes import generated
from benchmarks.shapes.distortions import GENERATORS, HELD_OUT, REAL
from benchmarks.shapes.generated import BUNDLED, GIVEN, NO_MODEL, model_of_shapes
from benchmarks.shapes.measuring import Accuracy
from evaluation.results.files import read_results
from latte.data.errors import InputError
from latte.data.shapes import CLASS_NAMES
from latte.sampling.generate import SamplingOptions

TWO_STEPS = SamplingOptions(method="ddim", steps=2)


@pytest.fixture(scope="module")
def checkpoint(tiny_checkpoint, tmp_path_factory):
    return tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture(scope="module")
def out(checkpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    run(folder, request(checkpoint))
    return folder


def request(checkpoint):
    return DemoRequest(num_videos=24, checkpoint=checkpoint, sampling=TWO_STEPS, resamples=40)


def test_everything_promised_is_written(out):
    names = {path.name for path in out.iterdir()}
    assert {"report.md", "report.html", "demo.csv", "demo.md", "demo.tex"} <= names
    assert {"demo-fvd.svg", "demo-fvd.png", "clips.png", "results.jsonl"} <= names
    assert "samples.png" in names


def test_the_section_of_the_joined_report_has_the_clips_and_counts_what_holds(out, section):
    report = section(out, "demo")
    names = [getattr(block, "name", None) for block in report.blocks]
    assert [name for name in names if name] == ["demo-fvd", "samples", "clips"]
    text = (out / "report.md").read_text(encoding="utf-8")
    table = next(block.table for block in report.blocks if hasattr(block, "table"))
    hold = [row.cells["holds"].text for row in table.rows].count("yes")
    assert f"{hold} of {len(table.rows)} expectations" in report.lead
    assert report.lead.replace("`", "") in text.replace("`", "")
    assert not (out / "report.report.json").exists()


def test_the_page_needs_nothing_from_outside(out):
    page = (out / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["']?(https?:|//|[\w/]+\.(png|svg|css|js))""", page)
    assert page.count("data:image/png;base64,") >= len(GENERATORS)


def test_every_generator_has_every_metric_with_an_interval(out):
    records = pd.DataFrame(read_results(out / "results.jsonl"))
    by_cell = records.set_index(["model", "metric"])
    for label in (GIVEN, *(generator.label for generator in GENERATORS)):
        for metric in ("FVD-shapes", "FID-shapes", "IS-shapes"):
            low, high = by_cell.interval[label, metric]
            assert low <= by_cell.value[label, metric] <= high
    assert ("real videos", "IS-shapes") in by_cell.index
    assert set(records.metric) == {"FVD-shapes", "FID-shapes", "IS-shapes"}
    assert records.groupby("metric").fingerprint.nunique().max() <= 2


def test_distortions_of_time_are_seen_by_clips_and_not_by_frames(out):
    records = pd.DataFrame(read_results(out / "results.jsonl"))
    value = records.set_index(["model", "metric"]).value
    for label in ("frozen first frame", "shuffled frames"):
        fvd = value[label, "FVD-shapes"] / value[HELD_OUT, "FVD-shapes"]
        fid = value[label, "FID-shapes"] / value[HELD_OUT, "FID-shapes"]
        assert fvd > 1.5 > fid


def test_the_model_and_how_it_was_sampled_stand_in_the_report(out, checkpoint):
    sha256 = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    text = (out / "report.md").read_text(encoding="utf-8")
    for part in (sha256[:12], "DDIM, 2 steps, no guidance, seed 0", "trained for 7 steps"):
        assert part in text
    page = (out / "report.html").read_text(encoding="utf-8")
    for name in CLASS_NAMES:  # a sample of each
        assert f"<dt>{name}</dt>" in page


def test_a_model_that_makes_noise_is_found_out(out):
    text = (out / "report.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("|") and GIVEN in line]
    found = [line for line in lines if "| no " in line]
    assert len(found) == 2
    assert any(re.search(r" of 24 by the embedded network", line) for line in found)


def test_a_second_run_finds_its_features_and_goes_without_a_model_that_is_missing(
    out, tmp_path, monkeypatch, capsys, caplog
):
    def missing():
        raise InputError("there is none")

    monkeypatch.setattr(generated, "bundled_checkpoint", missing)
    run(tmp_path, DemoRequest(num_videos=24, resamples=40, store=out / "features"))
    assert NO_MODEL in caplog.messages
    assert str(tmp_path / "report.html") in capsys.readouterr().out
    first, again = (read_results(folder / "results.jsonl") for folder in (out, tmp_path))
    assert all(record.details["decoded_clips"] == 0 for record in again)
    kept = [record for record in first if record.model != GIVEN]
    assert [record.value for record in again] == [record.value for record in kept]
    assert [record.model for record in again] == [record.model for record in kept]
    assert not (tmp_path / "samples.png").exists()


def test_the_bundled_model_is_measured_unless_another_is_given(checkpoint, monkeypatch):
    monkeypatch.setattr(generated, "bundled_checkpoint", lambda: checkpoint)
    for given, label in ((None, BUNDLED), (checkpoint, GIVEN)):
        sets = demo_sets(2, model_of_shapes(given, TWO_STEPS), workers=0)
        assert list(sets)[:3] == [REAL, HELD_OUT, label]
        assert [video.clip.shape for video in sets[label].videos] == 2 * [(16, 8, 8, 3)]


def test_a_file_that_is_given_has_to_be_a_model_of_shapes(tiny_checkpoint, tmp_path):
    other = tiny_checkpoint(tmp_path / "other.safetensors", dataset="ucf101")
    for path, sentence in ((other, "ucf101.*shapes"), (tmp_path / "no", "no: ")):
        with pytest.raises(InputError, match=sentence):
            run(tmp_path / "out", request(path))
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="--num-videos 9"):
        DemoRequest(num_videos=9)


def test_expectations_are_computed_and_can_fail():
    labels = [generator.label for generator in GENERATORS]
    rising = {label: 10.0 + i for i, label in enumerate(labels)}
    good = rising | {HELD_OUT: 1.0, BUNDLED: 5.0}
    all_right = {name: Accuracy(right=20, total=20) for name in (HELD_OUT, BUNDLED)}
    found = expectations(good, all_right)
    assert len(found) == 5
    assert all(finding.holds for finding in found)
    falling = {label: 10.0 - i / 2 for i, label in enumerate(labels)}
    bad = falling | {HELD_OUT: 9.0, BUNDLED: 8.0}
    half_right = all_right | {BUNDLED: Accuracy(right=17, total=20)}
    assert not any(finding.holds for finding in expectations(bad, half_right))


def test_a_model_as_good_as_real_videos_is_no_fault_of_the_metric():
    values = {generator.label: 10.0 + i for i, generator in enumerate(GENERATORS)}
    values |= {HELD_OUT: 1.0, GIVEN: 0.9}
    assert expectations(values, {})[0].holds


def test_the_reference_is_shown_and_never_ranked(out):
    text = (out / "demo.md").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith("| real videos")]
    assert "**" not in line
    assert line.count("–") == 2
