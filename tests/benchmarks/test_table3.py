import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks.table3_fvd import DATASETS, fvd_table, published_rows, read_measured, run
from evaluation.presets import STYLEGAN_V, published_protocol
from latte.data.errors import InputError


def record(dataset: str | None = "ucf101", **changes: Any) -> dict[str, Any]:
    """A result that was made as the published column's were."""
    protocol = published_protocol(dataset)
    return {
        "metric": "FVD",
        "value": 123.456,
        "interval": [118.0, 129.2],
        "level": 0.95,
        "num_real": protocol.num_real,
        "num_fake": protocol.num_fake,
        "num_frames": 16,
        "network": "i3d",
        "weights_sha256": "ab" * 32,
        "weights_published": True,
        "fingerprint": protocol.fingerprint,
        "protocol": protocol.name,
        "protocol_fields": asdict(protocol),
        "deviations": [],
        "dataset": dataset,
        "model": "mine",
        "seconds": 12.3,
        "date": "2026-01-02T03:04:05+00:00",
        "command": "latte-eval fvd --dataset ucf101",
        "versions": {"latte-eval": "0.1.0", "torch": "2.13.0", "decoder": "decord 0.6.0"},
        "host": {"device": "cpu"},
    } | changes


def write(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in records), encoding="utf-8")
    return path


def measured_table(path: Path, *records: dict[str, Any]):
    return fvd_table(read_measured(write(path / "results.jsonl", *records)))


def test_without_results_the_table_is_the_papers_and_says_so(tmp_path: Path) -> None:
    run([], tmp_path)
    text = (tmp_path / "table3.md").read_text(encoding="utf-8")
    assert "Published figures alone" in text
    assert "†" not in text
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "table3.csv",
        "table3.md",
        "table3.report.json",
        "table3.tex",
    ]


def test_the_section_says_who_is_best_and_folds_protocol_differences_away(
    tmp_path: Path, section
) -> None:
    protocol = replace(STYLEGAN_V, num_real=100)
    other = record("taichi-hd", model="other", protocol_fields=asdict(protocol))
    run([write(tmp_path / "results.jsonl", record(), other)], tmp_path)
    report = section(tmp_path, "table3")
    assert report.title == "Table 3: FVD"
    assert report.lead == (
        "Best of the published figures: Latte+IMG (FaceForensics, SkyTimelapse, UCF101, "
        "Taichi-HD). Measured here: mine, UCF101 123.5; other, Taichi-HD 123.5."
    )
    table, differences, made = report.blocks
    (note,) = table.table.rows[-1].cells["taichi-hd"].notes
    assert note.endswith(f"see “{differences.summary}”.")
    (row,) = differences.blocks[0].table.rows
    assert row.label == "other, Taichi-HD"
    assert "num_real 100 instead of 2048" in str(row.cells["fields"].text)
    lines = "\n".join(made.lines)
    for part in ("mine on ucf101: protocol latte", "command: ", "host: ", " s in all"):
        assert part in lines
    # The table that is pasted elsewhere names the fields itself.
    assert "num_real 100 instead of 2048" in (tmp_path / "table3.md").read_text(encoding="utf-8")


def test_rows_and_columns_are_in_the_papers_order() -> None:
    assert [row.label for row in published_rows()] == [
        "MoCoGAN", "VideoGPT", "MoCoGAN-HD", "DIGAN", "StyleGAN-V", "PVDM", "MoStGAN-V", "LVDM",
        "VDT", "W.A.L.T", "Latte", "Latte+IMG",
    ]  # fmt: skip
    assert [column.title for column in fvd_table([]).columns] == [
        "FaceForensics", "SkyTimelapse", "UCF101", "Taichi-HD",
    ]  # fmt: skip


def test_published_cells_say_what_the_paper_says() -> None:
    rows = {row.label: row.cells for row in published_rows()}
    assert rows["Latte"]["faceforensics"].number == "34.00"
    assert rows["PVDM"]["ucf101"].notes == (
        "1141.9 in the paper's first version (arXiv:2401.03048v1 Table 2).",
    )
    assert rows["VDT"]["ucf101"].notes == ()
    assert rows["MoCoGAN"]["taichi-hd"].reason == "Not reported in the paper."
    assert sum(cell.is_empty for cells in rows.values() for cell in cells.values()) == 11


def test_the_best_published_method_is_the_papers_in_every_column() -> None:
    layout = fvd_table([]).layout()
    lines = {line.label: line for section in layout.sections for line in section.lines}
    assert [cell.rank for cell in lines["Latte+IMG"].cells] == ["best"] * 4
    second = {
        key: next(label for label, line in lines.items() if line.cells[i].rank == "second")
        for i, key in enumerate(DATASETS)
    }
    assert second == {
        "faceforensics": "Latte",
        "skytimelapse": "PVDM",
        "ucf101": "VDT",
        "taichi-hd": "LVDM",
    }


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_result_by_the_published_protocol_is_ranked_without_a_footnote(
    tmp_path: Path, dataset: str
) -> None:
    table = measured_table(tmp_path, record(dataset, value=1.5, interval=[1.0, 2.0]))
    cell = table.rows[-1].cells[dataset]
    assert (cell.value, cell.low, cell.high, cell.mark) == (1.5, 1.0, 2.0, "measured")
    assert cell.notes == ()
    assert cell.comparable
    assert "**1.50 ± 0.50** †" in table.markdown()


def test_a_result_by_another_protocol_is_marked_with_every_field_that_differs(
    tmp_path: Path,
) -> None:
    protocol = replace(STYLEGAN_V, num_real=100, weights="sha256:1234")
    table = measured_table(
        tmp_path,
        record(
            value=1.5,
            protocol="stylegan-v",
            protocol_fields=asdict(protocol),
            deviations=[
                "num_real 100 instead of 2048",
                "frames of fake 128×128 instead of 256×256",
            ],
        ),
    )
    cell = table.rows[-1].cells["ucf101"]
    (note,) = cell.notes
    for phrase in (
        "real_stride 1 instead of 3",
        "num_real 100 instead of 2048",
        "weights sha256:1234 instead of i3d_torchscript.pt",
        "frames of fake 128×128 instead of 256×256",
    ):
        assert note.count(phrase) == 1
    assert "name" not in note
    assert not cell.comparable
    assert "**202.23**" in table.markdown()  # still the best that compares


def test_each_model_has_one_row_and_says_what_was_not_measured(tmp_path: Path) -> None:
    table = measured_table(
        tmp_path,
        record("ucf101", model="b"),
        record("taichi-hd", model="a"),
        record("skytimelapse", model="b"),
    )
    rows = [row for row in table.rows if row.section]
    assert [row.label for row in rows] == ["b", "a"]
    assert [cell.reason for cell in rows[0].cells.values()] == [
        "Not measured.", None, None, "Not measured.",
    ]  # fmt: skip


def test_other_metrics_networks_and_data_sets_are_counted_and_left_out(tmp_path: Path) -> None:
    table = measured_table(
        tmp_path,
        record(metric="FVD-shapes"),
        record(metric="FVD-shapes"),
        record(network="i3d-videogpt"),
        record(dataset=None),
        record(dataset="shapes"),
        record(),
    )
    assert len([row for row in table.rows if row.section]) == 1
    assert table.remarks[-1] == (
        "Left out: 5 results (2 × FVD-shapes is another metric; 1 × FVD by the network "
        "i3d-videogpt instead of i3d; 1 × its data set is not named: measure with --dataset; "
        "1 × the paper has no data set shapes)."
    )


def test_results_that_are_all_left_out_leave_the_published_table(tmp_path: Path) -> None:
    table = measured_table(tmp_path, record(metric="FVD-shapes"))
    assert any("Published figures alone" in remark for remark in table.remarks)
    assert table.remarks[-1].startswith("Left out: 1 result (")


def test_two_results_for_one_cell_are_refused_by_their_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "results.jsonl", record(), record("taichi-hd"), record(value=130.0))
    with pytest.raises(InputError) as error:
        run([path], tmp_path / "out")
    message = str(error.value)
    assert f"{path}, line 1 and {path}, line 3: two results for mine on ucf101" in message
    assert "123.456 and 130" in message
    assert not (tmp_path / "out").exists()


def test_equal_values_by_different_protocols_are_two_results(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two results for mine on ucf101"):
        measured_table(tmp_path, record(), record(fingerprint="0" * 16))


def test_the_same_run_twice_is_one_result_even_from_two_files(tmp_path: Path) -> None:
    first = write(tmp_path / "a.jsonl", record())
    second = write(tmp_path / "b.jsonl", record(date="2026-02-02T00:00:00+00:00", seconds=1.0))
    run([first, second], tmp_path / "out")
    frame = pd.read_csv(tmp_path / "out" / "table3.csv")
    assert len(frame[(frame["row"] == "mine") & frame.value.notna()]) == 1


def test_a_broken_line_is_named_and_nothing_is_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run([], out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    path = write(tmp_path / "results.jsonl", record())
    path.write_text(path.read_text(encoding="utf-8") + "\n{not json\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"results\.jsonl, line 3: not JSON"):
        run([path], out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_blank_lines_do_not_shift_the_line_numbers(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    lines = [json.dumps(record()), "", json.dumps(record(value=2.0))]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert [item.where for item in read_measured(path)] == [f"{path}, line 1", f"{path}, line 3"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": math.nan}, "line 1: value NaN"),
        ({"value": "12"}, 'line 1: value "12"'),
        ({"interval": [1.0]}, "line 1: value"),
        ({"interval": [2.0, 1.0]}, "line 1: value"),
        ({"interval": {"low": 1}}, "line 1: value"),
        ({"protocol_fields": None}, "no usable protocol_fields"),
        ({"model": None}, "no usable model"),
    ],
)
def test_a_result_without_sound_numbers_or_protocol_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = write(tmp_path / "results.jsonl", record(**changes))
    with pytest.raises(InputError) as error:
        run([path], tmp_path / "out")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_result_without_interval_stands_alone(tmp_path: Path) -> None:
    table = measured_table(tmp_path, record(interval=None))
    assert table.rows[-1].cells["ucf101"].half_width is None


def test_provenance_says_how_each_value_came_about(tmp_path: Path) -> None:
    line = measured_table(tmp_path, record()).provenance[-1]
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
    bare = record(versions={}, host={}, command="", date="", seconds=None)
    assert "; ;" not in measured_table(tmp_path, bare).provenance[-1]


def test_a_models_name_cannot_break_the_table(tmp_path: Path) -> None:
    table = measured_table(tmp_path, record(model="a|b & <i>\\ $x_1$"))
    lines = [line for line in table.markdown().splitlines() if line.startswith("|")]
    assert lines[-1].startswith("| a\\|b & &lt;i>\\\\ \\$x_1\\$ ")
    assert r"a\textbar{}b \& \textless{}i\textgreater{}\textbackslash{} \$x\_1\$" in table.latex()
