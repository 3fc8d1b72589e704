"""Plain text made fit for each syntax. Whatever comes in is shown as it is, on one line.

In sentences a part between backticks is code. HTML is escaped by the templates themselves.
"""

import re
import unicodedata
from collections.abc import Callable

from markupsafe import Markup, escape

# How LaTeX writes characters that it does not take as they are, with T1 fonts and no package.
# Our own: pylatexenc writes some with commands that no package here has (`\textfrac`).
LATEX = {
    "\0": "{}",  # two hyphens would become a dash
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
    "−": r"$-$",
    "†": r"\dag{}",
    "‡": r"\ddag{}",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "“": "``",
    "”": "''",
    "‘": "`",
    "’": "'",
    "½": r"$\frac12$",
    "²": r"$^2$",
    "³": r"$^3$",
    "′": r"$'$",
    "°": r"$^\circ$",
    "\u00a0": "~",
    "\u202f": r"\,",
    "⁄": "/",
    "‐": "-",
    "‑": "-",
}
_MATH = (
    "± pm × times ÷ div √ surd · cdot ≤ leq ≥ geq ≈ approx ≠ neq ∞ infty ∅ emptyset ∘ circ "
    "‖ Vert ⌊ lfloor ⌋ rfloor ⇔ Leftrightarrow ← leftarrow → rightarrow ↑ uparrow ↓ downarrow "
    "α alpha β beta γ gamma δ delta ε varepsilon ζ zeta η eta θ theta ι iota κ kappa λ lambda "
    "μ mu ν nu ξ xi π pi ρ rho σ sigma τ tau υ upsilon φ varphi χ chi ψ psi ω omega "
    "Γ Gamma Δ Delta Θ Theta Λ Lambda Ξ Xi Π Pi Σ Sigma Φ Phi Ψ Psi Ω Omega"
)
LATEX |= {sign: rf"$\{name}$" for sign, name in re.findall(r"(\S) (\w+)", _MATH)}
T1 = frozenset(  # taken as they are
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿ§£¡¿«»‹›„‚"
    "ĂăĄąĆćČčĎďĐđĘęĚěĞğĹĺĽľŁłŃńŇňŐőŒœŔŕŘřŚśŞşŠšŢţŤťŮůŰűŸŹźŻżŽž"
)


def one_line(text: str) -> str:
    """The text without line breaks, tabs and other control characters."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text)


def escape_markdown(text: str) -> str:
    """Plain text as Markdown that shows it.

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
    if character in LATEX:
        return LATEX[character]
    if character.isascii() or character in T1:
        return character
    kind, _, codes = unicodedata.decomposition(character).rpartition("> ")
    if kind:
        meant = "".join(_latex_character(chr(int(code, 16))) for code in codes.split())
        raised = {"<super": r"\textsuperscript", "<sub": r"\textsubscript"}.get(kind)
        return f"{raised}{{{meant}}}" if raised else meant
    is_invisible = unicodedata.category(character) == "Cf"
    return "" if is_invisible else rf"\texttt{{U+{ord(character):04X}}}"


def markdown_text(text: str) -> str:
    """A sentence as Markdown."""
    return _sentence(text, escape_markdown, lambda code: f"`{code}`")


def latex_text(text: str) -> str:
    """A sentence as LaTeX."""
    return _sentence(text, escape_latex, lambda code: rf"\texttt{{{escape_latex(code)}}}")


def html_text(text: str) -> Markup:
    """A sentence as HTML."""
    return Markup(_sentence(text, escape, lambda code: Markup("<code>{}</code>").format(code)))


def _sentence(text: str, escape_part: Callable[[str], str], code: Callable[[str], str]) -> str:
    parts = one_line(text).split("`")
    if len(parts) % 2 == 0:  # a backtick without its partner is a character like any other
        return escape_part(one_line(text))
    return "".join(code(part) if i % 2 else escape_part(part) for i, part in enumerate(parts))
