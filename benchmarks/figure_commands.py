"""The commands of the paper's figures: ablations and similarity."""

import typer


def add_figures(app: typer.Typer) -> None:
    """Put them into `latte-bench`."""
