"""From results, and what is to be measured besides, to the documents of a published table."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cells.cache import MeasuredCells
from benchmarks.cells.scale import Scale, name_at
from benchmarks.documents.tables import TableDocument, bare, of_this_run, publish
from benchmarks.tables.measured_results import Measured, read_measured
from benchmarks.tables.published import PublishedTable
from latte.data.errors import InputError
from reports.table import Table

MIN_VIDEOS = 20  # of a set; intervals of fewer say nothing


@dataclass(frozen=True, kw_only=True)
class TableRequest:
    """Which results a table shows, what is measured besides, and how the work is done.

    Raises:
        InputError: too few videos.
    """

    results: tuple[Path | str, ...] = ()  # files of `latte-eval`, or `[NAME=]FILE` of VBench
    scale: Scale | None = None  # None: nothing is measured
    cells: Path | None = None  # folder of measured cells, which tables share
    num_videos: int | None = None  # of each set; None: as many as the scale takes
    seeds: int = 1  # on shapes
    checkpoint: Path | None = None  # on shapes: another model than the bundled one
    workers: int = 0
    device: str | None = None  # None: the CPU on shapes, a GPU at `paper` scale
    store: Path | None = None  # of features; None: in the folder of the cells
    checkpoints: Path = Path("checkpoints")  # at `paper` scale, as the fields below
    data_root: Path | None = None
    vae: str | None = None
    only_available: bool = False

    def __post_init__(self) -> None:
        if self.num_videos is not None and self.num_videos < MIN_VIDEOS:
            raise InputError(f"--num-videos {self.num_videos}: must be at least {MIN_VIDEOS}")

    @property
    def folder(self) -> Path:
        """Folder of the cells; results at different scales never mix."""
        return self.cells or Path("results") / name_at("methods", self.scale or "tiny")


@dataclass(frozen=True, kw_only=True)
class Made:
    """What was measured: more rows of the table, and tables below it."""

    results: Sequence[Measured] = ()
    not_measured: Sequence[str] = ()  # sentences
    tables: Sequence[Table] = ()
    found: Sequence[str] = ()  # what these tables show, sentences
    finished: MeasuredCells | None = None


def document(table: PublishedTable, given: Sequence[Measured], made: Made) -> TableDocument:
    """The table with given and measured results, what was measured besides below it."""
    results = [*given, *made.results]
    whole, folded = (
        table.with_results(results, made.not_measured, folded=folded) for folded in (False, True)
    )
    return TableDocument(
        name=table.name,
        title=table.section,
        lead=" ".join([table.lead(results), *made.found]),
        tables=(whole, *made.tables),
        blocks=(bare(folded), *table.differences(results), *map(bare, made.tables)),
    )


def run_table(table: PublishedTable, out: Path, request: TableRequest) -> None:
    """Write the documents of a table into `out`; print the table and the paths.

    Raises:
        InputError: a results file that cannot be read, a broken line, or two results for one cell,
            before anything is measured or written; what a measurement lacks, likewise; or cells
            that could not be measured, after the others are written.
    """
    started = time.monotonic()
    given = [item for path in request.results for item in read_measured(Path(path), table.metrics)]
    made = Made()
    if request.scale is not None:
        from benchmarks.tables.measurements import measure

        table.with_results(given)  # or refuse it, before hours of work
        made = measure(table, request)
    publish(of_this_run(document(table, given, made), started), out)
    if made.finished is not None:
        made.finished.raise_if_failed()
