"""A comparison as text, Markdown, LaTeX, CSV or JSON. Everything is decided; this adds syntax."""

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from string import ascii_lowercase

from tabulate import tabulate

from evaluation.comparison.table import Cell, Column, ComparisonTable
from reports.numbers import format_value

EMPTY = "–"
CSV_COLUMNS = (
    *("model", "metric", "dataset", "protocol", "fingerprint", "value", "low", "high", "level"),
    *("rank", "comparable", "p_value", "significant", "test", "notes", "where"),
)
DIFFERS, ALIKE, APART = "≠", "≈", "†"
LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "−": r"$-$",
    "≠": r"$\neq$",
    "≈": r"$\approx$",
    "↓": r"$\downarrow$",
    "↑": r"$\uparrow$",
    "†": r"\dag{}",
    "–": "--",
    "…": r"\ldots{}",
}


@dataclass(frozen=True, kw_only=True)
class Syntax:
    """How one form of text says what a table has to say."""

    escape: Callable[[str], str]
    best: str  # "**{}**"
    second: str
    raised: str  # of footnote letters
    second_named: str  # in the explanation


def text(table: ComparisonTable) -> str:
    """The table for a terminal, its footnotes and explanations below it."""
    syntax = Syntax(
        escape=_one_line, best="**{}**", second="_{}_", raised=" [{}]", second_named="_second_"
    )
    return _grid(table, syntax, "simple")


def markdown(table: ComparisonTable) -> str:
    """A GitHub-flavoured Markdown table, its footnotes and explanations below it."""
    syntax = Syntax(
        escape=_escape_markdown,
        best="**{}**",
        second="<u>{}</u>",
        raised="<sup>{}</sup>",
        second_named="<u>second</u>",
    )
    return _grid(table, syntax, "pipe")


def latex(table: ComparisonTable) -> str:
    """A LaTeX table with its notes; the document needs `booktabs` and T1 fonts."""
    syntax = Syntax(
        escape=_escape_latex,
        best=r"\textbf{{{}}}",
        second=r"\underline{{{}}}",
        raised=r"\textsuperscript{{{}}}",
        second_named=r"\underline{second}",
    )
    headings, rows, notes = _parts(table, syntax)
    lines = [
        "% \\usepackage[T1]{fontenc}",
        "% \\usepackage{booktabs}",
        r"\begin{table}[t]",
        r"\centering\small",
        rf"\begin{{tabular}}{{@{{}}l{'r' * len(table.columns)}@{{}}}}",
        r"\toprule",
        " & ".join(headings) + r" \\",
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\par\smallskip",
        r"\begin{minipage}{\linewidth}\footnotesize",
        *(rf"{note}\par" for note in notes),
        r"\end{minipage}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def as_csv(table: ComparisonTable) -> str:
    """One line for each value, with every digit and all that is known about it."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for column in table.columns:
        for model, cell in column.cells.items():
            low, high = cell.interval or ("", "")
            known = ["" if x is None else x for x in (cell.rank, cell.p_value, cell.significant)]
            writer.writerow(
                [
                    *(model, column.metric, column.dataset),
                    *(column.protocol, column.fingerprint, cell.value, low, high, cell.level),
                    *(known[0], cell.comparable, known[1], known[2], cell.test or ""),
                    *(" ".join((*column.notes, *cell.notes)), cell.where),
                ]
            )
    return stream.getvalue()


def as_json(table: ComparisonTable) -> str:
    """The whole table as one JSON object."""
    return json.dumps(asdict(table), allow_nan=False) + "\n"


FORMS: Mapping[str, Callable[[ComparisonTable], str]] = {
    "text": text,
    "markdown": markdown,
    "latex": latex,
    "csv": as_csv,
    "json": as_json,
}


def _grid(table: ComparisonTable, syntax: Syntax, form: str) -> str:
    headings, rows, notes = _parts(table, syntax)
    grid = tabulate(
        rows,
        headers=headings,
        tablefmt=form,
        disable_numparse=True,
        colalign=["left", *["right"] * len(table.columns)],
    )
    return f"{grid}\n\n" + ("  \n" if form == "pipe" else "\n").join(notes) + "\n"


def _parts(table: ComparisonTable, syntax: Syntax) -> tuple[list[str], list[list[str]], list[str]]:
    """Headings, rows, and what stands under the table, a line each."""
    letters: dict[str, str] = {}
    headings = ["model", *(_heading(column, syntax, letters) for column in table.columns)]
    rows = []
    for model in table.models:
        cells = [column.cells.get(model) for column in table.columns]
        rows.append([syntax.escape(model), *(_cell(cell, syntax, letters) for cell in cells)])
    notes = _legend(table, syntax)
    notes += [
        f"{syntax.raised.format(letter).strip()} {syntax.escape(note)}"
        for note, letter in letters.items()
    ]
    notes += [syntax.escape(f"{column.title}: {column.made}.") for column in table.columns]
    notes += [syntax.escape(remark) for remark in table.remarks]
    return headings, rows, notes


def _heading(column: Column, syntax: Syntax, letters: dict[str, str]) -> str:
    arrow = {True: " ↑", False: " ↓", None: ""}[column.higher_is_better]
    return syntax.escape(column.title + arrow) + _raised(column.notes, syntax, letters)


def _cell(cell: Cell | None, syntax: Syntax, letters: dict[str, str]) -> str:
    if cell is None:
        return syntax.escape(EMPTY)
    shown = syntax.escape(format_value(cell.value, cell.interval))
    if cell.rank:
        shown = (syntax.best if cell.rank == "best" else syntax.second).format(shown)
    mark = {True: DIFFERS, False: ALIKE, None: ""}[cell.significant] if cell.comparable else APART
    return (
        shown + (syntax.escape(f" {mark}") if mark else "") + _raised(cell.notes, syntax, letters)
    )


def _raised(notes: tuple[str, ...], syntax: Syntax, letters: dict[str, str]) -> str:
    own = [letters.setdefault(note, _letter(len(letters))) for note in notes]
    return syntax.raised.format(",".join(own)) if own else ""


def _letter(index: int) -> str:
    """a, b, …, z, aa, ab, …"""
    rest, last = divmod(index, len(ascii_lowercase))
    return (_letter(rest - 1) if rest else "") + ascii_lowercase[last]


def _legend(table: ComparisonTable, syntax: Syntax) -> list[str]:
    """What the signs in the table mean, those that occur."""
    cells = [cell for column in table.columns for cell in column.cells.values()]
    lines = []
    if any(cell.rank for cell in cells):
        lines.append(
            f"{syntax.best.format('best')} and {syntax.second_named} of each column; "
            + syntax.escape("↓ lower is better, ↑ higher is better.")
        )
    if any(column.higher_is_better is None for column in table.columns):
        lines.append(
            syntax.escape("Without an arrow: neither more nor less is better, nothing is ranked.")
        )
    levels = sorted({f"{cell.level:.4g}" for cell in cells if cell.interval})
    if levels:
        shown = ", ".join(f"{100 * float(level):g} %" for level in levels)
        lines.append(syntax.escape(f"± and [low, high]: {shown} intervals."))
    seen = {cell.significant for cell in cells}
    if {True, False} & seen:
        lines.append(
            syntax.escape(
                f"{DIFFERS} differs from the best of its column, {ALIKE} cannot be told from it: "
                f"level {table.level:g}, p-values corrected for their number in the column (Holm)."
            )
        )
    if any(not cell.comparable for cell in cells):
        lines.append(
            syntax.escape(
                f"{APART} made in another way than the others of its column: shown, not ranked."
            )
        )
    return lines


def _one_line(plain: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", plain)


def _escape_markdown(plain: str) -> str:
    escaped = re.sub(r"([\\`*\[\]|~$])", r"\\\1", _one_line(plain).replace("&", "&amp;"))
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", escaped).replace("<", "&lt;")


def _escape_latex(plain: str) -> str:
    return "".join(LATEX.get(character, character) for character in _one_line(plain))
