"""Which results are ranked against each other, and what is said about the others."""

import csv
import io
import json
import math
from dataclasses import asdict, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import evaluation
from evaluation.comparison.api import compare
from evaluation.comparison.columns import result_differences
from evaluation.comparison.significance import Method, Verdict
from evaluation.protocol.deviations import Deviation
from evaluation.protocol.presets import LATTE, STYLEGAN_V
from latte.data.errors import InputError


def fields_of(deviations):
    return [deviation.field for deviation in deviations]


def test_each_metric_is_ranked_in_its_own_direction(make_result, make_score):
    comparison = evaluation.compare(
        [
            *(make_result(m, v) for m, v in (("a", 120.0), ("b", 100.0), ("c", 110.0))),
            *(make_score(m, v) for m, v in (("a", 60.0), ("b", 50.0))),
        ]
    )
    fvd, score = comparison.columns
    assert comparison.models == ("a", "b", "c")
    assert [fvd.cells[m].rank for m in "abc"] == [None, "best", "second"]
    assert [score.cells[m].rank for m in "ab"] == ["best", "second"]
    assert [column.title for column in comparison.columns] == ["FVD, ucf101", "IS, ucf101"]


def test_equal_values_share_their_rank_and_one_alone_has_none(make_result, make_score):
    fvd, score = compare([make_result("a"), make_result("b"), make_score("a", 9.0)]).columns
    assert [cell.rank for cell in fvd.cells.values()] == ["best", "best"]
    assert fvd.cells["b"].p_value == 1.0
    assert score.cells["a"].rank is None


def test_values_that_print_alike_share_their_rank_and_are_tested_against_the_best(make_result):
    values = {"a": 100.04, "b": 100.01, "c": 100.2}
    (column,) = compare([make_result(model, value) for model, value in values.items()]).columns
    assert [cell.rank for cell in column.cells.values()] == ["best", "best", "second"]
    assert column.cells["b"].p_value is None
    assert column.cells["a"].p_value is not None


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 1.0, 1.24, 1.249, 1.25, 1.3]), st.sampled_from([0, 0.01, 0.1, 1])
        ),
        min_size=2,
        max_size=6,
    ),
    st.booleans(),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_ranks_are_never_against_the_order(make_result, values, higher):
    results = [
        make_result(
            str(place),
            value,
            interval=(value - half, value + half) if half else None,
            higher_is_better=higher,
        )
        for place, (value, half) in enumerate(values)
    ]
    untested = Verdict(p_value=None, method=Method(kind="untested"))
    (column,) = compare(results, test=lambda first, second: untested).columns
    places = {"best": 0, "second": 1, None: 2}
    towards = -1 if higher else 1
    order = sorted(column.cells.values(), key=lambda cell: towards * cell.result.value)
    ranked = [places[cell.rank] for cell in order]
    assert ranked[0] == 0
    assert ranked == sorted(ranked)
    by_value = {(cell.result.value, cell.rank) for cell in order}
    assert len(by_value) == len({cell.result.value for cell in order})


def test_what_is_best_neither_high_nor_low_is_shown_without_rank_arrow_or_test(make_result):
    rates = [
        make_result(m, v, metric="inversion-rate", higher_is_better=None)
        for m, v in (("a", 1.0), ("b", 99.0))
    ]
    comparison = compare([*rates, make_result("a"), make_result("b", 150.0)])
    rate, fvd = comparison.columns
    assert rate.higher_is_better is None
    for cell in rate.cells.values():
        assert cell.comparable
        assert cell.rank is cell.p_value is cell.significant is cell.test is None
    assert fvd.cells["a"].rank == "best"
    headings = [column.heading for column in comparison.table().columns]
    assert headings == ["inversion-rate, ucf101", "FVD, ucf101 ↓"]
    assert json.loads(comparison.json())["columns"][0]["higher_is_better"] is None


@pytest.mark.parametrize(
    ("protocol", "difference"),
    [
        (LATTE, Deviation(field="real_stride", value=3, wanted=1)),
        (replace(STYLEGAN_V, seed=7), Deviation(field="seed", value=7, wanted=0)),
        (replace(STYLEGAN_V, num_fake=100), Deviation(field="num_fake", value=100, wanted=2048)),
    ],
)
def test_another_protocol_is_shown_marked_explained_and_not_ranked(
    make_result, protocol, difference
):
    results = [make_result("a"), make_result("other", 1.0, protocol), make_result("b", 110.0)]
    comparison = compare(results)
    (column,) = comparison.columns
    assert column.reference.fingerprint == STYLEGAN_V.fingerprint
    cell = column.cells["other"]
    assert not cell.comparable
    assert cell.rank is cell.significant is cell.p_value is None
    assert difference in cell.differences
    assert [column.cells[m].rank for m in "ab"] == ["best", "second"]
    layout = comparison.table().layout()
    view = layout.sections[0].rows[1].cells[0]
    assert view.plain == "1.00 ± 4.00"
    assert view.rank is None
    sign, letter = view.marks
    footnotes = dict(layout.footnotes)
    assert "not ranked" in footnotes[sign]
    assert str(difference) in footnotes[letter]
    for written in (str(comparison), comparison.markdown()):
        (row,) = (line for line in written.splitlines() if "other" in line)
        assert sign in row


def test_the_most_common_way_is_ranked_and_the_first_of_equals(make_result):
    results = [make_result("x", 1.0, LATTE), make_result("a"), make_result("b", 110.0)]
    (column,) = compare(results).columns
    assert [m for m, cell in column.cells.items() if cell.comparable] == ["a", "b"]
    (column,) = compare(results[:2]).columns
    assert [m for m, cell in column.cells.items() if cell.comparable] == ["x"]
    assert all(cell.rank is None for cell in column.cells.values())


def test_a_model_measured_in_two_ways_has_two_columns_that_say_what_differs(make_result):
    comparison = compare(
        [
            *(make_result(m, v) for m, v in (("a", 100.0), ("b", 110.0), ("c", 120.0))),
            *(make_result(m, v, LATTE) for m, v in (("a", 200.0), ("b", 190.0))),
        ]
    )
    first, second = comparison.columns
    assert (first.title, second.title) == ("FVD, ucf101 (stylegan-v)", "FVD, ucf101 (latte)")
    assert second.cells["b"].rank == "best"
    assert second.beside == first.title
    assert "real_stride" in fields_of(second.differences)
    assert first.differences == ()
    plain, noted = comparison.table().columns
    assert plain.notes == ()
    assert "real_stride 3 instead of 1" in noted.notes[0]


def test_settings_of_one_name_have_their_fingerprints_as_titles(make_result):
    other = replace(STYLEGAN_V, seed=1)
    results = [make_result(m, protocol=p) for p in (STYLEGAN_V, other) for m in "ab"]
    titles = [column.title for column in compare(results).columns]
    assert titles == [
        f"FVD, ucf101 (stylegan-v) ({p.fingerprint[:8]})" for p in (STYLEGAN_V, other)
    ]


def test_what_no_protocol_says_still_keeps_results_apart(make_result):
    real = make_result().real
    for changes, difference in (
        ({"real": replace(real, digest="c" * 64)}, ("real clips", "c" * 12, "a" * 12)),
        ({"weights_sha256": "cd" * 32}, ("weights", "cd" * 6, "ab" * 6)),
        ({"metric": "KID", "parameters": {"k": 5}}, ("k", 5, None)),
        (
            {"fake": replace(real, storage="jpg")},
            ("generated frames", "256×256 jpg", "256×256 lossless"),
        ),
    ):
        metric = {"metric": changes["metric"]} if "metric" in changes else {}
        results = [make_result("a", **metric), make_result("b", **metric)]
        (column,) = compare([*results, make_result("c", **changes)]).columns
        field, value, wanted = difference
        expected = Deviation(field=field, value=value, wanted=wanted)
        assert column.cells["c"].differences == (expected,)
    changed = replace(make_result(), fingerprint="0" * 16)
    assert fields_of(result_differences(changed, make_result())) == ["fingerprint"]


def test_other_real_clips_are_not_named_if_a_field_selects_others(make_result):
    real = replace(make_result().real, digest="c" * 64)
    other = make_result(protocol=replace(STYLEGAN_V, real_stride=3), real=real)
    assert fields_of(result_differences(other, make_result())) == ["real_stride"]


def test_data_sets_and_unnamed_real_videos_have_columns_of_their_own(make_result):
    unnamed = make_result("a", dataset=None, real=replace(make_result().real, path="some/reals"))
    results = [
        make_result("a"),
        make_result("a", dataset="taichi-hd"),
        unnamed,
        make_result("a", metric="FVD-shapes"),
    ]
    titles = [column.title for column in compare(results).columns]
    assert titles == ["FVD, ucf101", "FVD, taichi-hd", "FVD, reals", "FVD-shapes, ucf101"]


def test_the_newest_of_two_equal_runs_counts_and_the_other_is_named(make_result):
    old = make_result("a", 90.0, date="2025-01-01T00:00:00+00:00")
    new = make_result("a", 95.0, date="2026-01-01T00:00:00+00:00")
    for results in ([old, new], [new, old]):
        comparison = compare([*results, make_result("b")])
        assert comparison.columns[0].cells["a"].result == new
        (superseded,) = comparison.superseded
        assert superseded.entry.result == old
        assert superseded.entry.where == f"result {results.index(old) + 1}"
        assert "90" in str(comparison)
    assert compare([new, new, make_result("b")]).superseded == ()
    undated = [make_result("a", value, date="") for value in (90.0, 95.0)]
    assert compare(undated).columns[0].cells["a"].result.value == 95.0


FRAMES = Deviation(field="frames", value="128×128", wanted="256×256", subject="a")
FEW = Deviation(field="num_real", value=24, wanted=2048)


def test_deviations_and_own_weights_are_footnotes(make_result):
    deviating = make_result("a", deviations=(FRAMES,))
    comparison = compare([deviating, make_result("b", weights_published=False)])
    (column,) = comparison.columns
    assert column.cells["a"].deviations == (FRAMES,)
    assert not column.cells["a"].own_weights
    assert column.cells["b"].own_weights
    notes = [row.cells["0"].notes for row in comparison.table().rows]
    assert [len(note) for note in notes] == [1, 1]
    assert str(FRAMES) in notes[0][0]
    assert "abababababab" in notes[1][0]


def test_a_note_on_every_ranked_cell_stands_once_at_the_heading(make_result):
    results = [make_result(m, deviations=(FEW,)) for m in "ab"]
    for more in ([], [make_result("c", protocol=LATTE)]):
        table = compare([*results, *more]).table()
        (note,) = table.columns[0].notes
        assert str(FEW) in note
        assert [row.cells["0"].notes for row in table.rows[:2]] == [(), ()]


def test_a_field_that_keeps_apart_is_not_named_again_as_a_deviation(make_result):
    stride = Deviation(field="real_stride", value=3, wanted=1)
    other = make_result("c", protocol=LATTE, deviations=(stride, FRAMES))
    (column,) = compare([make_result("a"), make_result("b"), other]).columns
    assert stride in column.cells["c"].differences
    assert column.cells["c"].deviations == (FRAMES,)


def test_hostile_names_are_shown_as_they_are_and_harm_no_syntax(make_result):
    comparison = compare([make_result("a|b_$x$ <i>\n*"), make_result("b", 130.0)])
    assert r"a\|b\_\$x\$ &lt;i> \*" in comparison.markdown()
    latex = comparison.latex()
    assert r"a\textbar{}b\_\$x\$ \textless{}i\textgreater{} *" in latex
    assert r"\textbf{100.0 $\pm$ 4.0}" in latex
    assert latex.count(r"\begin{") == latex.count(r"\end{") == 3


def test_csv_frame_and_json_hold_every_digit_and_all_that_is_known(make_result):
    results = [make_result("a", 100.123456789), make_result("b", 150.0),
               make_result("c", 1.0, LATTE, deviations=(FRAMES,))]  # fmt: skip
    comparison = compare(results)
    lines = list(csv.DictReader(io.StringIO(comparison.csv())))
    assert [line["value"] for line in lines] == ["100.123456789", "150.0", "1.0"]
    assert [line["rank"] for line in lines] == ["best", "second", ""]
    assert [line["comparable"] for line in lines] == ["True", "True", "False"]
    assert [line["significant"] for line in lines] == ["", "True", ""]
    assert "real_stride" in lines[2]["notes"]
    frame = comparison.to_frame()
    assert frame["value"].tolist() == [100.123456789, 150.0, 1.0]
    assert frame["fingerprint"].tolist() == [result.fingerprint for result in results]
    (column,) = json.loads(comparison.json())["columns"]
    cell = column["cells"]["c"]
    assert (cell["value"], cell["comparable"]) == (1.0, False)
    assert cell["deviations"] == [asdict(FRAMES)]
    assert asdict(Deviation(field="real_stride", value=3, wanted=1)) in cell["differences"]


def test_files_records_and_results_are_compared_alike(make_result, write_results, tmp_path):
    results = [make_result("a"), make_result("b", 110.0)]
    path = write_results(tmp_path / "r.jsonl", *results)
    records = [json.loads(result.to_json()) for result in results]
    frames = [
        compare(given).to_frame().drop(columns="where")
        for given in (results, records, [path], str(path), [results[0], records[1]])
    ]
    assert all(frame.equals(frames[0]) for frame in frames)
    assert compare(path).columns[0].cells["b"].where == f"{path}, line 2"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"value": math.nan}, "value"),
        ({"value": "12"}, "value"),
        ({"interval": [1.0]}, "interval"),
        ({"interval": [2.0, 1.0]}, "interval"),
        ({"interval": [200.0, 300.0]}, "interval"),
        ({"level": 95}, "level"),
        ({"model": None}, "model"),
        ({"higher_is_better": "no"}, "higher_is_better"),
        ({"protocol_fields": []}, "protocol_fields"),
        ({"fingerprint": "0" * 16}, "fingerprint"),
        ({"protocol_fields": LATTE.affecting_fields()}, "fingerprint"),
        ({"parameters": {"k": 4}}, "fingerprint"),
    ],
)
def test_a_result_that_cannot_be_compared_is_refused_by_its_line(
    make_result, write_results, tmp_path, changes, field
):
    record = json.loads(make_result().to_json()) | changes
    with pytest.raises(InputError, match=r"r\.jsonl.*line 1\b") as error:
        compare(write_results(tmp_path / "r.jsonl", record))
    assert field in str(error.value)
    assert "\n" not in str(error.value)


def test_no_results_and_no_file_are_sentences(write_results, tmp_path):
    with pytest.raises(InputError, match=r"r\.jsonl: no results"):
        compare(write_results(tmp_path / "r.jsonl"))
    with pytest.raises(InputError, match=r"none\.jsonl: no such"):
        compare(tmp_path / "none.jsonl")
    (tmp_path / "text").write_text("hello\n")
    with pytest.raises(InputError, match=r"text.*line 1: cannot be read as JSON"):
        compare(tmp_path / "text")
    with pytest.raises(InputError, match="no results"):
        compare([])
    for nothing in (None, 5):
        with pytest.raises(InputError, match=f"results={nothing}"):
            compare(nothing)


def test_a_level_that_is_none_is_refused(make_result):
    with pytest.raises(InputError, match=r"level.*0 and 1|0 .*1.*\b95"):
        compare([make_result()], level=95)
