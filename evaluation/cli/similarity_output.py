"""Where `latte-eval similarity` writes: the results file, figures and stdout."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evaluation.cli.metrics import one_object
from evaluation.cli.options import OutputOptions
from latte.data.errors import InputError
from latte.data.files import can_write

if TYPE_CHECKING:
    from evaluation.results.record import Result
    from evaluation.similarity.plots import Drawn


@dataclass(frozen=True, kw_only=True)
class SimilarityOutput(OutputOptions):
    """Where results and figures go."""

    plots: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write figures there: .svg, .png, and the numbers as .csv."
        ),
    ] = None

    def check(self) -> None:
        """Make the folder of figures and refuse outputs that cannot be written, before the work.

        Raises:
            InputError: naming the file or folder.
        """
        from evaluation.results.files import check_writable

        check_writable(self.out)
        if self.plots is None:
            return
        if self.plots.exists() and not self.plots.is_dir():
            raise InputError(f"{self.plots} is a file: --plots takes a folder")
        if not can_write(self.plots):
            raise InputError(f"{self.plots} cannot be written: choose another folder with --plots")

    def show(
        self,
        results: Sequence["Result"],
        lines: Sequence[str],
        figures: Callable[[], Mapping[str, "Drawn"]],
    ) -> None:
        """Write the figures, and print the results as JSON or as these lines."""
        if self.plots is not None:
            from evaluation.similarity.plots import write_figures

            write_figures(figures(), self.plots)
        if self.as_json:
            typer.echo(one_object(results))
            return
        for line in lines:
            typer.echo(line.rstrip("\n"))
        if self.plots is not None:
            typer.echo(f"figures: {self.plots}")
