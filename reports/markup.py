"""Markdown, LaTeX and HTML for texts and laid out tables. Everything that comes in is escaped."""

import html as html_module
import re
from collections.abc import Iterable, Sequence

from tabulate import tabulate

from reports.cells import DAGGER, CellView, Layout

_LATEX = {
    "\0": "{}",  # between hyphens, which would become a dash
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "−": r"$-$",
    "·": r"$\cdot$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≈": r"$\approx$",
    "→": r"$\rightarrow$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "†": r"\dag{}",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "“": "``",
    "”": "''",
    "‘": "`",
    "’": "'",
    "²": r"$^2$",
    "³": r"$^3$",
    "°": r"$^\circ$",
    "\u00a0": "~",
    "\u202f": r"\,",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "γ": r"$\gamma$",
    "σ": r"$\sigma$",
    "µ": r"$\mu$",
    "μ": r"$\mu$",
    "Δ": r"$\Delta$",
}
# T1 has the straight quotes and the accents; both packages come with every LaTeX.
_LATEX_HEAD = "% \\usepackage[T1]{fontenc}\n% \\usepackage{booktabs}"
SENTENCE = 24  # characters from which on a cell of words gets room to wrap
_SUPERSCRIPTS = str.maketrans("abcdefghijklmnoprstuvwxyz", "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ")


def one_line(text: str) -> str:
    """The text without line breaks, tabs and other control characters."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text)


def escape_markdown(text: str) -> str:
    """Plain text as Markdown that shows it, on one line.

    >>> escape_markdown("a|b *c* real_stride <i>")
    'a\\\\|b \\\\*c\\\\* real_stride &lt;i>'
    """
    text = re.sub(r"&(?=#?\w+;)", "&amp;", one_line(text)).replace("<", "\0")
    text = re.sub(r"([\\`*\[\]|~$])", r"\\\1", text)
    text = re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)  # inside a word it marks nothing
    # What would begin a heading, a quotation, a list or a rule at the start of a line.
    text = re.sub(r"^([#>=]|[-+](?=[\s-]|$))", r"\\\1", text)
    text = re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", text)
    return text.replace("\0", "&lt;")


def escape_latex(text: str) -> str:
    """Plain text as LaTeX that shows it, on one line.

    >>> escape_latex("100 % of a_b ± 2")
    '100 \\\\% of a\\\\_b $\\\\pm$ 2'
    """
    text = re.sub("-(?=-)", "-\0", one_line(text))
    return "".join(_LATEX.get(character, character) for character in text)


def escape_html(text: str) -> str:
    """Plain text for HTML content and quoted attributes."""
    return html_module.escape(text, quote=True)


def markdown_text(text: str) -> str:
    """A sentence as Markdown, on one line: a part between backticks is code."""
    parts = one_line(text).split("`")
    if len(parts) % 2 == 0:
        return escape_markdown(text)
    return "`".join(part if i % 2 else escape_markdown(part) for i, part in enumerate(parts))


def latex_text(text: str) -> str:
    """A sentence as LaTeX: a part between backticks is code."""
    parts = one_line(text).split("`")
    if len(parts) % 2 == 0:
        return escape_latex(text)
    escaped = [escape_latex(part) for part in parts]
    return "".join(rf"\texttt{{{x}}}" if i % 2 else x for i, x in enumerate(escaped))


def html_text(text: str) -> str:
    """A sentence as HTML: a part between backticks is code."""
    parts = escape_html(text).split("`")
    if len(parts) % 2 == 0:
        return escape_html(text)
    return "".join(f"<code>{x}</code>" if i % 2 else x for i, x in enumerate(parts))


def table_markdown(layout: Layout) -> str:
    """A GitHub-flavoured Markdown table; sections begin with a row that holds their title."""
    rows: list[list[str]] = []
    for section in layout.sections:
        if section.title:
            title = f"*{escape_markdown(section.title)}*"
            rows.append([title, *([""] * len(layout.headings))])
        for line in section.lines:
            label = escape_markdown(line.label) + _superscript(line.letters)
            rows.append([label, *(_cell_markdown(cell) for cell in line.cells)])
    table = tabulate(
        rows,
        headers=[escape_markdown(heading) for heading in (layout.label_heading, *layout.headings)],
        tablefmt="pipe",
        colalign=["left", *("left" if words else "right" for words in layout.words)],
        disable_numparse=True,
    )
    head = [f"**{escape_markdown(_title(layout))}**"]
    if layout.caption:
        head.append(markdown_text(layout.caption))
    notes = [f"{_superscript([x])} {markdown_text(note)}" for x, note in layout.footnotes]
    notes += [markdown_text(remark) for remark in layout.remarks]
    parts = [" ".join(head), table]
    if notes:
        parts.append("  \n".join(notes))
    if layout.provenance:
        parts.append(provenance_markdown(layout.provenance))
    return "\n\n".join(parts) + "\n"


def table_latex(layout: Layout) -> str:
    """A booktabs table with its notes below it; its provenance goes along as comments."""
    width = 1 + len(layout.headings)
    headings = " & ".join(escape_latex(h) for h in (layout.label_heading, *layout.headings))
    body: list[str] = []
    for section in layout.sections:
        if body:
            body.append(r"\midrule")
        if section.title:
            body.append(
                rf"\multicolumn{{{width}}}{{l}}{{\emph{{{escape_latex(section.title)}}}}} \\"
            )
        for line in section.lines:
            label = escape_latex(line.label) + _latex_marks(line.letters)
            body.append(" & ".join([label, *(_cell_latex(cell) for cell in line.cells)]) + r" \\")
    caption = f"{escape_latex(_title(layout))} {latex_text(layout.caption)}".strip()
    alignment = "l" + "".join("l" if words else "r" for words in layout.words)
    lines = [
        *_LATEX_HEAD.splitlines(),
        *(f"% {one_line(line)}" for line in layout.provenance),
        r"\begin{table}[t]",
        r"\centering",
        rf"\caption{{{caption}}}",
        r"\small",
        rf"\begin{{tabular}}{{@{{}}{alignment}@{{}}}}",
        r"\toprule",
        rf"{headings} \\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        *_latex_notes(layout),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def table_html(layout: Layout, anchor: str) -> str:
    """A figure with a table that scrolls within itself, footnotes that are linked, provenance."""
    kinds = _column_classes(layout)
    headings = [f'<th scope="col">{_sort_button(layout.label_heading)}</th>']
    headings += [
        f'<th scope="col"{kind}>{_sort_button(heading)}</th>'
        for heading, kind in zip(layout.headings, kinds, strict=True)
    ]
    bodies = []
    for section in layout.sections:
        rows = []
        if section.title:
            span = 1 + len(layout.headings)
            rows.append(
                f'<tr class="section"><th colspan="{span}" scope="rowgroup">'
                f"{escape_html(section.title)}</th></tr>"
            )
        for line in section.lines:
            label = escape_html(line.label) + _html_marks(line.letters, anchor)
            cells = "".join(
                _cell_html(cell, kind, anchor) for cell, kind in zip(line.cells, kinds, strict=True)
            )
            rows.append(f'<tr><th scope="row">{label}</th>{cells}</tr>')
        bodies.append("<tbody>\n" + "\n".join(rows) + "\n</tbody>")
    notes = [
        f'<p id="{escape_html(anchor)}-{mark}"><sup>{mark}</sup> {html_text(note)}</p>'
        for mark, note in layout.footnotes
    ]
    notes += [f"<p>{html_text(remark)}</p>" for remark in layout.remarks]
    caption = f" {html_text(layout.caption)}" if layout.caption else ""
    parts = [
        '<figure class="table">',
        f"<figcaption><strong>{escape_html(_title(layout))}</strong>{caption}</figcaption>",
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape_html(layout.title)}">',
        f"<table>\n<thead><tr>{''.join(headings)}</tr></thead>",
        *bodies,
        "</table></div>",
    ]
    if notes:
        parts.append('<div class="notes">' + "\n".join(notes) + "</div>")
    if layout.provenance:
        parts.append(provenance_html(layout.provenance))
    return "\n".join([*parts, "</figure>"])


def provenance_markdown(lines: Iterable[str]) -> str:
    """Provenance lines as a list."""
    return "\n".join(f"- {markdown_text(line)}" for line in lines)


def provenance_html(lines: Iterable[str]) -> str:
    """Provenance lines, folded away."""
    items = "".join(f"<li>{html_text(line)}</li>" for line in lines)
    return f'<details class="provenance"><summary>Provenance</summary><ul>{items}</ul></details>'


def _title(layout: Layout) -> str:
    """The title as a sentence where a caption follows."""
    ends = layout.title.endswith((".", "?", "!", ":"))
    return layout.title + ("." if layout.caption and not ends else "")


def _column_classes(layout: Layout) -> list[str]:
    """For each column an attribute: nothing for numbers, `words`, or `words long` for sentences."""
    classes = []
    for column, words in enumerate(layout.words):
        lines = [line for section in layout.sections for line in section.lines]
        longest = max((len(line.cells[column].number) for line in lines), default=0)
        kind = "words long" if longest > SENTENCE else "words"
        classes.append(f' class="{kind}"' if words else "")
    return classes


def _superscript(letters: Sequence[str]) -> str:
    """Footnote letters for Markdown, readable raw as well."""
    return ",".join(letter.translate(_SUPERSCRIPTS) for letter in letters)


def _cell_markdown(cell: CellView) -> str:
    text = escape_markdown(cell.plain)
    text = {"best": f"**{text}**", "second": f"<u>{text}</u>"}.get(cell.rank or "", text)
    return text + (f" {DAGGER}" if cell.dagger else "") + _superscript(cell.letters)


def _cell_latex(cell: CellView) -> str:
    text = escape_latex(cell.plain)
    text = {"best": rf"\textbf{{{text}}}", "second": rf"\underline{{{text}}}"}.get(
        cell.rank or "", text
    )
    return text + _latex_marks((DAGGER,) * cell.dagger + cell.letters)


def _latex_marks(marks: Sequence[str]) -> str:
    return rf"\textsuperscript{{{','.join(map(escape_latex, marks))}}}" if marks else ""


def _latex_notes(layout: Layout) -> list[str]:
    notes = [
        rf"\textsuperscript{{{escape_latex(mark)}}} {latex_text(note)}"
        for mark, note in layout.footnotes
    ]
    notes += [latex_text(remark) for remark in layout.remarks]
    if not notes:
        return []
    return [
        r"\par\smallskip",
        r"\begin{minipage}{\linewidth}\footnotesize",
        *(rf"{note}\par" for note in notes),
        r"\end{minipage}",
    ]


def _cell_html(cell: CellView, kind: str, anchor: str) -> str:
    text = escape_html(cell.number)
    if cell.half_width is not None:
        text += f'<span class="half"> ± {escape_html(cell.half_width)}</span>'
    text = {"best": f"<strong>{text}</strong>", "second": f"<u>{text}</u>"}.get(
        cell.rank or "", text
    )
    marks = (DAGGER,) * cell.dagger + cell.letters
    value = "" if cell.sort_value is None else f' data-value="{cell.sort_value!r}"'
    return f"<td{kind}{value}>{text}{_html_marks(marks, anchor)}</td>"


def _html_marks(marks: Sequence[str], anchor: str) -> str:
    links = ",".join(f'<a href="#{escape_html(anchor)}-{mark}">{mark}</a>' for mark in marks)
    return f'<sup class="marks">{links}</sup>' if links else ""


def _sort_button(heading: str) -> str:
    return f'<button type="button">{escape_html(heading)}</button>'
