"""The commands of the paper's tables."""

import typer


def add_tables(app: typer.Typer) -> None:
    """Put them into `latte-bench`."""
