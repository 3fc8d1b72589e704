import re

import numpy as np

from reports.cells import Cell, Column, Row
from reports.table import Table

LONG = "a sentence that needs more room than others"


def table(columns: int = 2, *, label: str = "a", **cell: object) -> Table:
    keys = [f"c{number}" for number in range(columns)]
    cells = {key: Cell(**{"value": 1.0, **cell}) for key in keys}  # type: ignore[arg-type]
    return Table(
        title="t",
        columns=tuple(Column(key=key, title=key) for key in keys),
        rows=(Row(label=label, cells=cells),),
    )


def test_a_table_of_sentences_says_in_each_cell_what_it_is() -> None:
    html = table(value=None, text=LONG).html()
    assert '<table class="wordy">' in html
    assert f'<td class="words long" data-label="c0">{LONG}</td>' in html


def test_a_table_of_numbers_or_of_single_words_is_not_made_of_sentences() -> None:
    assert "<table>" in table().html()
    html = table(value=None, text="yes").html()
    assert "<table>" in html
    assert '<td class="words">yes</td>' in html


def test_sentences_with_a_word_on_each_are_a_table_of_sentences() -> None:
    assert '<table class="wordy">' in table(label=LONG, value=None, text="yes").html()
    assert "<table>" in table(label=LONG).html()


def test_long_labels_may_wrap_and_short_ones_need_not() -> None:
    assert '<th scope="row" class="long">' in table(label=LONG).html()
    assert '<th scope="row">a</th>' in table().html()


def test_a_table_of_many_columns_is_printed_on_its_side() -> None:
    assert '<figure class="table wide">' in table(11).html()
    assert '<figure class="table">' in table(10).html()


def test_numbers_that_sort_are_plain_numbers_whatever_they_came_as() -> None:
    html = table(value=np.float64(0.5)).html()
    assert re.findall('data-value="([^"]*)"', html) == ["0.5", "0.5"]
    assert re.findall('data-value="([^"]*)"', table(1, value=3).html()) == ["3.0"]


def test_code_in_labels_and_cells_is_code_in_all_three_languages() -> None:
    written = table(1, value=None, text="`x|y_z`", label="`a --b` <c>")
    assert '<th scope="row"><code>a --b</code> &lt;c&gt;</th>' in written.html()
    assert "<code>x|y_z</code>" in written.html()
    assert re.search(r"\| `a --b` &lt;c> +\| `x\\\|y_z` +\|", written.markdown())
    assert r"\texttt{a -{}-b} \textless{}c\textgreater{} & \texttt{x\textbar{}y\_z} \\" in (
        written.latex()
    )
