"""The documents of a figure: drawings with their numbers, values, and the paper's claims."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from benchmarks.cells.cache import CellRecord
from benchmarks.documents.claims import JudgedClaim
from benchmarks.documents.tables import bare, provenance_of, text_table, written
from reports.blocks import Block, Details, Heading, Paragraph, SvgBlock, figure_block
from reports.charts.svg import write_figure
from reports.document import PaperClaim, Report
from reports.table import Table


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure and the numbers behind it."""

    name: str  # of its files
    figure: Figure
    data: pd.DataFrame | None  # None: a table beside it has them
    description: str  # for somebody who cannot see it
    caption: str

    @cached_property
    def block(self) -> SvgBlock:
        """The figure as a block of reports, which is drawn once."""
        return figure_block(
            self.figure, description=self.description, caption=self.caption, name=self.name
        )


@dataclass(frozen=True, kw_only=True)
class FigureDocument:
    """What a figure's command leaves, and its section of the joined report."""

    name: str  # of the files
    title: str  # "Figure 5a: Patch embedding"
    lead: str  # what was found: computed
    drawings: tuple[Drawing, ...]  # the first is shown, the others are folded away
    claims: tuple[JudgedClaim, ...]
    verdicts: tuple[str, ...]  # what the verdicts mean
    values: Table
    method: str  # how the numbers are made
    overview: tuple[PaperClaim, ...] = ()  # claims for the overview, if not these one by one
    beside: tuple[Table, ...] = ()  # other tables, above the values
    more: tuple[Block, ...] = ()  # on how they are made
    cells: tuple[CellRecord, ...] = ()  # that are shown
    section: str | None = None  # of the joined report, if it is called otherwise than the files

    @property
    def report(self) -> Report:
        """The drawings, what the paper claims, the values, and how they are made."""
        first, others = self.drawings[:1], self.drawings[1:]
        folded = Details(summary="More figures", blocks=tuple(each.block for each in others))
        return Report(
            title=self.title,
            lead=self.lead,
            blocks=(
                *(drawing.block for drawing in first),
                bare(claims_table(self.claims, self.verdicts)),
                *map(bare, self.beside),
                bare(self.values),
                *([folded] if others else []),
                Heading(text="How these numbers are made"),
                Paragraph(text=self.method),
                *self.more,
                provenance_of([*self.beside, self.values]),
            ),
            findings=self.overview or tuple(claim.paper_claim for claim in self.claims),
        )


def write_figure_document(document: FigureDocument, out: Path) -> None:
    """Write `name.md`, `.html`, `.tex`, `.jsonl`, every drawing, and the section, into `out`.

    Prints the values, the claims and the paths.
    """
    print(document.values.markdown())
    print("\n".join(claim.line for claim in document.claims))
    paths = document.report.write(out, document.name, stored=document.section)
    paths += write_drawings(document.drawings, out)
    texts = {
        "tex": document.values.latex(),
        "jsonl": "".join(cell.to_json() + "\n" for cell in document.cells),
    }
    for ending, text in texts.items():
        paths.append(out / f"{document.name}.{ending}")
        paths[-1].write_text(text, encoding="utf-8", newline="\n")
    print(written(paths))


def write_drawings(drawings: Iterable[Drawing], out: Path) -> list[Path]:
    """`name.svg`, `.png` and `.csv` of each."""
    written = [write_figure(each.figure, each.data, out, each.name) for each in drawings]
    return [path for paths in written for path in paths]


def claims_table(claims: Sequence[JudgedClaim], verdicts: tuple[str, ...] = ()) -> Table:
    """The paper's claims beside what was measured; `verdicts` say what the words mean."""
    return text_table(
        "What the paper claims",
        "Claim",
        {"paper": "paper", "here": "here", "seen": "measured"},
        [(x.claim, x.paper.verdict, x.here.verdict, x.here.seen) for x in claims],
        verdicts,
    )


def verdicts_lead(claims: Sequence[JudgedClaim]) -> str:
    """One sentence for each claim."""
    return " ".join(f"{claim.claim}: {claim.here.verdict}." for claim in claims)
