import html
import re

from hypothesis import given
from hypothesis import strategies as st

from reports.markup import (
    escape_html,
    escape_latex,
    escape_markdown,
    html_text,
    latex_text,
    markdown_text,
)

TEXT = st.text(alphabet=st.sampled_from("ab1 \\`*_[]{}()<>|~$&%#^\"'-+.!\n\t±–é"), max_size=30)


@given(TEXT)
def test_html_reads_back_as_the_text(text: str) -> None:
    escaped = escape_html(text)
    assert html.unescape(escaped) == text
    assert not re.search(r"[<>\"]", escaped)


@given(TEXT)
def test_latex_leaves_no_special_character_unescaped(text: str) -> None:
    commands = re.sub(
        r"-\{\}(?=-)|\$[^$]*\$|\\[a-zA-Z]+(\{\})?|\\[&%$#_{},]", "", escape_latex(text)
    )
    assert not re.search(r"[\\&%$#_{}^<>|\"\n]", commands)


@given(TEXT)
def test_markdown_stays_in_its_cell_and_on_its_line(text: str) -> None:
    escaped = escape_markdown(text)
    assert "\n" not in escaped
    unescaped = re.sub(r"\\[\\`*\[\]|~$_#>=+.)-]", "", escaped)
    assert not re.search(r"[`*|<\[\]~$]", unescaped)


def test_underscores_inside_words_stay_readable() -> None:
    assert escape_markdown("real_stride _x_") == r"real_stride \_x\_"


def test_a_paragraph_cannot_begin_a_list_a_heading_or_a_rule() -> None:
    assert escape_markdown("# no") == r"\# no"
    assert escape_markdown("- no") == r"\- no"
    assert escape_markdown("---") == r"\---"
    assert escape_markdown("1. no") == r"1\. no"
    assert escape_markdown("-0.5") == "-0.5"
    assert escape_markdown("34.00") == "34.00"


def test_backticks_mark_code_in_all_three_languages() -> None:
    text = "run `a_b --c` & see"
    assert markdown_text(text) == "run `a_b --c` & see"
    assert latex_text(text) == r"run \texttt{a\_b -{}-c} \& see"
    assert html_text(text) == "run <code>a_b --c</code> &amp; see"


def test_a_lone_backtick_is_text() -> None:
    assert markdown_text("a ` b") == r"a \` b"
    assert latex_text("a ` b") == "a ` b"
    assert html_text("a ` b") == "a ` b"
