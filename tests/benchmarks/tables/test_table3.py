import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks.shapes.measuring import ShapesMeasurer
from benchmarks.shapes.stand_ins import HELD_OUT, real_videos
from benchmarks.tables.measured_results import check_record
from benchmarks.tables.run import TableRequest
from benchmarks.tables.table3 import DATASETS, fvd_table, published_rows, read_measured, run
from evaluation.features.extraction import ExtractionOptions
from evaluation.protocol.content import fingerprint_of
from evaluation.protocol.fields import Protocol
from evaluation.protocol.presets import SHAPES, STYLEGAN_V, published_protocol
from evaluation.results.record import SetRecord
from evaluation.statistics.file import Side
from latte.data.errors import InputError
from reports.render.provenance import provenance_lines


def record(
    dataset: str | None = "ucf101", *, by: Protocol | None = None, **changes: Any
) -> dict[str, Any]:
    """A result that was made as the published column's were, or by another protocol."""
    protocol = by or published_protocol(dataset)
    value = changes.get("value", 123.456)
    return {
        "metric": "FVD",
        "value": value,
        "interval": [value - 5, value + 6] if isinstance(value, int | float) else None,
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


PRINT = "line 1: its fingerprint "


def write(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in records), encoding="utf-8")
    return path


def measured_table(path: Path, *records: dict[str, Any]):
    return fvd_table(read_measured(write(path / "results.jsonl", *records)))


def test_without_results_the_table_is_the_papers_and_says_so(tmp_path: Path) -> None:
    run(tmp_path, TableRequest())
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
    other = record("taichi-hd", by=replace(STYLEGAN_V, num_real=100), model="other")
    run(tmp_path, TableRequest(results=(write(tmp_path / "results.jsonl", record(), other),)))
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
    lines = "\n".join(provenance_lines(made.records))
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
    lines = {row.label: row for section in layout.sections for row in section.rows}
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
            by=protocol,
            value=1.5,
            deviations=[
                {"field": "num_real", "value": 100, "wanted": 2048},
                {"field": "frame size", "value": "128×128", "wanted": "256×256"},
            ],
        ),
    )
    cell = table.rows[-1].cells["ucf101"]
    (note,) = cell.notes
    for phrase in (
        "real_stride 1 instead of 3",
        "num_real 100 instead of 2048",
        "weights sha256:1234 instead of i3d_torchscript.pt",
        "frame size 128×128 instead of 256×256",
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
        run(tmp_path / "out", TableRequest(results=(path,)))
    message = str(error.value)
    assert f"{path}, line 1 and {path}, line 3: two results for mine on ucf101" in message
    assert "123.456 and 130" in message
    assert not (tmp_path / "out").exists()


def test_equal_values_by_different_protocols_are_two_results(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two results for mine on ucf101"):
        measured_table(tmp_path, record(), record(by=STYLEGAN_V))


def test_equal_values_with_other_intervals_are_two_results(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mine on ucf101 \(both 123.456, each with its own inter"):
        measured_table(tmp_path, record(), record(interval=[120.0, 125.0]))


def test_the_same_run_twice_is_one_result_even_from_two_files(tmp_path: Path) -> None:
    first = write(tmp_path / "a.jsonl", record())
    second = write(tmp_path / "b.jsonl", record(date="2026-02-02T00:00:00+00:00", seconds=1.0))
    run(tmp_path / "out", TableRequest(results=(first, second)))
    frame = pd.read_csv(tmp_path / "out" / "table3.csv")
    assert len(frame[(frame["row"] == "mine") & frame.value.notna()]) == 1


def test_a_broken_line_is_named_and_nothing_is_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(out, TableRequest())
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    path = write(tmp_path / "results.jsonl", record())
    path.write_text(path.read_text(encoding="utf-8") + "\n{not json\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"results\.jsonl, line 3: not valid JSON"):
        run(out, TableRequest(results=(path,)))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_blank_lines_do_not_shift_the_line_numbers(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    lines = [json.dumps(record()), "", json.dumps(record(value=2.0))]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert [item.where for item in read_measured(path)] == [f"{path}, line 1", f"{path}, line 3"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": math.nan, "interval": None}, "line 1: value NaN"),
        ({"value": "12"}, 'line 1: value "12"'),
        ({"value": True, "interval": None}, "line 1: value true is not a finite number"),
        ({"value": -5.0}, "line 1: value -5.0 with interval [-10.0, 1.0] is below 0, where FVD"),
        ({"value": 500, "interval": [290, 310]}, "value 500 with interval [290, 310] lies outside"),
        ({"interval": [True, 310]}, "line 1: value"),
        ({"interval": [1.0, math.inf]}, "line 1: value"),
        ({"value": [[[]]] * 500}, "line 1: value [[[]], "),
        ({"interval": [1.0]}, "line 1: value"),
        ({"interval": [2.0, 1.0]}, "line 1: value"),
        ({"interval": {"low": 1}}, "line 1: value"),
        ({"protocol_fields": None}, "no usable protocol_fields"),
        ({"model": None}, "no usable model"),
        ({"num_real": "8"}, "no usable num_real"),
        ({"num_fake": True}, "no usable num_fake"),
        ({"network": 3}, "no usable network"),
        ({"deviations": [3]}, "no usable deviations"),
        ({"parameters": {"k": [1]}}, "no usable parameters"),
        ({"host": "x"}, "no usable host"),
        ({"host": {"device": ["cpu"]}}, "no usable host"),
        ({"versions": ["torch"]}, "no usable versions"),
        ({"seconds": "x"}, "no usable seconds"),
        ({"date": 2026}, "no usable date"),
        ({"command": ["latte-eval"]}, "no usable command"),
        ({"real": "videos"}, "no usable real"),
        ({"host": "x", "seconds": "x"}, "no usable seconds, host"),
        ({"protocol": 3}, "its protocol is unknown here: name = 3: it is a text"),
        ({"protocol_fields": {}}, "its protocol is unknown here: it lacks split, num_real, "),
        ({"by": STYLEGAN_V, "protocol_fields": asdict(published_protocol("ucf101"))}, PRINT),
        ({"protocol_fields": asdict(STYLEGAN_V)}, PRINT),
        ({"fingerprint": "0" * 16}, PRINT),
        ({"parameters": {"k": 3}}, PRINT),
        (
            {"protocol_fields": asdict(STYLEGAN_V) | {"real_stride": 0}},
            "its protocol is unknown here: real_stride = 0: it has to be at least 1",
        ),
        (
            {"protocol_fields": asdict(STYLEGAN_V) | {"strides": 3}},
            'its protocol is unknown here: a protocol has no field "strides" (did you mean ',
        ),
    ],
)
def test_a_result_without_sound_numbers_or_protocol_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = write(tmp_path / "results.jsonl", record(**changes))
    with pytest.raises(InputError) as error:
        run(tmp_path / "out", TableRequest(results=(path,)))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[" * 100_000, "line 1: not valid JSON"),
        (json.dumps(record()).replace("123.456", "1" + 400 * "0"), "line 1: "),
        (json.dumps(record()).replace("123.456", "1" + 9999 * "0"), "not valid JSON"),
        (json.dumps(record(metric=["FVD"])), "not a result of latte-eval"),
    ],
)
def test_a_line_that_no_program_can_hold_is_one_sentence(
    tmp_path: Path, line: str, message: str
) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(InputError) as error:
        run(tmp_path / "out", TableRequest(results=(path,)))
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_a_file_without_results_says_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"results\.jsonl: holds no results"):
        run(tmp_path / "out", TableRequest(results=(path,)))


def test_a_protocol_of_the_users_own_is_taken_by_its_fields(tmp_path: Path) -> None:
    mine = replace(published_protocol("ucf101"), name="of my own", description="d", seed=7)
    table = measured_table(tmp_path, record(by=mine))
    cell = table.rows[-1].cells["ucf101"]
    assert cell.notes == ("Protocol differs from the published column's: seed 7 instead of 0.",)
    assert table.provenance[-1].details["protocol"].startswith("of my own ")


def test_what_is_measured_here_can_be_read_by_its_fingerprint(tmp_path: Path) -> None:
    store, protocol = tmp_path / "store", replace(SHAPES, num_real=20, num_fake=20, real_stride=1)
    options = ExtractionOptions(store=store, workers=0)
    measurer = ShapesMeasurer(real_videos(0, 20), protocol, options, resamples=40)
    results = measurer.results(HELD_OUT, measurer.extract(real_videos(20, 20)))
    lines = [json.loads(result.to_json()) for result in results]
    # Under the names of the metrics on the published networks, which are looked at closely.
    lines = [each | {"metric": each["metric"].removesuffix("-shapes")} for each in lines]
    assert {each["metric"] for each in lines} == {"FVD", "FID", "IS"}
    for each in lines:
        check_record("line", each)
        changed = each | {"protocol_fields": each["protocol_fields"] | {"seed": 1}}
        with pytest.raises(InputError, match="its fingerprint"):
            check_record("line", changed)


@pytest.mark.parametrize("sides", [("real",), ("fake",), ("real", "fake")])
def test_statistics_of_other_making_are_part_of_the_fingerprint(sides: tuple[Side, ...]) -> None:
    protocol = published_protocol("ucf101")
    of = {
        side: SetRecord(
            path=side, digest=side, num_listed=None, num_clips=None, height=0, width=0,
            storage="statistics",
        )
        for side in sides
    }  # fmt: skip
    made = record(
        fingerprint=fingerprint_of(protocol.moving_fields(), given=sides),
        **{side: asdict(of[side]) for side in sides},
    )
    check_record("line", made)
    assert made["fingerprint"] != record()["fingerprint"]
    with pytest.raises(InputError, match="its fingerprint"):
        check_record("line", made | {side: asdict(of[side]) | {"digest": "x"} for side in sides})


def test_a_result_without_interval_stands_alone(tmp_path: Path) -> None:
    table = measured_table(tmp_path, record(interval=None))
    assert table.rows[-1].cells["ucf101"].spread is None


def test_provenance_says_how_each_value_came_about(tmp_path: Path) -> None:
    (line,) = provenance_lines(measured_table(tmp_path, record()).provenance[-1:])
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
    made_on = {"processor": "AMD EPYC 7B13", "device": "cuda:0", "device_name": "NVIDIA H100"}
    made = measured_table(tmp_path, record(host=made_on)).provenance[-1]
    assert made.host == {"device_name": "NVIDIA H100"}
    del made_on["device_name"]
    made = measured_table(tmp_path, record(host=made_on)).provenance[-1]
    assert made.host == {"processor": "AMD EPYC 7B13"}
    bare = record(versions={}, host={}, command="", date="", seconds=None)
    assert "; ;" not in provenance_lines(measured_table(tmp_path, bare).provenance)[-1]


def test_a_models_name_cannot_break_the_table(tmp_path: Path) -> None:
    table = measured_table(tmp_path, record(model="a|b & <i>\\ $x_1$"))
    lines = [line for line in table.markdown().splitlines() if line.startswith("|")]
    assert lines[-1].startswith("| a\\|b & &lt;i>\\\\ \\$x_1\\$ ")
    assert r"a\textbar{}b \& \textless{}i\textgreater{}\textbackslash{} \$x\_1\$" in table.latex()
