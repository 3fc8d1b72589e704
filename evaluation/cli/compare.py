"""`latte-eval compare`: results of several models as one table."""

from pathlib import Path
from typing import Annotated

import typer

from evaluation.cli.options import AsJson, Quiet, Store
from latte.data.errors import InputError, escaped


def compare_results(
    results: Annotated[list[Path], typer.Argument(metavar="RESULTS...", help="Results files.")],
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
        float, typer.Option(metavar="P", help="Level of significance, after Holm's correction.")
    ] = 0.05,
    permutations: Annotated[
        int,
        typer.Option(
            min=0, metavar="N", help="Permutations of each test; 0 tests by the intervals alone."
        ),
    ] = 1000,
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="Random seed of the permutations.")
    ] = 0,
    store: Store = None,
    quiet: Quiet = False,
) -> None:
    """Print models × metrics with intervals, ranks and significance.

    Ranks only results that were measured in the same way; others get a footnote that names what
    differs. Differences from the best are tested by permutations if the features are in the store,
    otherwise by the intervals.

    latte-eval compare results.jsonl --markdown
    """
    from evaluation.comparison.api import Comparison, compare
    from evaluation.comparison.significance import PairTest, check_level
    from evaluation.features.store import default_store

    syntaxes = {
        "--markdown": (markdown, Comparison.markdown),
        "--csv": (csv, Comparison.csv),
        "--latex": (latex, Comparison.latex),
        "--json": (as_json, Comparison.json),
    }
    requested = {name: write for name, (wanted, write) in syntaxes.items() if wanted}
    if len(requested) > 1:
        raise InputError(f"{' and '.join(requested)}: give one of them")
    check_level(level)
    if 0 < permutations < 1 / level - 1:
        raise InputError(
            f"--permutations {permutations}: too few to reach the level {level}, give at least "
            f"{round(1 / level)}, or 0 for none"
        )
    test = PairTest(
        store=store or default_store(),
        paired=paired,
        permutations=permutations,
        seed=seed,
        progress=not quiet,
    )
    write = next(iter(requested.values()), Comparison.text)
    typer.echo(escaped(write(compare(results, level=level, test=test)), keep="\n"), nl=False)
