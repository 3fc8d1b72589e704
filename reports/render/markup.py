"""Markdown, LaTeX and HTML for texts and laid out tables. Everything that comes in is escaped."""

import html as html_module
import re
import unicodedata
from collections.abc import Sequence

from tabulate import tabulate

from reports.cells import DAGGER, CellView, Layout
from reports.provenance import Provenance
from reports.render.provenance import provenance_lines

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
    "÷": r"$\div$",
    "√": r"$\surd$",
    "−": r"$-$",
    "·": r"$\cdot$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≈": r"$\approx$",
    "≠": r"$\neq$",
    "∞": r"$\infty$",
    "∅": r"$\emptyset$",
    "∘": r"$\circ$",
    "‖": r"$\Vert$",
    "⌊": r"$\lfloor$",
    "⌋": r"$\rfloor$",
    "⇔": r"$\Leftrightarrow$",
    "←": r"$\leftarrow$",
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
    "½": r"$\frac12$",
    "′": r"$'$",
    "°": r"$^\circ$",
    "\u00a0": "~",
    "\u202f": r"\,",
    "⁄": "/",
    "‐": "-",
    "‑": "-",
}
_GREEK = (
    "α alpha β beta γ gamma δ delta ε varepsilon ζ zeta η eta θ theta ι iota κ kappa λ lambda "
    "μ mu ν nu ξ xi π pi ρ rho σ sigma τ tau υ upsilon φ varphi χ chi ψ psi ω omega "
    "Γ Gamma Δ Delta Θ Theta Λ Lambda Ξ Xi Π Pi Σ Sigma Φ Phi Ψ Psi Ω Omega"
)
_LATEX |= {letter: rf"$\{name}$" for letter, name in re.findall(r"(\w) (\w+)", _GREEK)}
# What the encoding T1 has as it is.
_T1 = frozenset(
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿ§£¡¿«»‹›„‚"
    "ĂăĄąĆćČčĎďĐđĘęĚěĞğĹĺĽľŁłŃńŇňŐőŒœŔŕŘřŚśŞşŠšŢţŤťŮůŰűŸŹźŻżŽž"
)
# T1 has the straight quotes and the accents; all these packages come with every LaTeX.
_LATEX_HEAD = (
    "% \\usepackage[T1]{fontenc}",
    "% \\usepackage{booktabs}",
    "% \\usepackage{graphicx}",
)
# A table that is wider than the line is made as wide as it; any other stays as it is.
_FIT = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
_WRAPPED = r">{\raggedright\arraybackslash}p{18em}"  # a column of words that need room to wrap
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

    A character that LaTeX would stop at is written by what Unicode says it stands for, else by its
    number.

    >>> escape_latex("100 % of a_b ± 2")
    '100 \\\\% of a\\\\_b $\\\\pm$ 2'
    >>> escape_latex("x₁, 模")
    'x\\\\textsubscript{1}, \\\\texttt{U+6A21}'
    """
    text = re.sub("-(?=-)", "-\0", unicodedata.normalize("NFC", one_line(text)))
    return "".join(map(_latex_character, text))


def _latex_character(character: str) -> str:
    if character in _LATEX:
        return _LATEX[character]
    if character.isascii() or character in _T1:
        return character
    kind, _, codes = unicodedata.decomposition(character).rpartition("> ")
    if kind:
        meant = "".join(_latex_character(chr(int(code, 16))) for code in codes.split())
        raised = {"<super": r"\textsuperscript", "<sub": r"\textsubscript"}.get(kind)
        return f"{raised}{{{meant}}}" if raised else meant
    is_invisible = unicodedata.category(character) == "Cf"
    return "" if is_invisible else rf"\texttt{{U+{ord(character):04X}}}"


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


def table_markdown(layout: Layout, *, folds_notes: bool = False) -> str:
    """A GitHub-flavoured Markdown table; sections begin with a row that holds their title.

    Args:
        folds_notes: footnotes are folded away; remarks never are.
    """
    rows: list[list[str]] = []
    for section in layout.sections:
        if section.title:
            title = f"*{escape_markdown(section.title)}*"
            rows.append([title, *([""] * len(layout.headings))])
        for line in section.lines:
            label = _in_a_table(line.label) + _superscript(line.letters)
            rows.append([label, *(_cell_markdown(cell) for cell in line.cells)])
    table = tabulate(
        rows,
        headers=[escape_markdown(heading) for heading in (layout.label_heading, *layout.headings)],
        tablefmt="pipe",
        colalign=["left", *("left" if words else "right" for words in layout.words)],
        disable_numparse=True,
    )
    head = [f"**{escape_markdown(title_sentence(layout))}**"]
    if layout.caption:
        head.append(markdown_text(layout.caption))
    notes = [f"{_superscript([x])} {markdown_text(note)}" for x, note in layout.footnotes]
    remarks = [markdown_text(remark) for remark in layout.remarks]
    parts = [" ".join(head), table]
    if folds_notes and notes:
        parts.append(folded_markdown(notes_summary(layout), "  \n".join(notes)))
        notes = []
    if notes or remarks:
        parts.append("  \n".join([*notes, *remarks]))
    if layout.provenance:
        parts.append(provenance_markdown(layout.provenance))
    return "\n\n".join(parts) + "\n"


def table_latex(layout: Layout) -> str:
    """A booktabs table with its notes below it, no wider than the line.

    The packages that it needs and its provenance go along as comments.
    """
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
            label = latex_text(line.label) + _latex_marks(line.letters)
            if label.startswith(("[", "*")):  # which would belong to the end of the row above
                label = "{}" + label
            body.append(" & ".join([label, *(_cell_latex(cell) for cell in line.cells)]) + r" \\")
    caption = f"{escape_latex(title_sentence(layout))} {latex_text(layout.caption)}".strip()
    alignment = "l" + "".join(
        _WRAPPED if wraps else "l" if words else "r"
        for words, wraps in zip(layout.words, layout.wraps, strict=True)
    )
    lines = [
        *_LATEX_HEAD,
        *([r"% \usepackage{array}"] if any(layout.wraps) else []),
        *(f"% {one_line(line)}" for line in provenance_lines(layout.provenance)),
        r"\begin{table}[t]",
        r"\centering",
        rf"\caption{{{caption}}}",
        r"\small",
        _FIT,
        rf"\begin{{tabular}}{{@{{}}{alignment}@{{}}}}",
        r"\toprule",
        rf"{headings} \\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}}",
        *_latex_notes(layout),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def folded_markdown(summary: str, text: str) -> str:
    """Markdown that is folded away under a summary."""
    return f"<details><summary>{escape_html(summary)}</summary>\n\n{text}\n\n</details>"


def provenance_markdown(records: Sequence[Provenance]) -> str:
    """Provenance as a list."""
    return "\n".join(f"- {markdown_text(line)}" for line in provenance_lines(records))


def provenance_html(records: Sequence[Provenance]) -> str:
    """Provenance as a list, folded away."""
    items = "".join(f"<li>{html_text(line)}</li>" for line in provenance_lines(records))
    return f'<details class="provenance"><summary>Provenance</summary><ul>{items}</ul></details>'


def title_sentence(layout: Layout) -> str:
    """The title as a sentence where a caption follows."""
    ends = layout.title.endswith((".", "?", "!", ":"))
    return layout.title + ("." if layout.caption and not ends else "")


def notes_summary(layout: Layout) -> str:
    return f"{len(layout.footnotes)} notes"


def _superscript(letters: Sequence[str]) -> str:
    """Footnote letters for Markdown, readable raw as well."""
    return ",".join(letter.translate(_SUPERSCRIPTS) for letter in letters)


def _in_a_table(text: str) -> str:
    """As `markdown_text`; in a table a bar ends the cell even where it is code."""
    return re.sub(r"(?<!\\)\|", r"\\|", markdown_text(text))


def _cell_markdown(cell: CellView) -> str:
    # Brackets around numbers are no link, and read well as they are.
    text = _in_a_table(cell.number) + (f" {cell.spread}" if cell.spread else "")
    text = {"best": f"**{text}**", "second": f"<u>{text}</u>"}.get(cell.rank or "", text)
    return text + (f" {DAGGER}" if cell.dagger else "") + _superscript(cell.letters)


def _cell_latex(cell: CellView) -> str:
    text = latex_text(cell.plain)
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
