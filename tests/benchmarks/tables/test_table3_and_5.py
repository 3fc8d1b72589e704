"""Tables 3 and 5: the paper's figures, and results of `latte-eval` below them."""

import re
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.documents.tables import of_this_run, provenance_block
from benchmarks.tables import table3, table5
from benchmarks.tables.published import DATASETS
from benchmarks.tables.request import Measurements, TableRequest
from benchmarks.tables.run import document
from evaluation.catalogue.registry import metric
from evaluation.measuring.choice import for_metric
from evaluation.protocol.deviations import Deviation
from evaluation.protocol.presets import STYLEGAN_V, published_protocol
from evaluation.results.files import ResultLine
from evaluation.results.record import Result
from latte.data.errors import InputError
from reports.cells import Cell, Column, Row
from reports.provenance import Provenance, provenance_lines
from reports.table import Table


def lines(*results: Result) -> list[ResultLine]:
    return [ResultLine(where=f"line {i}", result=each) for i, each in enumerate(results, 1)]


def fvd_table(*results: Result) -> Table:
    return table3.TABLE.with_results(lines(*results))


def test_without_results_the_table_is_the_papers_and_says_so(tmp_path: Path) -> None:
    table3.run(tmp_path, TableRequest())
    text = (tmp_path / "table3.md").read_text(encoding="utf-8")
    assert "Published figures alone" in text
    assert "--protocol latte" in text  # the command of the hint makes results that are ranked
    assert "†" not in text
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"table3.{ending}" for ending in ("csv", "md", "report.json", "tex")]


def test_the_section_says_who_is_best_and_folds_footnotes_away(
    tmp_path: Path, section, make_result, write_results
) -> None:
    other = make_result(dataset="taichi-hd", by=replace(STYLEGAN_V, num_real=100), model="other")
    results = write_results(tmp_path / "results.jsonl", make_result(), other)
    table3.run(tmp_path, TableRequest(results=(results,)))
    report = section(tmp_path, "table3")
    assert report.title == "Table 3: FVD"
    for fact in (
        "Latte+IMG (FaceForensics, SkyTimelapse, UCF101, Taichi-HD)",
        "mine, UCF101 123.5",
        "other, Taichi-HD 123.5",
    ):
        assert fact in report.lead
    table, made = report.blocks
    (note,) = table.table.rows[-1].cells["taichi-hd"].notes
    assert "num_real 100 instead of 2048" in note
    assert table.folds_notes
    measured, run = made.records[-2:]
    assert (measured.subject, run.role) == ("mine on ucf101", "document") or (
        measured.subject == "other on taichi-hd"
    )
    assert "num_real 100 instead of 2048" in (tmp_path / "table3.md").read_text(encoding="utf-8")


def test_rows_and_columns_are_in_the_papers_order() -> None:
    assert [row.label for row in table3.published_rows()] == [
        "MoCoGAN", "VideoGPT", "MoCoGAN-HD", "DIGAN", "StyleGAN-V", "PVDM", "MoStGAN-V", "LVDM",
        "VDT", "W.A.L.T", "Latte", "Latte+IMG",
    ]  # fmt: skip
    assert [column.title for column in fvd_table().columns] == [*DATASETS.values()]
    assert [row.label for row in table5.published_rows()][-2:] == ["Latte", "Latte+IMG"]


def test_published_cells_say_what_the_paper_says() -> None:
    rows = {row.label: row.cells for row in table3.published_rows()}
    assert rows["Latte"]["faceforensics"].number == "34.00"
    (note,) = rows["PVDM"]["ucf101"].notes
    assert re.search(r"1141\.9 .*arXiv:2401\.03048v1 Table 2", note)
    assert rows["VDT"]["ucf101"].notes == ()
    assert rows["MoCoGAN"]["taichi-hd"].reason
    assert sum(cell.is_empty for cells in rows.values() for cell in cells.values()) == 11
    retrained = {
        (label, cells[key].number)
        for label, cells in rows.items()
        for key in cells
        if table3.RETRAINED_NOTE in cells[key].notes
    }
    assert retrained == {("PVDM", "355.92"), ("PVDM", "540.2")}


def test_the_best_published_method_is_the_papers_in_every_column() -> None:
    sections = fvd_table().layout().sections
    rows = {row.label: row for section in sections for row in section.rows}
    assert [cell.rank for cell in rows["Latte+IMG"].cells] == ["best"] * 4
    second = [
        next(label for label, row in rows.items() if row.cells[place].rank == "second")
        for place in range(4)
    ]
    assert second == ["Latte", "PVDM", "VDT", "LVDM"]
    (section,) = table5.TABLE.with_results([]).layout().sections
    best = {cell.number for row in section.rows for cell in row.cells if cell.rank == "best"}
    assert best == {"73.31", "3.87"}


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_result_by_the_published_protocol_is_ranked_without_a_footnote(
    dataset: str, make_result
) -> None:
    table = fvd_table(make_result(dataset=dataset, value=1.5, interval=(1.0, 2.0)))
    cell = table.rows[-1].cells[dataset]
    assert (cell.value, cell.low, cell.high, cell.mark) == (1.5, 1.0, 2.0, "measured")
    assert (cell.notes, cell.comparable) == ((), True)
    assert "**1.50 ± 0.50** †" in table.markdown()


def test_scores_by_the_papers_networks_are_ranked_without_a_footnote(make_result) -> None:
    score = make_result("is", value=80.0, interval=None)
    distance = make_result("fid", "faceforensics", value=3.0, interval=None)
    row = table5.TABLE.with_results(lines(score, distance)).rows[-1]
    assert row.label == "mine"
    assert all(cell.comparable and not cell.notes for cell in row.cells.values())
    # An Inception Score says nothing of real videos.
    other = for_metric(replace(published_protocol("ucf101"), num_real=5), metric("is"))
    (row,) = table5.TABLE.with_results(lines(make_result("is", by=other))).rows[-1:]
    assert row.cells["inception_score_ucf101"].notes == ()


def test_a_result_by_another_protocol_is_marked_with_every_field_that_differs(
    make_result,
) -> None:
    result = make_result(
        by=replace(STYLEGAN_V, num_real=100, weights="sha256:1234"),
        value=1.5,
        deviations=(
            Deviation(field="num_real", value=100, wanted=2048),
            Deviation(field="frame size", value="128×128", wanted="256×256"),
        ),
    )
    table = fvd_table(result)
    cell = table.rows[-1].cells["ucf101"]
    (note,) = cell.notes
    for phrase in (
        "real_stride 1 instead of 3",
        "num_real 100 instead of 2048",
        "weights sha256:1234 instead of i3d_torchscript.pt",
        "frame size 128×128 instead of 256×256",
    ):
        assert note.count(phrase) == 1
    assert not cell.comparable
    assert "**202.23**" in table.markdown()  # still the best that compares


def test_other_parameters_are_footnotes_and_a_seed_alone_is_ranked(make_result) -> None:
    splits = make_result("is", value=99.0, parameters={"splits": 5, "shuffle_seed": 42})
    row = table5.TABLE.with_results(lines(splits)).rows[-1]
    cell = row.cells["inception_score_ucf101"]
    assert (len(cell.notes), cell.comparable) == (1, False)
    assert "splits 5 instead of 10" in cell.notes[0]
    seeded = fvd_table(make_result(by=replace(published_protocol("ucf101"), seed=7)))
    cell = seeded.rows[-1].cells["ucf101"]
    assert (len(cell.notes), cell.comparable) == (1, True)


def test_each_model_has_one_row_and_says_what_was_not_measured(make_result) -> None:
    table = fvd_table(
        make_result(model="b"),
        make_result(dataset="taichi-hd", model="a"),
        make_result(dataset="skytimelapse", model="b", interval=None),
    )
    rows = [row for row in table.rows if row.section]
    assert [row.label for row in rows] == ["b", "a"]
    assert [cell.is_empty for cell in rows[0].cells.values()] == [True, False, False, True]
    assert rows[0].cells["skytimelapse"].spread is None


def test_other_metrics_networks_and_data_sets_are_counted_and_left_out(make_result) -> None:
    table = fvd_table(
        make_result(metric="FVD-shapes"),
        make_result(metric="FVD-shapes"),
        make_result(network="i3d-videogpt"),
        make_result(dataset=None),
        make_result(dataset="shapes"),
        make_result(),
    )
    assert len([row for row in table.rows if row.section]) == 1
    for fact in (
        "5 results",
        "2 × FVD-shapes",
        "i3d-videogpt instead of i3d",
        "--dataset",
        "no data set shapes",
    ):
        assert fact in table.remarks[-1]
    assert table.remarks[-1].count("1 × ") == 3
    left_out = table5.TABLE.with_results(lines(make_result("is", "faceforensics")))
    assert any("Published figures alone" in remark for remark in left_out.remarks)
    assert "IS on faceforensics" in left_out.remarks[-1]


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({"value": 130.0}, ("123.456", "130")),
        ({"interval": (120.0, 125.0)}, ("both 123.456", "interval")),
        ({"by": STYLEGAN_V}, ("both 123.456", "protocol")),
    ],
)
def test_two_results_for_one_cell_are_refused_by_their_lines(
    changes, facts: tuple[str, ...], tmp_path: Path, make_result, write_results
) -> None:
    other = make_result(dataset="taichi-hd")
    path = write_results(tmp_path / "r.jsonl", make_result(), other, make_result(**changes))
    with pytest.raises(InputError) as error:
        table3.run(tmp_path / "out", TableRequest(results=(path,)))
    for fact in (f"{path}, line 1", f"{path}, line 3", "mine on ucf101", *facts):
        assert fact in str(error.value)
    assert not (tmp_path / "out").exists()


def test_the_same_run_twice_is_one_result_even_from_two_files(
    tmp_path: Path, make_result, write_results
) -> None:
    first = write_results(tmp_path / "a.jsonl", make_result())
    again = make_result(date="2026-02-02T00:00:00+00:00", seconds=1.0)
    second = write_results(tmp_path / "b.jsonl", again)
    table3.run(tmp_path / "out", TableRequest(results=(first, second)))
    frame = pd.read_csv(tmp_path / "out" / "table3.csv")
    assert len(frame[(frame["row"] == "mine") & frame.value.notna()]) == 1


def test_provenance_says_how_each_value_came_about(make_result) -> None:
    (line,) = provenance_lines(fvd_table(make_result()).provenance[-1:])
    for part in (
        published_protocol("ucf101").fingerprint,
        "abababababab",
        "torch 2.13.0",
        "decord 0.6.0",
        "2026-01-02T03:04:05+00:00",
        "12 s",
        "`latte-eval fvd --dataset ucf101`",
    ):
        assert part in line
    host = {"processor": "AMD EPYC 7B13", "device": "cuda:0", "device_name": "NVIDIA H100"}
    assert fvd_table(make_result(host=host)).provenance[-1].host == {"device_name": "NVIDIA H100"}
    del host["device_name"]
    record = fvd_table(make_result(host=host)).provenance[-1]
    assert record.host == {"processor": "AMD EPYC 7B13"}


def test_a_document_says_which_command_measured_what_it_shows() -> None:
    measured = Provenance(command="latte-bench table3 --scale tiny", date="2026-01-02")
    below = Table(
        title="t",
        columns=(Column(key="x", title="x"),),
        rows=(Row(label="a", cells={"x": Cell(value=1.0)}),),
        provenance=(measured,),
    )
    shown = document(table5.TABLE, [], Measurements(tables=(below,)))
    records = provenance_block(of_this_run(shown, time.monotonic()).tables).records
    assert [record.command for record in records if record.role == "measurements"] == [
        None,  # the published figures
        "latte-bench table3 --scale tiny",
    ]
    assert [record.role for record in records].count("document") == 1


def test_names_cannot_break_the_syntax_of_a_document(make_result) -> None:
    table = fvd_table(make_result(model="a|b & <i>\\ $x_1$"))
    rows = [line for line in table.markdown().splitlines() if line.startswith("|")]
    assert rows[-1].startswith("| a\\|b & &lt;i>\\\\ \\$x_1\\$ ")
    assert r"a\textbar{}b \& \textless{}i\textgreater{}\textbackslash{} \$x\_1\$" in table.latex()
