"""Results files on their way into a table: lines that are read, and lines that are refused."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.shapes.distortions import HELD_OUT, real_videos
from benchmarks.shapes.measuring import ShapesMeasurer
from benchmarks.tables.request import TableRequest
from benchmarks.tables.run import checked_lines
from benchmarks.tables.table3 import TABLE, run
from evaluation.features.extraction import ExtractionOptions
from evaluation.measuring.checking import check_result
from evaluation.measuring.networks import Networks
from evaluation.protocol.content import fingerprint_of
from evaluation.protocol.presets import SHAPES, STYLEGAN_V
from evaluation.results.record import SetRecord
from latte.data.errors import InputError


def refusal(tmp_path: Path, line: str, write_results) -> str:
    """Why a results file with this line is refused; the table of before stays."""
    out = tmp_path / "out"
    run(out, TableRequest())
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    path = write_results(tmp_path / "results.jsonl", line)
    with pytest.raises(InputError) as error:
        run(out, TableRequest(results=(path,)))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert "\n" not in str(error.value)
    assert f"{path}" in str(error.value)
    return str(error.value)


def test_blank_lines_do_not_shift_the_line_numbers(
    tmp_path: Path, make_result, write_results
) -> None:
    path = write_results(tmp_path / "r.jsonl", make_result(), "", make_result(value=2.0))
    lines = checked_lines(path, TABLE.metrics)
    assert [line.where for line in lines] == [f"{path}, line 1", f"{path}, line 3"]
    assert lines[1].result == make_result(value=2.0)


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_a_file_without_results_says_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"results\.jsonl: "):
        checked_lines(path, TABLE.metrics)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"value": "12"}, "value"),
        ({"value": True}, "value"),
        ({"value": [[[]]] * 500}, "value"),
        ({"value": math.nan}, "value"),
        ({"interval": [True, 310]}, "interval"),
        ({"interval": [1.0, math.inf]}, "interval"),
        ({"interval": [1.0]}, "interval"),
        ({"interval": {"low": 1}}, "interval"),
        ({"value": -5.0, "interval": None}, "below 0"),
        ({"value": 500.0}, "outside its interval"),
        ({"interval": [200.0, 100.0]}, "outside its interval"),
        ({"protocol_fields": None}, "protocol_fields"),
        ({"protocol_fields": {}}, "split, num_real, "),
        ({"protocol_fields": {"strides": 3}}, "protocol_fields"),
        ({"model": None}, "model"),
        ({"num_real": "8"}, "num_real"),
        ({"num_fake": True}, "num_fake"),
        ({"network": 3}, "network"),
        ({"deviations": [3]}, "deviations"),
        ({"host": "x"}, "host"),
        ({"versions": ["torch"]}, "versions"),
        ({"seconds": "x"}, "seconds"),
        ({"date": 2026}, "date"),
        ({"real": "videos"}, "real"),
        ({"protocol": 3}, "protocol"),
        ({"fingerprint": "0" * 16}, "fingerprint"),
        ({"parameters": {"k": 3}}, "fingerprint"),
    ],
)
def test_a_result_that_is_not_sound_is_refused_by_its_field(
    changes: dict[str, Any], field: str, tmp_path: Path, make_result, write_results
) -> None:
    line = json.dumps(json.loads(make_result().to_json()) | changes)
    message = refusal(tmp_path, line, write_results)
    assert "line 1" in message
    assert field in message


@pytest.mark.parametrize("number", [{"real_stride": 0}, {"strides": 3}, {"real_stride": 1}])
def test_another_field_is_no_protocol_or_another_fingerprint(
    number: dict[str, int], tmp_path: Path, make_result, write_results
) -> None:
    record = json.loads(make_result().to_json())
    record["protocol_fields"] |= number
    assert "line 1: " in refusal(tmp_path, json.dumps(record), write_results)


@pytest.mark.parametrize("line", ["{", "[" * 100_000, '{"metric": ["FVD"]}', "BIG", "HUGE"])
def test_a_line_that_is_no_result_is_one_sentence(
    line: str, tmp_path: Path, make_result, write_results
) -> None:
    digits = {"BIG": 400, "HUGE": 9999}.get(line)
    if digits:
        line = make_result().to_json().replace("123.456", "1" + digits * "0")
    assert "line 1: " in refusal(tmp_path, line, write_results)


def test_an_inception_score_ends_at_1_and_says_nothing_of_real_videos(make_result) -> None:
    score = make_result("is", value=60.0)
    check_result(score, "line 1")
    with pytest.raises(InputError, match="below 1"):
        check_result(replace(score, value=0.5, interval=None), "line 1")
    with pytest.raises(InputError, match="fingerprint"):
        check_result(replace(score, parameters={"splits": 5, "shuffle_seed": 42}), "line 1")


def test_what_is_measured_here_is_known_by_its_fingerprint(tmp_path: Path) -> None:
    store, protocol = tmp_path / "store", replace(SHAPES, num_real=20, num_fake=20, real_stride=1)
    options = ExtractionOptions(store=store, workers=0)
    measurer = ShapesMeasurer(real_videos(0, 20), protocol, Networks(options), resamples=40)
    results = measurer.results(HELD_OUT, measurer.extract(real_videos(20, 20), "fake"))
    # Under the names of the metrics on the published networks, which are checked.
    results = [replace(each, metric=each.metric.removesuffix("-shapes")) for each in results]
    assert {result.metric for result in results} == {"FVD", "FID", "IS"}
    for result in results:
        check_result(result, "line 1")
        changed = replace(result, protocol_fields={**result.protocol_fields, "seed": 1})
        with pytest.raises(InputError, match="fingerprint"):
            check_result(changed, "line 1")


@pytest.mark.parametrize("sides", [("real",), ("fake",), ("real", "fake")])
def test_statistics_of_other_making_are_part_of_the_fingerprint(
    sides: tuple[str, ...], make_result
) -> None:
    sets = {
        side: SetRecord(
            path=side, digest=side, num_listed=None, num_clips=None, height=0, width=0,
            storage="statistics",
        )
        for side in sides
    }  # fmt: skip
    result = make_result(**sets)
    fingerprint = fingerprint_of(result.protocol_fields, "fvd", {}, sides)
    given = replace(result, fingerprint=fingerprint)
    check_result(given, "line 1")
    check_result(result, "line 1")  # statistics that follow the protocol are not part of it
    others = {side: replace(sets[side], digest="x") for side in sides}
    with pytest.raises(InputError, match="fingerprint"):
        check_result(replace(given, **others), "line 1")


def test_a_protocol_of_another_name_is_taken_by_its_fields(make_result) -> None:
    check_result(make_result(by=replace(STYLEGAN_V, name="of my own", seed=7)), "line 1")
