"""The documents of a figure: drawings with their numbers, values, and the paper's claims."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cells.cache import CellRecord
from benchmarks.cells.scale import Scale
from benchmarks.documents.claims import JudgedClaim
from benchmarks.documents.drawings import Drawing
from benchmarks.documents.tables import bare, provenance_block, publish_report
from reports.blocks import Block, Details, Heading, Paragraph
from reports.document import PaperClaim, Report
from reports.table import Table, simple_table


@dataclass(frozen=True, kw_only=True)
class FigureDocument:
    """What a figure's command leaves, and its section of the joined report."""

    name: str  # begins the names of the files
    title: str  # "Figure 5a: Patch embedding"
    lead: str  # says what was found
    scale: Scale
    drawings: tuple[Drawing, ...]  # the first is shown, the others are folded away
    claims: tuple[JudgedClaim, ...]
    verdicts: tuple[str, ...]  # say what the verdicts mean
    values: Table
    method: str  # how the numbers are made
    overview: tuple[PaperClaim, ...] = ()  # claims for the overview, if not these one by one
    beside: tuple[Table, ...] = ()  # other tables, above the values
    more: tuple[Block, ...] = ()  # explain how they are made
    cells: tuple[CellRecord, ...] = ()  # hold the values shown
    section: str | None = None  # its name in the joined report, if another

    @property
    def report(self) -> Report:
        """The drawings, what the paper claims, the values, and how they are made."""
        first, others = self.drawings[:1], self.drawings[1:]
        folded = Details(summary="More figures", blocks=tuple(drawing.block for drawing in others))
        return Report(
            title=self.title,
            lead=self.lead,
            scale=self.scale,
            blocks=(
                *(drawing.block for drawing in first),
                bare(claims_table(self.claims, self.verdicts)),
                *map(bare, self.beside),
                bare(self.values),
                *([folded] if others else []),
                Heading(text="How these numbers are made"),
                Paragraph(text=self.method),
                *self.more,
                provenance_block([*self.beside, self.values]),
            ),
            findings=self.overview or tuple(claim.paper_claim for claim in self.claims),
        )


def write_figure_document(document: FigureDocument, out: Path) -> None:
    """Write `name.md`, `.html`, `.tex`, `.jsonl`, every drawing, and the section, into `out`.

    Prints the values and the claims.
    """
    print(document.values.markdown())
    print("\n".join(claim.line for claim in document.claims))
    publish_report(
        document.report,
        out,
        document.name,
        drawings=document.drawings,
        texts={
            "tex": document.values.latex(),
            "jsonl": "".join(cell.to_json() + "\n" for cell in document.cells),
        },
        section=document.section,
    )


def claims_table(claims: Sequence[JudgedClaim], verdicts: tuple[str, ...] = ()) -> Table:
    """The paper's claims beside what was measured; `verdicts` say what the words mean."""
    return simple_table(
        "What the paper claims",
        {"paper": "paper", "here": "here", "numbers": "measured"},
        ((x.claim, (x.paper.verdict, x.measured.verdict, x.measured.numbers)) for x in claims),
        label_heading="Claim",
        remarks=verdicts,
    )


def verdicts_lead(claims: Sequence[JudgedClaim]) -> str:
    """One sentence for each claim."""
    return " ".join(f"{claim.claim}: {claim.measured.verdict}." for claim in claims)
