"""Tables as documents: a set of files for a table with its parts, and a section of the report."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from benchmarks.cells.provenance import this_run
from benchmarks.cells.scale import Scale
from benchmarks.documents.drawings import Drawing, write_drawings
from reports.blocks import Block, ProvenanceBlock, TableBlock
from reports.document import PaperClaim, Report
from reports.files import write_files
from reports.provenance import unique_records
from reports.table import Table, write_tables

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TableDocument:
    """What a runner of tables writes: its documents, and its section of the joined report."""

    name: str  # name of the files
    title: str  # title of the section
    lead: str  # computed summary
    tables: Sequence[Table]  # one below the other in each document
    data: str = ""  # the CSV, if it is not made of the tables
    drawings: Sequence[Drawing] = ()  # have files of their own
    findings: Sequence[PaperClaim] = ()
    blocks: Sequence[Block] = ()  # replace the tables where the section shows more
    section: str | None = None  # name of the section, if it differs from that of the files
    scale: Scale | None = None  # None: nothing of it depends on a scale

    @property
    def report(self) -> Report:
        """The section: provenance stands once, at its end."""
        return Report(
            title=self.title,
            lead=self.lead,
            blocks=(*(self.blocks or map(bare, self.tables)), provenance_block(self.tables)),
            scale=self.scale or "",
            findings=tuple(self.findings),
        )


def bare(table: Table) -> TableBlock:
    """A table whose provenance stands elsewhere."""
    return TableBlock(table=replace(table, provenance=()))


def provenance_block(tables: Sequence[Table]) -> ProvenanceBlock:
    """The provenance of several tables, each record once."""
    records = unique_records(record for table in tables for record in table.provenance)
    return ProvenanceBlock(records=records)


def leaders(table: Table) -> Mapping[str, list[str]]:
    """The titles of the columns in which each row has the best published figure.

    Rows that lead in most columns come first.
    """
    titles: dict[str, list[str]] = {}
    for column in table.columns:
        values = {
            row.label: row.cells[column.key].value
            for row in table.rows
            if row.cells[column.key].mark == "published"
        }
        known = {label: value for label, value in values.items() if value is not None}
        if column.direction and known:
            best = (max if column.direction == "higher" else min)(known, key=known.__getitem__)
            titles.setdefault(best, []).append(column.title)
    return dict(sorted(titles.items(), key=lambda item: -len(item[1])))


def of_this_run(document: TableDocument, started: float) -> TableDocument:
    """The document with the provenance of this run, under its first table that has any.

    Args:
        started: `time.monotonic()` when the work began.
    """
    record = this_run(seconds=time.monotonic() - started)
    tables = list(document.tables)
    place = next(place for place, table in enumerate(tables) if table.provenance)
    tables[place] = replace(tables[place], provenance=(*tables[place].provenance, record))
    return replace(document, tables=tables)


def cut_off(value: float) -> str:
    """A number as the paper's tables print parameters: not rounded, but cut off after two decimals.

    >>> cut_off(129.54704)
    '129.54'
    """
    return f"{math.floor(value * 100) / 100:.2f}"


def publish(document: TableDocument, folder: Path, *, started: float | None = None) -> None:
    """Write `name.md`, `.csv`, `.tex`, drawings and the section; print the tables.

    Args:
        started: see `of_this_run`; None where the document has its provenance already.
    """
    if started is not None:
        document = of_this_run(document, started)
    paths = write_tables(document.tables, folder, document.name, data=document.data)
    paths += write_drawings(document.drawings, folder)
    paths.append(document.report.store(folder, document.section or document.name))
    print("\n".join(table.markdown() for table in document.tables))
    log_written(paths)


def publish_timed(make: Callable[[], TableDocument], folder: Path) -> None:
    """Make a document and `publish` it, with the time that making it took."""
    started = time.monotonic()
    publish(make(), folder, started=started)


def publish_report(
    report: Report,
    folder: Path,
    name: str,
    *,
    drawings: Sequence[Drawing] = (),
    texts: Mapping[str, str] | None = None,
    section: str | None = None,
) -> None:
    """Write a report, also as data, with its drawings.

    Args:
        texts: more files called `name`, by their ending.
        section: the name of the report as data, if it is another.
    """
    paths = report.write(folder, name, stored=section)
    paths += write_drawings(drawings, folder)
    more = {f"{name}.{ending}": text for ending, text in (texts or {}).items()}
    log_written([*paths, *write_files(folder, more)])


def csv_text(frame: pd.DataFrame) -> str:
    """A table of numbers as CSV."""
    text: str = frame.to_csv(index=False, lineterminator="\n")
    return text


def log_written(paths: Iterable[Path]) -> None:
    """Say where the documents are, each once."""
    for path in dict.fromkeys(paths):
        logger.info("wrote %s", path)
