import io
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from reports.cells import Cell, Column, Row
from reports.provenance import Provenance
from reports.table import Table, write_tables

SNAPSHOTS = Path(__file__).parent / "snapshots"


def example_table() -> Table:
    """Ranks, intervals, marks, shared footnotes, empty cells and odd characters at once."""
    published = {"mark": "published"}
    other = {"notes": ("Protocol differs: real_stride 1 instead of 3.",), "comparable": False}
    return Table(
        title="Distances | of 100 % of *methods*",
        caption="Lower is better & `a_b` is code; ± is half an interval.",
        columns=(
            Column(key="sky", title="Sky_Timelapse", direction="lower"),
            Column(key="ucf", title="UCF101", direction="lower"),
            Column(key="is", title="IS", direction="higher"),
        ),
        rows=(
            Row(
                label="A & B",
                cells={
                    "sky": Cell.printed("34.00", **published),
                    "ucf": Cell(reason="Not reported."),
                    "is": Cell.printed("60.55", **published),
                },
            ),
            Row(
                label="C#1 <x>",
                cells={
                    "sky": Cell.printed("59.82", **published),
                    "ucf": Cell.printed("1431.0", notes=("As in v1.",), **published),
                    "is": Cell.printed("73.31", **published),
                },
            ),
            Row(
                label="my_model",
                section="Measured here",
                cells={
                    "sky": Cell(value=12.3456, low=11.9, high=12.9, **other),
                    "ucf": Cell(value=477.973, low=470.0, high=486.0),
                    "is": Cell(reason="Not reported."),
                },
            ),
            Row(
                label="it's {mine}",
                section="Measured here",
                cells={
                    "sky": Cell(value=11.5, **other),
                    "ucf": Cell(value=501.5, low=490.0, high=512.0, notes=("As in v1.",)),
                    "is": Cell(value=0.0375978, low=0.03, high=0.045),
                },
            ),
        ),
        remarks=("Left out: 2 results.",),
        provenance=(
            Provenance(details={"published": "arXiv:2401.03048v3"}),
            Provenance(command="latte-eval fvd --name my_model"),
        ),
    )


@pytest.mark.parametrize("ending", ["md", "csv", "tex", "html"])
def test_the_example_table_is_written_as_before(ending: str) -> None:
    table = example_table()
    written = {"md": table.markdown, "csv": table.csv, "tex": table.latex, "html": table.html}[
        ending
    ]()
    assert written == (SNAPSHOTS / f"example.{ending}").read_text(encoding="utf-8")


def records_of(table: Table) -> pd.DataFrame:
    """The lines of the CSV as they are written."""
    return pd.read_csv(io.StringIO(table.csv()), dtype=str, keep_default_na=False)


def ranks_of(cells: list[Cell], direction: str = "lower") -> list[str | None]:
    table = Table(
        title="t",
        columns=(Column(key="x", title="x", direction=direction),),
        rows=tuple(Row(label=f"r{i}", cells={"x": cell}) for i, cell in enumerate(cells)),
    )
    return [row.cells[0].rank for section in table.layout().sections for row in section.rows]


def values(*numbers: float) -> list[Cell]:
    return [Cell(value=number) for number in numbers]


def measured(half: float, *numbers: float) -> list[Cell]:
    return [Cell(value=x, low=x - half, high=x + half) for x in numbers]


WIDE = measured(0.46, 8.2149, 8.2051, 8.2201, 8.1)


@pytest.mark.parametrize(
    ("cells", "direction", "expected"),
    [
        (values(3.0, 1.0, 2.0), "lower", [None, "best", "second"]),
        (values(3.0, 1.0, 2.0), "higher", ["best", None, "second"]),
        (values(1.0, 2.0, 1.0, 3.0), "lower", ["best", "second", "best", None]),
        # Values that print alike share their rank, whatever their last digits.
        (
            [*measured(0.2, 0.6849302660701113, 0.6849302660700829), *values(0.7, 0.9)],
            "lower",
            ["best", "best", "second", None],
        ),
        (WIDE, "higher", ["second", "second", "best", None]),
        # Other decimals do not turn the order round.
        (
            [Cell(value=123.449), *measured(0.04, 123.44), Cell(value=123.5)],
            "lower",
            ["best", "best", "second"],
        ),
        (
            [Cell(value=123.43), *measured(0.04, 123.40, 123.42)],
            "lower",
            ["second", "best", "second"],
        ),
        (values(0.0, 0.0376, 0.0412), "lower", ["best", "second", None]),
        # A rank is that of the number as its source prints it.
        (
            [
                Cell(value=34.004, text="34.0", decimals=1),
                Cell(value=34.0),
                Cell(value=0.5, text="50 %"),
            ],
            "lower",
            ["second", "second", "best"],
        ),
        # A value that does not compare takes no rank, and a lone value is the best of nothing.
        (
            [Cell(value=1.0, comparable=False), *values(2.0, 3.0)],
            "lower",
            [None, "best", "second"],
        ),
        (
            [Cell(value=1.0), Cell(reason="none"), Cell(value=2.0, comparable=False)],
            "lower",
            [None, None, None],
        ),
    ],
)
def test_best_and_second_are_ranked_by_the_printed_digits_of_what_compares(
    cells: list[Cell], direction: str, expected: list[str | None]
) -> None:
    assert ranks_of(cells, direction) == expected


def test_the_ranked_numbers_are_printed_as_their_intervals_ask() -> None:
    assert [cell.number for cell in WIDE] == ["8.21", "8.21", "8.22", "8.10"]
    cells = [Cell(value=123.449), *measured(0.04, 123.44)]
    assert [cell.number for cell in cells] == ["123.4", "123.44"]


def test_a_column_without_direction_ranks_nothing_and_has_no_arrow() -> None:
    table = Table(
        title="t",
        columns=(Column(key="x", title="Layers"),),
        rows=(
            Row(label="a", cells={"x": Cell(value=1.0)}),
            Row(label="b", cells={"x": Cell(value=2.0)}),
        ),
    )
    assert [column.heading for column in table.layout().columns] == ["Layers"]
    assert all(row.cells[0].rank is None for s in table.layout().sections for row in s.rows)


def test_measured_cells_are_marked_only_beside_published_ones() -> None:
    def signs(marks: list[str]) -> list[str]:
        table = Table(
            title="t",
            columns=(Column(key="x", title="x"),),
            rows=tuple(
                Row(label=f"r{i}", cells={"x": Cell(value=1.0, mark=mark)})
                for i, mark in enumerate(marks)
            ),
        )
        return ["".join(row.cells[0].marks) for s in table.layout().sections for row in s.rows]

    assert signs(["measured", "measured"]) == ["", ""]
    assert signs(["published", "published"]) == ["", ""]
    assert signs(["published", "measured"]) == ["", "†"]


def test_equal_footnotes_share_a_letter_in_the_order_of_first_use() -> None:
    layout = example_table().layout()
    assert [mark for mark, _ in layout.footnotes] == ["†", "a", "b", "c"]
    letters = [cell.marks for s in layout.sections for row in s.rows for cell in row.cells]
    assert letters == [
        (), ("a",), (),
        (), ("b",), (),
        ("†", "c"), ("†",), ("a",),
        ("†", "c"), ("†", "b"), ("†",),
    ]  # fmt: skip


def test_an_interval_that_ends_at_0_is_not_written_as_if_it_went_on_below() -> None:
    table = Table(
        title="t",
        columns=(Column(key="x", title="x"),),
        rows=(
            Row(label="a", cells={"x": Cell(value=0.749, low=0.0, high=1.712)}),
            Row(label="b", cells={"x": Cell(value=-3.0, low=-3.25, high=-1.0)}),
        ),
    )
    assert "| 0.749 [0.000, 1.712] |" in re.sub(" +", " ", table.markdown())
    assert "| −3.00 [−3.25, −1.00] |" in re.sub(" +", " ", table.markdown())
    assert "a & 0.749 [0.000, 1.712] \\\\" in table.latex()
    assert "b & $-$3.00 [$-$3.25, $-$1.00] \\\\" in table.latex()
    assert '0.749<span class="half"> [0.000, 1.712]</span>' in table.html()
    records = records_of(table)
    assert [*records["value"]] == ["0.749", "-3.0"]
    assert [*records["low"]] == ["0.0", "-3.25"]


def test_the_csv_has_numbers_that_machines_read() -> None:
    cells = {
        "x": Cell.printed("-1.09"),
        "y": Cell(text="−8.3 %"),
        "z": Cell(text="n − 1"),
    }
    table = Table(
        title="t",
        columns=tuple(Column(key=key, title=key) for key in cells),
        rows=(Row(label="a", cells=cells),),
    )
    assert [*records_of(table)["value"]] == ["-1.09", "-8.3 %", "n − 1"]
    assert re.search(r"\| −1.09 +\| −8.3 % +\| n − 1 +\|", table.markdown())
    assert "$-$1.09 & $-$8.3 \\% & n $-$ 1" in table.latex()


def test_a_table_with_rows_that_do_not_fit_is_refused() -> None:
    column = Column(key="x", title="x")
    row = Row(label="a", cells={"x": Cell(value=1.0)})
    with pytest.raises(ValueError, match=r"t\b.* no columns"):
        Table(title="t", columns=(), rows=())
    with pytest.raises(ValueError, match="column"):
        Table(title="t", columns=(column, column), rows=())
    with pytest.raises(ValueError, match=r"rows .*'a'"):
        Table(title="t", columns=(column,), rows=(row, row))
    with pytest.raises(ValueError, match="columns are x"):
        Table(title="t", columns=(column,), rows=(Row(label="b", cells={}),))


def test_the_csv_reads_back_with_every_digit_and_every_reason(tmp_path: Path) -> None:
    paths = write_tables([example_table()], tmp_path / "new", "example")
    assert [path.name for path in paths] == ["example.md", "example.csv", "example.tex"]
    frame = pd.read_csv(paths[1]).set_index(["row", "column"])
    assert frame.loc[("my_model", "sky"), "value"] == 12.3456
    assert frame.loc[("my_model", "sky"), "low"] == 11.9
    assert frame.loc[("my_model", "is"), "reason"] == "Not reported."
    assert not frame.loc[("my_model", "sky"), "comparable"]


def test_markdown_has_the_same_number_of_cells_in_every_line() -> None:
    lines = [line for line in example_table().markdown().splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 4 + 1  # heading, rule, rows, one section title
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {5}


def test_latex_is_balanced_and_has_the_same_number_of_cells_in_every_row() -> None:
    latex = example_table().latex()
    code = "\n".join(line for line in latex.splitlines() if not line.startswith("%"))
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", code):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    rows = [
        line for line in code.splitlines() if line.endswith(r"\\") and "multicolumn" not in line
    ]
    assert len(rows) == 5
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {3}
    begun, ended = (re.findall(rf"\\{word}{{(\w+)}}", code) for word in ("begin", "end"))
    assert sorted(begun) == sorted(ended) == ["minipage", "table", "tabular"]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles(tmp_path: Path) -> None:
    document = (
        "\\documentclass{article}\n\\usepackage[T1]{fontenc}\n\\usepackage{booktabs,graphicx}\n"
        "\\begin{document}\n" + example_table().latex() + "\\end{document}\n"
    )
    (tmp_path / "table.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def compared_table() -> Table:
    """What a comparison of models needs: tests against the best, and columns with footnotes."""
    return Table(
        title="t",
        level=0.05,
        label_heading="model",
        columns=(
            Column(key="fvd", title="FVD", direction="lower", notes=("Measured with seed 1.",)),
            Column(key="is", title="IS", direction="higher"),
        ),
        rows=(
            Row(label="a", cells={"fvd": Cell(value=1.0), "is": Cell(reason="Not measured.")}),
            Row(
                label="b",
                cells={
                    "fvd": Cell(value=2.0, low=1.5, high=2.5, p_value=0.3, significant=False),
                    "is": Cell(value=5.0, comparable=False, notes=("seed 1 instead of 0",)),
                },
            ),
            Row(
                label="c",
                cells={
                    "fvd": Cell(value=3.0, p_value=0.001, significant=True),
                    "is": Cell(value=4.0),
                },
            ),
        ),
    )


def test_a_comparison_marks_what_differs_from_the_best() -> None:
    layout = compared_table().layout()
    marks = [
        cell.marks for section in layout.sections for row in section.rows for cell in row.cells
    ]
    assert marks == [(), ("b",), ("≈",), ("‡", "c"), ("≠",), ()]
    assert layout.columns[0].marks == ("a",)
    assert [mark for mark, _ in layout.footnotes] == ["≠", "≈", "‡", "a", "b", "c"]
    records = records_of(compared_table())
    assert [*records[records.column == "fvd"].significant] == ["", "False", "True"]


def test_a_table_for_a_terminal_has_every_mark_and_note() -> None:
    text = compared_table().text()
    assert re.search(r"^model +FVD ↓ \[a\] +IS ↑$", text, re.MULTILINE)
    assert re.search(r"^b +_2.00 ± 0.50_ ≈ +5.00 ‡ \[c\]$", text, re.MULTILINE)
    assert "[c] seed 1 instead of 0\n" in text
