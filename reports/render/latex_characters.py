"""How LaTeX writes characters that it does not take as they are, with T1 fonts and no package.

A table of our own: pylatexenc writes some with commands that no package here has (`\\textfrac`).
"""

import re

LATEX = {
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
    "‡": r"\ddag{}",
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
LATEX |= {letter: rf"$\{name}$" for letter, name in re.findall(r"(\w) (\w+)", _GREEK)}
# Taken as they are.
T1 = frozenset(
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿ§£¡¿«»‹›„‚"
    "ĂăĄąĆćČčĎďĐđĘęĚěĞğĹĺĽľŁłŃńŇňŐőŒœŔŕŘřŚśŞşŠšŢţŤťŮůŰűŸŹźŻżŽž"
)
