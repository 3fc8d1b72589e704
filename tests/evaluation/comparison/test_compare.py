import csv
import io
import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.catalogue.registry import METRICS
from evaluation.comparison import significance
from evaluation.comparison.entries import Entry, differing, is_undirected, read_entries
from evaluation.comparison.significance import PairTest, Verdict, holm, interval_test
from evaluation.comparison.table import compare
from evaluation.comparison.text import FORMS
from evaluation.features.store import FeatureStore
from evaluation.metrics import frechet_distance_from_features
from evaluation.protocol.content import content_key
from evaluation.protocol.deviations import Deviation
from evaluation.protocol.fields import Protocol
from evaluation.protocol.presets import LATTE, STYLEGAN_V
from evaluation.similarity.hidden_states.run import HIDDEN
from latte.data.errors import InputError
from reports.cells import Cell
from reports.ranks import ranks

REAL = "a" * 64


def record(
    model: str = "mine", value: float = 100.0, protocol: Protocol = STYLEGAN_V, **changes: Any
) -> dict[str, Any]:
    """A result whose interval is ± 4."""
    return {
        "metric": "FVD",
        "value": value,
        "interval": [value - 4, value + 4],
        "level": 0.95,
        "higher_is_better": False,
        "num_real": 2048,
        "num_fake": 2048,
        "num_frames": 16,
        "network": "i3d",
        "weights_sha256": "ab" * 32,
        "weights_published": True,
        "fingerprint": protocol.fingerprint,
        "protocol": protocol.name,
        "protocol_fields": protocol.moving_fields(),
        "parameters": {},
        "deviations": [],
        "dataset": "ucf101",
        "model": model,
        "real": {"path": "ucf101", "digest": REAL},
        "fake": {"path": f"samples/{model}", "digest": content_key({"model": model}).hex()},
        "date": "2026-01-02T03:04:05+00:00",
        "details": {},
    } | changes


def deviation(field: str, value: Any, wanted: Any = "", subject: str = "") -> dict[str, Any]:
    return asdict(Deviation(field=field, value=value, wanted=wanted, subject=subject))


def inception(model: str, value: float, **changes: Any) -> dict[str, Any]:
    fields = {"metric": "IS", "higher_is_better": True, "num_real": 0, "real": None}
    return record(model, value, interval=[value - 1, value + 1], **fields | changes)


def write(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in records), encoding="utf-8")
    return path


def table(tmp_path: Path, *records: dict[str, Any], test=interval_test, level: float = 0.05):
    return compare(read_entries([write(tmp_path / "r.jsonl", *records)]), test, level=level)


def test_each_metric_is_ranked_in_its_own_direction(tmp_path):
    made = table(
        tmp_path, *(record(m, v) for m, v in (("a", 120.0), ("b", 100.0), ("c", 110.0))),
        *(inception(m, v) for m, v in (("a", 60.0), ("b", 50.0))),
    )  # fmt: skip
    fvd, score = made.columns
    assert made.models == ("a", "b", "c")
    assert [fvd.cells[m].rank for m in "abc"] == [None, "best", "second"]
    assert [score.cells[m].rank for m in "ab"] == ["best", "second"]
    assert [column.title for column in made.columns] == ["FVD, ucf101", "IS, ucf101"]


def test_equal_values_share_their_rank_and_one_alone_has_none(tmp_path):
    made = table(tmp_path, record("a"), record("b"), inception("a", 9.0))
    assert [cell.rank for cell in made.columns[0].cells.values()] == ["best", "best"]
    assert made.columns[0].cells["b"].p_value == 1.0
    assert made.columns[1].cells["a"].rank is None


def test_values_that_print_alike_share_their_rank_and_are_tested_against_the_best(tmp_path):
    made = table(tmp_path, record("a", 100.04), record("b", 100.01), record("c", 100.2))
    cells = made.columns[0].cells
    assert [cell.rank for cell in cells.values()] == ["best", "best", "second"]
    assert cells["b"].p_value is None
    assert cells["a"].p_value is not None


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
@settings(deadline=None)  # the first table takes its time
def test_ranks_are_those_of_tables_and_never_against_the_order(values, higher):
    entries = [
        Entry(
            where="",
            record=record(
                str(place),
                value,
                interval=[value - half, value + half] if half else None,
                higher_is_better=higher,
            ),
        )
        for place, (value, half) in enumerate(values)
    ]
    (column,) = compare(entries, lambda *_: Verdict(p_value=None, method="none")).columns
    found = {model: cell.rank for model, cell in column.cells.items() if cell.rank}
    in_tables = {}
    for place, (value, half) in enumerate(values):
        ends = {"low": value - half, "high": value + half} if half else {}
        in_tables[str(place)] = Cell(value=value, **ends)
    assert found == ranks(in_tables, higher=higher)
    places = {"best": 0, "second": 1, None: 2}
    order = sorted(column.cells.values(), key=lambda cell: -cell.value if higher else cell.value)
    ranked = [places[cell.rank] for cell in order]
    assert ranked[0] == 0
    assert ranked == sorted(ranked)
    # Equal values never differ in rank.
    assert len({(cell.value, cell.rank) for cell in order}) == len({cell.value for cell in order})


@pytest.mark.parametrize(
    ("metric", "stated"),
    [
        ("inversion-rate-pixels", None),
        ("inversion-rate", False),  # as older files say
        ("hidden-inversion-rate", False),
        ("of any other name", None),
    ],
)
def test_what_is_best_neither_high_nor_low_is_shown_without_rank_arrow_or_test(
    tmp_path, metric, stated
):
    made = table(
        tmp_path,
        *(record(m, v, metric=metric, higher_is_better=stated) for m, v in (("a", 1), ("b", 99))),
        record("a"),
        record("b", 150.0),
    )
    rate, fvd = made.columns
    assert rate.higher_is_better is None
    for cell in rate.cells.values():
        assert cell.comparable
        assert cell.rank is cell.p_value is cell.significant is cell.test is None
    assert fvd.cells["a"].rank == "best"
    text = FORMS["text"](made)
    assert text.splitlines()[0].split() == f"model {metric}, ucf101 FVD, ucf101 ↓".split()
    assert "Without an arrow: neither more nor less is better, nothing is ranked." in text
    assert "Without an arrow" not in FORMS["text"](table(tmp_path, record("a"), record("b")))
    assert json.loads(FORMS["json"](made))["columns"][0]["higher_is_better"] is None


def test_metrics_of_the_catalogue_without_a_direction_are_known_by_name():
    titles = [(title, each.direction(title)) for each in METRICS.values() for title in each.titles]
    for title, direction in titles:
        assert (direction is None) is is_undirected(title) is is_undirected(f"{title}-shapes")
    assert "similarity-distance" in dict(titles)
    assert is_undirected(HIDDEN)


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        ({}, "real_stride 3 instead of 1"),
        ({"protocol": replace(STYLEGAN_V, seed=7)}, "seed 7 instead of 0"),
        ({"protocol": replace(STYLEGAN_V, num_fake=100)}, "num_fake 100 instead of 2048"),
    ],
)
def test_another_protocol_is_shown_marked_explained_and_not_ranked(tmp_path, changes, phrase):
    other = record("other", 1.0, **{"protocol": LATTE} | changes)
    made = table(tmp_path, record("a", 100.0), other, record("b", 110.0))
    (column,) = made.columns
    assert column.fingerprint == STYLEGAN_V.fingerprint
    cell = column.cells["other"]
    assert not cell.comparable
    assert cell.rank is cell.significant is cell.p_value is None
    assert phrase in cell.notes[0]
    assert [column.cells[m].rank for m in "ab"] == ["best", "second"]
    text = FORMS["text"](made)
    (row,) = (line for line in text.splitlines() if line.startswith("other"))
    assert row.rstrip().endswith("1.00 ± 4.00 † [a]")
    (footnote,) = (line for line in text.splitlines() if line.startswith("[a] Not ranked: "))
    assert phrase in footnote
    assert "† made in another way" in text


def test_the_most_common_way_is_ranked_and_the_first_of_equals(tmp_path):
    rows = [record("x", 1.0, LATTE), record("a"), record("b", 110.0)]
    (column,) = table(tmp_path, *rows).columns
    assert [m for m, cell in column.cells.items() if cell.comparable] == ["a", "b"]
    (column,) = table(tmp_path, *rows[:2]).columns
    assert [m for m, cell in column.cells.items() if cell.comparable] == ["x"]
    assert all(cell.rank is None for cell in column.cells.values())


def test_a_model_measured_in_two_ways_has_two_columns_that_say_what_differs(tmp_path):
    made = table(
        tmp_path,
        *(record(m, v) for m, v in (("a", 100.0), ("b", 110.0), ("c", 120.0))),
        *(record(m, v, LATTE) for m, v in (("a", 200.0), ("b", 190.0))),
    )
    first, second = made.columns
    assert (first.title, second.title) == ("FVD, ucf101 (stylegan-v)", "FVD, ucf101 (latte)")
    assert second.cells["b"].rank == "best"
    (note,) = second.notes
    assert note.startswith("Not to be held against FVD, ucf101 (stylegan-v): ")
    assert "real_stride 3 instead of 1" in note
    assert first.notes == ()


def test_ways_of_one_name_are_told_apart_by_their_fingerprints(tmp_path):
    other = replace(STYLEGAN_V, seed=1)
    rows = [record(m, protocol=p) for p in (STYLEGAN_V, other) for m in "ab"]
    titles = [column.title for column in table(tmp_path, *rows).columns]
    assert titles == [
        f"FVD, ucf101 (stylegan-v) ({p.fingerprint[:8]})" for p in (STYLEGAN_V, other)
    ]


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        (
            {"real": {"path": "ucf101", "digest": "c" * 64}},
            f"real clips {'c' * 12} instead of {'a' * 12}",
        ),
        ({"weights_sha256": "cd" * 32}, f"weights {'cd' * 6} instead of {'ab' * 6}"),
        ({"fingerprint": "0" * 16}, "fingerprint 0000000000000000 instead of"),
        ({"parameters": {"k": 5}, "fingerprint": "0" * 16}, "k 5 instead of not stated"),
    ],
)
def test_what_no_protocol_says_still_keeps_results_apart(tmp_path, changes, phrase):
    (column,) = table(tmp_path, record("a"), record("b"), record("c", **changes)).columns
    assert not column.cells["c"].comparable
    assert phrase in column.cells["c"].notes[0]


def test_other_real_clips_go_without_saying_where_a_field_chooses_others():
    changed = replace(STYLEGAN_V, real_stride=3)
    other = record(protocol=changed, real={"digest": "c" * 64})
    assert differing(other, record()) == [Deviation(field="real_stride", value=3, wanted=1)]


def test_data_sets_and_unnamed_real_videos_have_columns_of_their_own(tmp_path):
    made = table(
        tmp_path,
        record("a"),
        record("a", dataset="taichi-hd"),
        record("a", dataset=None, real={"path": "some/reals", "digest": REAL}),
        record("a", metric="FVD-shapes"),
    )
    titles = [column.title for column in made.columns]
    assert titles == ["FVD, ucf101", "FVD, taichi-hd", "FVD, reals", "FVD-shapes, ucf101"]


def test_the_newest_of_two_equal_runs_counts_and_the_other_is_named(tmp_path):
    old = record("a", 90.0, date="2025-01-01T00:00:00+00:00")
    new = record("a", 95.0, date="2026-01-01T00:00:00+00:00")
    for rows in ((old, new), (new, old)):
        made = table(tmp_path, *rows, record("b"))
        assert made.columns[0].cells["a"].value == 95.0
        (remark,) = (text for text in made.remarks if "twice" in text)
        assert "90" in remark
        assert f"line {rows.index(old) + 1}" in remark
    again = table(tmp_path, new, new, record("b"))
    assert not any("twice" in text for text in again.remarks)


def test_without_dates_the_later_line_is_the_newer(tmp_path):
    made = table(tmp_path, record("a", 90.0, date=""), record("a", 95.0, date=""))
    assert made.columns[0].cells["a"].value == 95.0


def test_deviations_and_weights_of_ones_own_are_footnotes(tmp_path):
    deviating = record("a", deviations=[deviation("frame size", "128×128", "256×256", "a")])
    unpublished = record("b", weights_published=False)
    (column,) = table(tmp_path, deviating, unpublished).columns
    assert column.cells["a"].notes == (
        "Not as stylegan-v asks: frame size of a 128×128 instead of 256×256.",
    )
    assert column.cells["b"].notes == ("The weights are not the published ones (abababababab…).",)


def test_a_note_on_every_cell_stands_once_at_the_heading(tmp_path):
    rows = [record(m, deviations=[deviation("num_real", 24, 2048)]) for m in "ab"]
    made = table(tmp_path, *rows)
    assert made.columns[0].notes == ("Not as stylegan-v asks: num_real 24 instead of 2048.",)
    assert all(cell.notes == () for cell in made.columns[0].cells.values())
    assert "FVD, ucf101 ↓ [a]" in FORMS["text"](made)
    made = table(tmp_path, *rows, record("c", protocol=LATTE))
    assert made.columns[0].notes == ("Not as stylegan-v asks: num_real 24 instead of 2048.",)


def test_a_field_that_keeps_apart_is_not_named_again_as_a_deviation(tmp_path):
    other = record(
        "c", protocol=LATTE, deviations=[deviation("real_stride", 3, 1), deviation("more", 1)]
    )
    (column,) = table(tmp_path, record("a"), record("b"), other).columns
    assert " ".join(column.cells["c"].notes).count("real_stride") == 1
    assert "more" in " ".join(column.cells["c"].notes)


GOLDEN = """\
model      FVD, ucf101 ↓      IS, ucf101 ↑
-------  ---------------  ----------------
Latte    **100.0 ± 4.0**  **60.00 ± 1.00**
near     _102.0 ± 4.0_ ≈                 –
far        150.0 ± 4.0 ≠  _50.00 ± 1.00_ ≠
old       90.00 ± 4.00 †                 –

**best** and _second_ of each column; ↓ lower is better, ↑ higher is better.
± and [low, high]: 95 % intervals.
≠ differs from the best of its column, ≈ cannot be told from it: level 0.05, p-values corrected \
for their number in the column (Holm).
† made in another way than the others of its column: shown, not ranked.
"""


def test_the_table_as_it_is_printed(tmp_path):
    fvds = (("Latte", 100.0), ("near", 102.0), ("far", 150.0))
    made = table(
        tmp_path,
        *(record(model, value) for model, value in fvds),
        record("old", 90.0, replace(STYLEGAN_V, real_stride=2)),
        *(inception(model, value) for model, value in (("Latte", 60.0), ("far", 50.0))),
    )
    lines = FORMS["text"](made).splitlines()
    golden = GOLDEN.replace("90.00 ± 4.00 †", "90.00 ± 4.00 † [a]").splitlines()
    assert [" ".join(line.split()) for line in lines[2:6]] == [
        " ".join(line.split()) for line in golden[2:6]
    ]
    assert lines[6:11] == golden[6:11]
    fingerprint = STYLEGAN_V.fingerprint
    assert lines[11:] == [
        "[a] Not ranked: real_stride 2 instead of 1.",
        f"FVD, ucf101: stylegan-v {fingerprint}, i3d abababab…, 2048 clips × 16 frames.",
        f"IS, ucf101: stylegan-v {fingerprint}, i3d abababab…, 2048 clips × 16 frames.",
        "FVD, ucf101: difference against both intervals, taken for normal and independent, which "
        "is too careful where both share the real set.",
        "IS, ucf101: difference against both intervals, taken for normal and independent.",
    ]


def test_markdown_and_latex_show_hostile_names_as_they_are(tmp_path):
    made = table(tmp_path, record("a|b_$x$ <i>\n*"), record("b", 130.0))
    markdown = FORMS["markdown"](made)
    assert r"a\|b\_\$x\$ &lt;i> \*" in markdown
    assert " **100.0 ± 4.0** |" in markdown
    assert "<u>130.0 ± 4.0</u> ≠" in markdown
    latex = FORMS["latex"](made)
    assert r"a\textbar{}b\_\$x\$ \textless{}i\textgreater{} *" in latex
    assert r"\textbf{100.0 $\pm$ 4.0}" in latex
    assert r"\underline{130.0 $\pm$ 4.0} $\neq$" in latex
    assert latex.count(r"\begin{") == latex.count(r"\end{") == 3


def test_csv_and_json_hold_every_digit_and_all_that_is_said(tmp_path):
    rows = [record("a", 100.123456789), record("b", 150.0), record("c", 1.0, LATTE)]
    made = table(tmp_path, *rows)
    lines = list(csv.DictReader(io.StringIO(FORMS["csv"](made))))
    assert [line["value"] for line in lines] == ["100.123456789", "150.0", "1.0"]
    assert [line["rank"] for line in lines] == ["best", "second", ""]
    assert [line["comparable"] for line in lines] == ["True", "True", "False"]
    assert [line["significant"] for line in lines] == ["", "True", ""]
    assert "real_stride" in lines[2]["notes"]
    found = json.loads(FORMS["json"](made))
    assert found == json.loads(json.dumps(asdict(made)))
    assert found["columns"][0]["cells"]["c"]["comparable"] is False


def test_a_result_without_interval_is_ranked_but_not_tested(tmp_path):
    made = table(tmp_path, record("a"), record("b", 500.0, interval=None), record("c", 150.0))
    (column,) = made.columns
    assert column.cells["b"].significant is None
    assert column.cells["c"].significant is True
    assert any("not tested, for lack of an interval" in text for text in made.remarks)


def test_more_comparisons_make_a_difference_harder_to_show(tmp_path):
    verdict = Verdict(p_value=0.02, method="as told")
    few = table(tmp_path, record("a"), record("b", 101.0), test=lambda x, y: verdict)
    assert few.columns[0].cells["b"].significant
    rows = [record(str(i), 100.0 + i) for i in range(4)]
    many = table(tmp_path, *rows, test=lambda x, y: verdict)
    assert many.columns[0].cells["1"].p_value == pytest.approx(0.06)
    assert not any(cell.significant for cell in many.columns[0].cells.values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": math.nan}, "line 1: value NaN"),
        ({"value": "12"}, 'line 1: value "12"'),
        ({"interval": [1.0]}, "line 1: value"),
        ({"interval": [2.0, 1.0]}, "line 1: value"),
        ({"level": 95}, "line 1: value"),
        ({"model": None}, "no usable model"),
        ({"higher_is_better": "no"}, "no usable higher_is_better"),
        ({"protocol_fields": []}, "no usable protocol_fields"),
    ],
)
def test_a_result_that_cannot_be_compared_is_refused_by_its_line(tmp_path, changes, message):
    with pytest.raises(InputError) as error:
        read_entries([write(tmp_path / "r.jsonl", record() | changes)])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_no_results_and_no_file_are_sentences(tmp_path):
    with pytest.raises(InputError, match=r"r\.jsonl: no results"):
        read_entries([write(tmp_path / "r.jsonl")])
    with pytest.raises(InputError, match="no such results file"):
        read_entries([tmp_path / "none.jsonl"])
    (tmp_path / "text").write_text("hello\n")
    with pytest.raises(InputError, match="line 1: not valid JSON"):
        read_entries([tmp_path / "text"])


# Significance.


def test_holm_against_a_worked_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=30))
def test_holm_keeps_the_order_and_never_lowers(p_values):
    corrected = holm(p_values)
    assert all(p <= c <= 1 for p, c in zip(p_values, corrected, strict=True))
    assert all(c <= min(1, len(p_values) * p) for p, c in zip(p_values, corrected, strict=True))
    pairs = sorted(zip(p_values, corrected, strict=True))
    assert [c for _, c in pairs] == sorted(corrected)
    if p_values:
        assert min(corrected) == min(1, len(p_values) * min(p_values))


def test_intervals_that_just_fail_to_touch_zero_give_the_level():
    # 95 % intervals of ± 4 and ± 3: the difference has ± 5.
    first, second = record(value=105.0), record(value=100.0, interval=[97.0, 103.0])
    assert interval_test(first, second).p_value == pytest.approx(0.05)
    wide = record(value=105.0, interval=[101.0, 109.0], level=0.9)
    assert interval_test(wide, second).p_value > 0.05
    assert interval_test(record(value=500.0), record()).p_value < 1e-9
    point = record(interval=[100.0, 100.0])
    assert interval_test(point, point).p_value == 1.0


SPACE = {"network": "test"}


def stored(root: Path, sets: dict[str, np.ndarray]) -> str:
    """The name of a space that holds these sets under the digests they are named by."""
    store = FeatureStore.open(root, SPACE)
    for name, rows in sets.items():
        keys = [content_key({"set": name, "row": i}) for i in range(len(rows))]
        for key, row in zip(keys, rows, strict=True):
            store.add(key, row)
        store.flush()
        store.remember(digest(name), keys)
    return store.folder.name


def digest(name: str) -> str:
    return content_key({"set": name}).hex()


def clips(name: str) -> dict[str, str]:
    """What a record says of such a set; all have the same names of videos."""
    return {"digest": digest(name), "order": digest(name), "names": "1"}


def measured(root: Path, shift: float = 1.0, fewer: int = 0) -> list[dict[str, Any]]:
    """Two results whose features are in the store; b's clips lie `shift` from a's."""
    rng = np.random.default_rng(0)
    real = rng.standard_normal((60, 3)).astype(np.float32)
    a = rng.standard_normal((60, 3)).astype(np.float32)
    b = (a + shift + 0.1 * rng.standard_normal((60, 3))).astype(np.float32)[: 60 - fewer]
    space = stored(root, {"real": real, "a": a, "b": b})
    return [
        record(
            name,
            frechet_distance_from_features(real, rows, ddof=0),
            interval=None,
            real=clips("real"),
            fake=clips(name),
            details={"space": space},
        )
        for name, rows in (("a", a), ("b", b))
    ]


def test_features_in_the_store_are_tested_by_permutations(tmp_path):
    made = table(tmp_path, *measured(tmp_path), test=PairTest(store=tmp_path, permutations=99))
    cell = made.columns[0].cells["b"]
    assert cell.p_value == pytest.approx(0.01)  # (0 + 1) / (99 + 1)
    assert cell.test == "permutation test on the features, unpaired, 99 permutations"


def test_pairs_show_a_difference_that_shuffled_clips_hide(tmp_path):
    first, second = measured(tmp_path, shift=0.15)
    p_values = [
        PairTest(store=tmp_path, permutations=199, paired=paired)(first, second).p_value
        for paired in (False, True)
    ]
    assert p_values[1] < 0.05 < p_values[0]


def test_frames_of_a_clip_stay_together(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    sets = {name: rng.standard_normal((6, 4, 3)).astype(np.float32) for name in ("real", "a", "b")}
    space = stored(tmp_path, sets)
    asked = []

    def permutation_test(real, models, **options):
        asked.append((real.shape, models.rows_per_draw, models.ddof))
        raise InputError("enough")

    monkeypatch.setattr("evaluation.uncertainty.permutation_test", permutation_test)
    protocol = replace(STYLEGAN_V, covariance="n-1")
    rows = [
        record(n, 1.0, protocol, metric="FID", real=clips("real"),
               fake=clips(n), details={"space": space})
        for n in "ab"
    ]  # fmt: skip
    with pytest.raises(InputError, match="enough"):
        PairTest(store=tmp_path)(*rows)
    assert asked == [((24, 3), 4, 1)]


@pytest.mark.parametrize(
    "changes",
    [
        {"details": {}},
        {"details": {"space": "../../etc"}},
        {"details": {"space": "0" * 16}},
        {"fake": {"digest": "0" * 64, "order": "0" * 64}},
        {"real": None},
        {"metric": "KVD"},
    ],
)
def test_without_the_features_the_intervals_are_what_there_is(tmp_path, changes):
    first, second = (each | {"interval": [0.0, 9.0]} for each in measured(tmp_path))
    verdict = PairTest(store=tmp_path)(first | changes, second)
    assert verdict.method.startswith("difference against both intervals")
    assert verdict.p_value == interval_test(first, second).p_value
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [first["details"]["space"], "sets"]
    )


def test_features_that_give_another_value_are_not_those_that_were_measured(tmp_path):
    first, second = measured(tmp_path)
    verdict = PairTest(store=tmp_path, permutations=50)(first | {"value": 2.0}, second)
    assert verdict.p_value is None
    assert "other values" in verdict.method


def test_features_too_wide_for_a_thousand_covariances_are_held_by_their_intervals(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(significance, "MOST_FEATURES", 2)
    verdict = PairTest(store=tmp_path, paired=True)(*measured(tmp_path))
    assert "the features being wide; --paired is of no effect" in verdict.method


def test_pairs_need_as_many_clips_of_both(tmp_path):
    first, second = measured(tmp_path, fewer=3)
    with pytest.raises(InputError, match="--paired: a has 60 clips, b has 57"):
        PairTest(store=tmp_path, paired=True, permutations=50)(first, second)


def test_pairs_are_found_by_the_names_of_their_videos(tmp_path):
    first, second = measured(tmp_path)
    second["fake"] = second["fake"] | {"names": "2"}
    with pytest.raises(InputError, match="the videos of a and b are called differently"):
        PairTest(store=tmp_path, paired=True, permutations=50)(first, second)


def test_frames_that_went_through_other_storage_are_not_ranked(tmp_path):
    png, jpg = (
        record(name, fake=clips(name) | {"storage": kind, "width": 256, "height": 256})
        for name, kind in (("a", "png"), ("b", "jpg"))
    )
    (column,) = table(tmp_path, png, jpg).columns
    assert column.cells["a"].comparable
    assert not column.cells["b"].comparable
    assert any("256×256 jpg instead of 256×256 lossless" in n for n in column.cells["b"].notes)


def test_only_the_side_of_an_interval_that_faces_the_other_counts():
    near_zero, far = record("a", 0.1, interval=[0.0, 0.5]), record("b", 1.0, interval=[0.6, 1.4])
    turned = record("a", 0.1, interval=[0.1, 0.5])
    assert interval_test(near_zero, far).p_value == interval_test(turned, far).p_value
