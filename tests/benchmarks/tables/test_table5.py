"""Table 5: IS and FID of the paper, and results of `latte-eval` below them."""

import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.documents.tables import of_this_run, provenance_of
from benchmarks.tables.run import Made, TableRequest, document
from benchmarks.tables.table5 import TABLE, is_fid_table, published_rows, read_measured, run
from evaluation.catalogue.networks import for_metric
from evaluation.catalogue.registry import metric
from evaluation.measuring.results import affecting_fields
from evaluation.protocol.content import fingerprint_of
from evaluation.protocol.fields import Protocol
from evaluation.protocol.presets import STYLEGAN_V, published_protocol
from latte.data.errors import InputError
from reports.provenance import Provenance
from reports.render.provenance import provenance_lines
from reports.table import Cell, Column, Row, Table


def as_published(name: str) -> tuple[str, Protocol]:
    dataset = {"is": "ucf101", "fid": "faceforensics"}[name]
    return dataset, for_metric(published_protocol(dataset), metric(name))


def record(name: str, *, by: Protocol | None = None, **changes: Any) -> dict[str, Any]:
    """A result made as the published column's are taken to be, or by another protocol."""
    dataset, protocol = as_published(name)
    protocol, chosen = by or protocol, metric(name)
    value, parameters = changes.get("value", 60.0), changes.get("parameters", chosen.parameters)
    return {
        "metric": name.upper(),
        "value": value,
        "interval": [value - 2, value + 2] if isinstance(value, float) else None,
        "num_real": 0 if name == "is" else protocol.num_real,
        "num_fake": protocol.num_fake,
        "network": protocol.network,
        "fingerprint": fingerprint_of(affecting_fields(protocol, chosen), name, parameters),
        "protocol": protocol.name,
        "protocol_fields": asdict(protocol),
        "parameters": dict(parameters),
        "deviations": [],
        "dataset": dataset,
        "model": "mine",
    } | changes


def measured_table(folder: Path, *records: dict[str, Any]):
    path = folder / "results.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")
    return is_fid_table(read_measured(path))


def test_the_papers_best_are_those_that_its_text_names() -> None:
    (section,) = is_fid_table([]).layout().sections
    best = {cell.number for row in section.rows for cell in row.cells if cell.rank == "best"}
    assert best == {"73.31", "3.87"}
    assert [row.label for row in published_rows()][-2:] == ["Latte", "Latte+IMG"]


def test_results_by_the_papers_networks_are_ranked_without_a_footnote(tmp_path: Path) -> None:
    table = measured_table(tmp_path, record("is", value=80.0, interval=None), record("fid"))
    row = table.rows[-1]
    assert row.label == "mine"
    assert all(cell.comparable and not cell.notes for cell in row.cells.values())
    assert "**80.00** †" in table.markdown()
    assert "60.00 ± 2.00 †" in table.markdown()


def test_an_inception_score_knows_nothing_of_real_videos(tmp_path: Path) -> None:
    protocol = replace(as_published("is")[1], num_real=5, real_stride=9)
    cell = measured_table(tmp_path, record("is", by=protocol)).rows[-1]
    assert cell.cells["inception_score_ucf101"].notes == ()


def test_other_splits_and_protocols_are_footnotes_and_not_ranked(tmp_path: Path) -> None:
    by_stylegan_v = for_metric(STYLEGAN_V, metric("fid"))
    row = measured_table(
        tmp_path,
        record("is", value=99.0, parameters={"splits": 5, "shuffle_seed": 42}),
        record("fid", value=0.1, by=by_stylegan_v),
    ).rows[-1]
    scored, distance = row.cells.values()
    assert scored.notes == (
        "Protocol differs from the published column's: splits 5 instead of 10.",
    )
    assert "real_stride 1 instead of 3" in distance.notes[0]
    assert not scored.comparable
    assert not distance.comparable


def test_what_belongs_elsewhere_is_counted_and_left_out(tmp_path: Path) -> None:
    table = measured_table(
        tmp_path,
        record("fid", metric="FVD"),
        record("is", dataset=None),
        record("is", dataset="faceforensics"),
        record("fid", dataset="shapes"),
        record("fid", network="shapes-frame"),
    )
    assert table.remarks[-1] == (
        "Left out: 5 results (1 × FVD is another metric; 1 × its data set is not named: measure "
        "with --dataset; 1 × the paper has no IS on faceforensics; 1 × the paper has no data set "
        "shapes; 1 × FID by the network shapes-frame instead of inception)."
    )


def measured_by(command: str) -> Table:
    """A table of what another command left."""
    return Table(
        title="t",
        columns=(Column(key="x", title="x"),),
        rows=(Row(label="a", cells={"x": Cell(value=1.0)}),),
        provenance=(
            Provenance(command=command, commit="0123456789ab", date="2026-01-02", seconds=80.4),
        ),
    )


def test_a_document_says_which_command_measured_what_it_shows() -> None:
    below = measured_by("latte-bench table3 --scale tiny")
    made = of_this_run(document(TABLE, [], Made(tables=(below,))), time.monotonic())
    lines = list(provenance_lines(provenance_of(made.tables).records))
    own = next(line for line in lines if line.startswith("command: "))
    assert own.endswith("` (this document)")
    assert [line for line in lines if "latte-bench table3" in line] == [
        "measured by: `latte-bench table3 --scale tiny`"
    ]
    own_date, measured = (line for line in lines if line.startswith("date: "))
    assert own_date.endswith(" in all (this document)")
    assert measured == "date: 2026-01-02; 80 s in all (the measurements)"
    assert "commit: 0123456789ab" in lines


def test_a_document_of_its_own_numbers_has_one_command_and_date() -> None:
    made = of_this_run(document(TABLE, [], Made()), time.monotonic())
    lines = "\n".join(provenance_lines(provenance_of(made.tables).records))
    assert lines.count("command: ") == lines.count("date: ") == 1
    assert "this document" not in lines


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["{"], "line 1: not JSON"),
        ([record("is"), record("is", value=1.0)], "line 2: two results for mine on ucf101"),
        ([record("fid", protocol_fields={"strides": 3})], "its protocol is unknown here: a "),
        ([record("fid", protocol_fields=None)], "no usable protocol_fields"),
        ([record("is", value="60")], 'line 1: value "60"'),
        ([record("is", value=0.5)], "line 1: value 0.5 with interval [-1.5, 2.5] is below 1, wh"),
        ([record("fid", value=-0.5)], "is below 0, where FID ends"),
        ([record("is") | {"parameters": {"splits": 5}}], "line 1: its fingerprint "),
        ([record("is") | {"parameters": None}], "line 1: its fingerprint "),
    ],
)
def test_bad_results_are_one_sentence_and_overwrite_nothing(
    tmp_path: Path, lines: list[Any], message: str
) -> None:
    out = tmp_path / "out"
    run(out, TableRequest())
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    path = tmp_path / "results.jsonl"
    text = "\n".join(each if isinstance(each, str) else json.dumps(each) for each in lines)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        run(out, TableRequest(results=(path,)))
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
