"""Drawings with their numbers, as files and as blocks of a report."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from reports.blocks import SvgBlock, figure_block
from reports.charts.svg import write_figure


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure and the numbers behind it."""

    name: str  # begins the names of its files
    figure: Figure
    data: pd.DataFrame | None = None  # None: a table beside it has them
    description: str  # describes it to readers who cannot see it
    caption: str

    @cached_property
    def block(self) -> SvgBlock:
        """The figure as a block of reports, which is drawn once."""
        return figure_block(
            self.figure, description=self.description, caption=self.caption, name=self.name
        )


def write_drawings(drawings: Iterable[Drawing], out: Path) -> list[Path]:
    """`name.svg`, `.png` and `.csv` of each."""
    written = [write_figure(x.figure, x.data, out, x.name) for x in drawings]
    return [path for paths in written for path in paths]
