"""A laid out table as LaTeX."""

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports.layout import ColumnView, TableView
from reports.provenance import provenance_lines
from reports.render.escape import escape_latex, latex_text, one_line

_WRAPPED = r">{\raggedright\arraybackslash}p{18em}"  # a column of words that need room to wrap
_RANKS = {"best": r"\textbf{{{}}}", "second": r"\underline{{{}}}", None: "{}"}


def table_latex(layout: TableView) -> str:
    """A booktabs table with its notes below it, no wider than the line.

    The packages that it needs and its provenance go along as comments.
    """
    return _TEMPLATES.get_template("table.tex").render(
        layout=layout,
        alignment=Markup("l" + "".join(map(_alignment, layout.columns))),
        wraps=any(column.wraps for column in layout.columns),
        provenance=[Markup(one_line(line)) for line in provenance_lines(layout.provenance)],
    )


def _alignment(column: ColumnView) -> str:
    if column.wraps:
        return _WRAPPED
    return "l" if column.words else "r"


def _label(text: str) -> Markup:
    """The first cell of a row; what begins with [ or * would belong to the row above."""
    escaped = latex_text(text)
    return Markup("{}" + escaped if escaped.startswith(("[", "*")) else escaped)


def _escaped(value: object) -> Markup:
    """What a template writes: text is escaped unless it is markup already."""
    return value if isinstance(value, Markup) else Markup(escape_latex(str(value)))


_TEMPLATES = Environment(
    loader=PackageLoader("reports.render"),
    block_start_string="<%",
    block_end_string="%>",
    variable_start_string="<<",
    variable_end_string=">>",
    comment_start_string="<#",
    comment_end_string="#>",
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    finalize=_escaped,
)
_TEMPLATES.filters |= {
    "label": _label,
    "sentence": lambda text: Markup(latex_text(text)),
    "ranked": lambda text, rank: Markup(_RANKS[rank].format(latex_text(text))),
}
