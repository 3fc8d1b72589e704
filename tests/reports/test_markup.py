import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.render.escape import (
    escape_latex,
    escape_markdown,
    html_text,
    latex_text,
    markdown_text,
    one_line,
)

ROOT = Path(__file__).parents[2]
# What a user may call a model, and what no encoding of LaTeX knows.
FOREIGN = "模型 🎬 Nguyễn ᾱ ﬁ ½ x₁ ¹⁰⁻⁵ a\u0308 \u200b\ufeff\u202f\u2011 Ω ℓ ℝ № ™ ⅓"
# What pdflatex takes as it is, in T1: checked by a document, where there is a LaTeX.
ACCENTED = (
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿ§£¡¿«»‹›„‚"
    "ĂăĄąĆćČčĎďĐđĘęĚěĞğĹĺĽľŁłŃńŇňŐőŒœŔŕŘřŚśŞşŠšŢţŤťŮůŰűŸŹźŻżŽž"
)
TEXT = st.text(alphabet=st.sampled_from("ab1 \\`*_[]{}()<>|~$&%#^\"'-+.!\n\t±–é"), max_size=30)


@given(TEXT)
def test_html_reads_back_as_the_text(text: str) -> None:
    escaped = str(html_text(text.replace("`", "")))
    assert html.unescape(escaped) == one_line(text.replace("`", ""))
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


def characters_of_the_project() -> str:
    """Every character of the sources and of the results that are shown in the documents."""
    packages = ("latte", "evaluation", "benchmarks", "reports")
    files = [file for name in packages for file in (ROOT / name).rglob("*.py")]
    files += (ROOT / "reports" / "published").glob("*.csv")
    files += (ROOT / "docs" / "results").glob("*.tex")
    found = set().union(*(file.read_text(encoding="utf-8") for file in files))
    return "".join(sorted(character for character in found if character.isprintable()))


@pytest.mark.parametrize("text", [characters_of_the_project(), FOREIGN], ids=["ours", "foreign"])
def test_latex_gets_no_character_that_it_would_stop_at(text: str) -> None:
    assert all(x.isascii() or x in ACCENTED for x in escape_latex(text))


def test_no_character_of_ours_is_but_a_number_in_latex() -> None:
    only_in_comments = "ᾱ\u0303模"
    ours = set(characters_of_the_project()) - set(only_in_comments)
    assert "U+" not in "".join(map(escape_latex, ours))


@given(st.text(max_size=20))
def test_whatever_a_user_calls_a_model_latex_can_take(text: str) -> None:
    escaped = escape_latex(text)
    assert not re.search(r"[\x00-\x1f\x7f-\xa0]", escaped)
    assert all(x.isascii() or x in ACCENTED for x in escaped)


def test_what_latex_cannot_show_is_named_by_its_number() -> None:
    assert escape_latex("模") == r"\texttt{U+6A21}"
    assert escape_latex("x₁² ⅓ ﬁ ℝ\u200b") == r"x\textsubscript{1}$^2$ 1/3 fi R"
    assert escape_latex("√(1 + 1/8) ÷ 2") == r"$\surd$(1 + 1/8) $\div$ 2"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles_with_every_character(tmp_path: Path) -> None:
    shown = [escape_latex(text) for text in (*characters_of_the_project(), *FOREIGN, *ACCENTED)]
    document = (
        "\\documentclass{article}\n\\usepackage[T1]{fontenc}\n\\begin{document}\n"
        + "\n\n".join(f"a{text}b" for text in shown)
        + "\n\\end{document}\n"
    )
    (tmp_path / "all.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Missing character" not in (tmp_path / "all.log").read_text(errors="replace")
