"""`latte-eval compare`: results of several models as one table."""

from pathlib import Path
from typing import Annotated

import typer

from evaluation.cli.options import AsJson, Quiet, Store
from latte.data.errors import InputError


def compare_results(
    results: Annotated[
        list[Path], typer.Argument(metavar="RESULTS...", help="Files that other commands wrote.")
    ],
    markdown: Annotated[bool, typer.Option("--markdown", help="A Markdown table.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="One line for each value.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="A LaTeX table (booktabs).")] = False,
    as_json: AsJson = False,
    paired: Annotated[
        bool,
        typer.Option(
            "--paired", help="Clip i of every model shares its prompt, label or seed: test pairs."
        ),
    ] = False,
    level: Annotated[
        float, typer.Option(metavar="P", help="Of significance, after Holm's correction.")
    ] = 0.05,
    permutations: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="Of each test; 0 tests by the intervals alone."),
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Of the permutations.")] = 0,
    store: Store = None,
    quiet: Quiet = False,
) -> None:
    """Print models × metrics with intervals, ranks and significance.

    Ranks only results that were made in the same way; the others get a footnote that says what
    differs. Differences from the best are tested by permutations where the features are still in
    the store, else by the intervals.

    latte-eval compare results.jsonl --markdown
    """
    from evaluation.comparison.entries import read_entries
    from evaluation.comparison.significance import PairTest
    from evaluation.comparison.table import compare
    from evaluation.comparison.text import FORMS
    from evaluation.features.store import default_store

    chosen = [
        name
        for name, wanted in (
            ("markdown", markdown),
            ("csv", csv),
            ("latex", latex),
            ("json", as_json),
        )
        if wanted
    ]
    if len(chosen) > 1:
        raise InputError(f"--{' and --'.join(chosen)}: give one of them")
    if not 0 < level < 1:
        raise InputError(f"--level {level}: it is between 0 and 1, usually 0.05")
    if 0 < permutations < 1 / level - 1:
        raise InputError(
            f"--permutations {permutations}: so few cannot reach the level {level}; give at least "
            f"{round(1 / level)}, or 0 for none"
        )
    test = PairTest(
        store=store or default_store(),
        paired=paired,
        permutations=permutations,
        seed=seed,
        progress=not quiet,
    )
    table = compare(read_entries(results), test, level=level)
    typer.echo(FORMS[chosen[0] if chosen else "text"](table), nl=False)
