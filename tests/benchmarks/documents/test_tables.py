"""The documents of Tables 1 to 5 against reviewed snapshots, and whether their LaTeX is sound."""

import csv
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.cells.cache import CellRecord, MeasuredCells
from benchmarks.cells.provenance import source_commit
from benchmarks.documents.tables import leaders
from benchmarks.shapes.dimensions import STAND_INS
from benchmarks.shapes.distortions import DISTORTED, HELD_OUT
from benchmarks.shapes.generated import BUNDLED, NO_MODEL
from benchmarks.shapes.measuring import FID, FVD, IS
from benchmarks.shapes.methods import MeasuredMethods
from benchmarks.shapes.tables import (
    below_above_alike,
    dimensions_table,
    methods_table,
    standing,
    standings_by_metric,
)
from benchmarks.studies.sensitivity.measure import STRENGTHS
from benchmarks.studies.sensitivity.report import findings, noticed_table, summary_table
from benchmarks.tables import table3, table5
from benchmarks.tables.table1 import variants_table
from benchmarks.tables.table2 import sizes_table
from benchmarks.tables.table4 import paper_halves, vbench_table
from benchmarks.tables.vbench import DIMENSIONS, Score, VBenchModel
from reports.cells import Cell, Column, Row
from reports.table import Table, write_tables

SNAPSHOTS = Path(__file__).parents[1] / "snapshots"
RESULTS = Path(__file__).parents[3] / "docs" / "results"


def cell(label: str, seed: int, **values: float) -> CellRecord:
    """A method measured once; each interval is ± 1, that of a share ± 0.0125."""
    halves = {metric: 1 if metric in (FVD, FID, IS) else 0.0125 for metric in values}
    details = {
        metric: {
            "value": value,
            "interval": [value - halves[metric], value + halves[metric]],
            "fingerprint": "f00d",
        }
        for metric, value in values.items()
    }
    return CellRecord(
        key=f"{label} {seed}",
        name=f"{label}, seed {seed}",
        value=next(iter(values.values())),
        details=details,
        seconds=2.5,
        provenance={
            "command": "latte-bench table3 --scale tiny",
            "date": "2026-01-02T03:04:05+00:00",
            "versions": {"latte-eval": "0.1.0"},
            "host": {"device": "cpu"},
        },
    )


def on_shapes(seeds: int = 1) -> MeasuredMethods:
    """As if a model, held-out videos and two stand-ins had been measured, and one had failed."""
    values = {
        BUNDLED: (4.0, 8.0, 7.5),
        HELD_OUT: (1.0, 0.5, 9.0),
        "blur, σ 1 px": (9.0, 20.0, 8.5),
        "frozen first frame": (30.0, 0.75, 7.0),
    }
    cells = {
        label: [
            cell(label, seed, **{FVD: fvd + seed, FID: fid + seed, IS: score + seed}, **shares(fid))
            for seed in range(seeds)
        ]
        for label, (fvd, fid, score) in values.items()
    }
    cells["half speed"] = []
    cells["real videos"] = [
        cell("real videos", seed, **{IS: 9.5}, **shares(10.0)) for seed in range(seeds)
    ]
    return MeasuredMethods(
        num_videos=256,
        cells=cells,
        reasons={"half speed": "Failed: the disk is full"},
        model=BUNDLED,
        sampled="shapes.safetensors, sampled by DDIM, 20 steps",
        finished=MeasuredCells(cells={}, failed=()),
    )


def shares(value: float) -> dict[str, float]:
    """Scores of VBench's formulas; higher for a higher value."""
    return {f"{name}-shapes": value / (50 + place) for place, name in enumerate(STAND_INS)}


def vbench_model() -> VBenchModel:
    """All of the paper's Latte but one dimension; one of fewer videos than VBench asks for."""
    scores = {
        key: Score(
            where="a_eval_results.json",
            percent=50.0 + index,
            interval=(49.0 + index, 51.0 + index) if index % 2 else None,
            num_videos=5 * each.prompts - (key == "scene"),
        )
        for index, (key, each) in enumerate(DIMENSIONS.items())
        if key != "color"
    }
    return VBenchModel(name="my model", scores=scores)


def table4() -> list[Table]:
    headings = {key: each.heading for key, each in DIMENSIONS.items()}
    below = dimensions_table(on_shapes(), headings, "tiny")
    return [*paper_halves(vbench_table([vbench_model()])), below]


DOCUMENTS: dict[str, Callable[[], Sequence[Table]]] = {
    "table1": lambda: [variants_table()],
    "table2": lambda: [sizes_table()],
    "table3": lambda: [table3.TABLE.with_results([]), methods_table(on_shapes(), [FVD], "tiny")],
    "table4": table4,
    "table5": lambda: [
        table5.TABLE.with_results([]),
        methods_table(on_shapes(3), [IS, FID], "small"),
    ],
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_data_and_structure_are_as_reviewed(name: str, tmp_path: Path) -> None:
    """Rows, columns, values, intervals, marks and which cells have notes; sentences may change."""
    write_tables(DOCUMENTS[name](), tmp_path, name)
    data, reviewed = (
        pd.read_csv(folder / f"{name}.csv", dtype=str).assign(
            notes=lambda frame: frame.notes.notna(), reason=lambda frame: frame.reason.notna()
        )
        for folder in (tmp_path, SNAPSHOTS)
    )
    pd.testing.assert_frame_equal(data, reviewed)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_latex_is_balanced_and_every_row_of_a_table_has_as_many_cells(name: str) -> None:
    for table in DOCUMENTS[name]():
        latex = table.latex()
        code = "\n".join(line for line in latex.splitlines() if not line.startswith("%"))
        depth = 0
        for brace in re.findall(r"(?<!\\)[{}]", code):
            depth += 1 if brace == "{" else -1
            assert depth >= 0
        assert depth == 0
        rows = [
            line for line in code.splitlines() if line.endswith(r"\\") and "multicolumn" not in line
        ]
        assert len(rows) == 1 + len(table.rows)
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(table.columns)}
        begun, ended = (re.findall(rf"\\{word}{{(\w+)}}", code) for word in ("begin", "end"))
        assert sorted(begun) == sorted(ended) == ["minipage", "table", "tabular"] or (
            sorted(begun) == sorted(ended) == ["table", "tabular"]
        )


def cell_of(record: dict[str, str]) -> Cell:
    """A cell from its line of a CSV."""
    if not record["value"]:
        return Cell(reason=record["reason"] or "Not measured.")
    ends = {key: float(record[key]) for key in ("low", "high") if record[key]}
    notes = tuple(filter(None, record["notes"].split("; ")))
    try:
        value = float(record["value"])
    except ValueError:
        return Cell(text=record["value"], notes=notes)
    is_printed = record["mark"] == "published" or record["value"].startswith(("+", "-"))
    if is_printed:
        return Cell.printed(record["value"], mark=record["mark"], notes=notes, **ends)
    return Cell(value=value, mark=record["mark"], notes=notes, **ends)


def tables_of_the_documents() -> list[Table]:
    """Tables with the numbers of `docs/results`: long ones, wide ones, and some of sentences."""
    tables = []
    for path in sorted(RESULTS.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            records = list(csv.DictReader(file))
        if "section" not in records[0]:
            continue
        keys = list(dict.fromkeys(record["column"] for record in records))
        rows: dict[tuple[str, str], dict[str, Cell]] = {}
        for record in records:
            cells = rows.setdefault(
                (record["section"], record["row"]), dict.fromkeys(keys, Cell(reason="None."))
            )
            cells[record["column"]] = cell_of(record)
        tables.append(
            Table(
                title=path.stem,
                columns=tuple(Column(key=key, title=key, direction="lower") for key in keys),
                rows=tuple(
                    Row(label=label, section=section, cells=cells)
                    for (section, label), cells in rows.items()
                ),
            )
        )
    found = findings(pd.read_csv(RESULTS / "sensitivity.csv"))
    return [*tables, noticed_table(found, STRENGTHS, {}, 8), summary_table(found)]


@pytest.mark.skipif(
    not (shutil.which("tectonic") or shutil.which("pdflatex")), reason="no LaTeX is installed"
)
def test_latex_compiles_and_every_table_fits_on_a_page(tmp_path: Path) -> None:
    tables = [*(table for make in DOCUMENTS.values() for table in make())]
    tables += tables_of_the_documents()
    assert max(len(table.rows) for table in tables) > 30
    text = "\\clearpage\n".join(table.latex() for table in tables)
    document = (
        "\\documentclass{article}\n\\usepackage[T1]{fontenc}\n\\usepackage{booktabs,graphicx,array}\n"
        f"\\begin{{document}}\n{text}\\end{{document}}\n"
    )
    (tmp_path / "all.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode"]
    if shutil.which("tectonic"):
        command = ["tectonic", "--keep-logs"]
    subprocess.run([*command, "all.tex"], cwd=tmp_path, check=True, capture_output=True)
    log = (tmp_path / "all.log").read_text(encoding="utf-8", errors="replace")
    assert not re.findall(r"Overfull \\hbox .*|Float too large.*|Missing character.*", log)


def test_several_tables_make_one_csv_with_one_heading(tmp_path: Path) -> None:
    tables = table4()
    write_tables(tables, tmp_path, "table4")
    lines = (tmp_path / "table4.csv").read_text(encoding="utf-8").splitlines()
    assert sum(line.startswith("section,row,column,") for line in lines) == 1
    assert len(lines) == 1 + 7 * 16 + 6 * 8


def test_without_a_model_its_row_says_why() -> None:
    seen = on_shapes()
    bare = replace(
        seen,
        cells={**seen.cells, seen.model: []},
        reasons={**seen.reasons, seen.model: NO_MODEL},
        sampled="",
    )
    table = methods_table(bare, [FVD], "tiny")
    assert table.rows[0].cells[FVD].reason == NO_MODEL
    assert not any("Latte" in remark for remark in table.remarks)
    assert not any("Latte" in title for record in table.provenance for title in record.details)


def beside(model: float, half: float, *stand_ins: float | None) -> MeasuredMethods:
    """The model's FVD-shapes and those of stand-ins, each ± `half`."""
    values = {BUNDLED: model, **dict(zip(DISTORTED, stand_ins, strict=False))}
    cells = {}
    for label, value in values.items():
        if value is not None:
            found = {"value": value, "interval": [value - half, value + half], "fingerprint": "f"}
            cells[label] = [replace(cell(label, 0, **{FVD: 1.0}), details={FVD: found})]
    return replace(on_shapes(), cells=cells, reasons=dict.fromkeys(DISTORTED, "Failed."))


def test_better_is_only_what_no_interval_leaves_open() -> None:
    seen = beside(8.22, 0.46, 8.21, 8.21, 9.0, 10.0, 1.0)
    assert standing(seen, BUNDLED, FVD) == (1, 1, 3)
    assert standings_by_metric(seen, [FVD])[0] == (
        f"FVD-shapes, {BUNDLED}: better than 1 of 5 stand-ins, not significantly different from 3, "
        "worse than 1."
    )


def test_what_differs_in_digits_that_nobody_sees_does_not_differ() -> None:
    seen = beside(0.6849302660701113, 0.0, 0.6849302660700829)
    assert standing(seen, BUNDLED, FVD) == (0, 0, 1)


def test_intervals_that_overlap_do_not_differ_by_their_decimals() -> None:
    own = Cell(value=9.0, low=7.996, high=10.004)  # prints ± 1.00, the others three decimals
    others = [Cell(value=x, low=x - 0.005, high=x + 0.005) for x in (10.006, 10.01)]
    assert below_above_alike(own, others) == (0, 1, 1)
    assert below_above_alike(others[1], [own, Cell(reason="none"), Cell(value=10.02)]) == (1, 1, 0)


def test_a_stand_in_without_a_value_is_left_out_and_not_taken_for_0() -> None:
    assert standing(beside(4.0, 1.0, 9.0, None, 20.0), BUNDLED, FVD) == (0, 2, 0)


def test_who_leads_in_most_columns_comes_first_and_measured_figures_do_not_lead() -> None:
    published = {"a": (1.0, 9.0, 9.0), "b": (2.0, 5.0, None)}
    rows = [
        Row(
            label=label,
            cells={
                key: Cell(value=value, reason="None.", mark="published")
                for key, value in zip("xyz", values, strict=True)
            },
        )
        for label, values in published.items()
    ]
    mine = Row(label="mine", cells={key: Cell(value=0.0) for key in "xyz"})
    columns = (
        Column(key="x", title="X", direction="higher"),
        Column(key="y", title="Y", direction="higher"),
        Column(key="z", title="Z", direction="lower"),
    )
    table = Table(title="t", columns=columns, rows=(*rows, mine))
    assert leaders(table) == {"a": ["Y", "Z"], "b": ["X"]}
    assert list(leaders(table)) == ["a", "b"]


def test_the_commit_is_that_of_this_source_or_none() -> None:
    commit = source_commit()
    assert commit is None or re.fullmatch(r"[0-9a-f]{12}", commit)
