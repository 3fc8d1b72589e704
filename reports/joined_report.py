"""Several reports as sections of one, with a list of contents and what each says of the paper."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from msgspec import structs

from reports.blocks import (
    Block,
    Contents,
    Details,
    Heading,
    ImageBlock,
    Paragraph,
    ProvenanceBlock,
    SectionBlock,
    StripsBlock,
    SvgBlock,
    TableBlock,
)
from reports.document import ANSWERS, PaperClaim, Report
from reports.provenance import Provenance, unique_records
from reports.table import simple_table

PICTURES = "report-pictures"  # folder beside the Markdown
CLAIMS = "What the paper says, and what was measured here"
MAX_NOTES = 3  # footnotes; more are folded away


@dataclass(frozen=True, kw_only=True)
class Section:
    """A report within another."""

    name: str  # links lead to it; begins the names of its pictures
    report: Report

    @property
    def block(self) -> SectionBlock:
        """The report with its title as a heading and its headings one level smaller.

        Its provenance stands at its end, each record once, folded away.
        """
        report, records = self.report, provenance_of(self.report)
        blocks: list[Block] = [Paragraph(text=report.lead)] if report.lead else []
        blocks += [block for block in report.blocks if not isinstance(block, ProvenanceBlock)]
        blocks += [ProvenanceBlock(records=records, folded=True)] if records else []
        placed = tuple(_placed(block, self.name) for block in blocks)
        return SectionBlock(name=self.name, title=report.title, blocks=placed)


def joined_report(
    *, title: str, lead: str, about: Sequence[Block] = (), sections: Sequence[Section]
) -> Report:
    """One report of all sections, in the order given.

    Args:
        about: stands above the list of contents.

    Raises:
        ValueError: two of them have one name.
    """
    counts = Counter(section.name for section in sections)
    if repeated := [name for name, count in counts.items() if count > 1]:
        raise ValueError(f"two sections are called {repeated[0]}")
    contents = Contents(entries=tuple((x.name, x.report.title) for x in sections))
    blocks = (*about, contents, *(section.block for section in sections))
    return Report(title=title, lead=lead, blocks=blocks)


def claims_report(sections: Sequence[Section]) -> Report:
    """A table of all claims of the sections, and how many have which answer."""
    claims = [(x.name, claim) for x in sections for claim in x.report.findings]
    table = simple_table(
        "Claims of the paper",
        {key: key for key in ("where", "here", "numbers")},
        (
            (label, (name, claim.verdict, claim.numbers))
            for label, (name, claim) in zip(_labels(claims), claims, strict=True)
        ),
        label_heading="Claim",
    )
    lead = counted([claim for _, claim in claims])
    return Report(title=CLAIMS, lead=lead, blocks=(TableBlock(table=table),) if claims else ())


def _labels(claims: Sequence[tuple[str, PaperClaim]]) -> list[str]:
    """The texts of claims; equal ones with the section's name, and there with a number."""
    counts = Counter(claim.claim for _, claim in claims)
    used: Counter[str] = Counter()
    labels = []
    for name, claim in claims:
        label = claim.claim if counts[claim.claim] == 1 else f"{claim.claim} ({name})"
        used[label] += 1
        labels.append(label if used[label] == 1 else f"{label}, {used[label]}")
    return labels


def counted(claims: Sequence[PaperClaim]) -> str:
    """How many claims have which answer.

    >>> counted([PaperClaim(claim="S-AdaLN is better", verdict="yes", numbers="1.2 < 1.4")])
    '1 claim of the paper: 1 yes.'
    """
    if not claims:
        return "No claim of the paper was checked."
    answers = Counter(claim.verdict for claim in claims)
    counts = ", ".join(f"{answers[answer]} {answer}" for answer in ANSWERS if answers[answer])
    return f"{len(claims)} claim{'s' * (len(claims) > 1)} of the paper: {counts}."


def provenance_of(report: Report) -> tuple[Provenance, ...]:
    """How a report's numbers came about, each record once."""
    records: list[Provenance] = []
    for block in report.blocks:
        if isinstance(block, ProvenanceBlock):
            records += block.records
        elif isinstance(block, TableBlock):
            records += block.table.provenance
    return unique_records(records)


def without_provenance(report: Report) -> str:
    """What a report says, but for how its numbers came about: for comparing two."""
    kept = tuple(
        structs.replace(block, table=replace(block.table, provenance=()))
        if isinstance(block, TableBlock)
        else block
        for block in report.blocks
        if not isinstance(block, ProvenanceBlock)
    )
    return replace(report, blocks=kept).to_json()


def _placed(block: Block, section: str) -> Block:
    """The block in a section: a smaller heading, pictures in their folder, no provenance."""
    match block:
        case Heading():
            return structs.replace(block, level=min(block.level + 1, 4))
        case TableBlock():
            table = replace(block.table, provenance=())
            folds_notes = block.folds_notes or len(table.layout().footnotes) > MAX_NOTES
            return TableBlock(table=table, folds_notes=folds_notes)
        case Details():
            inner = tuple(_placed(part, section) for part in block.blocks)
            return structs.replace(block, blocks=inner)
        case SvgBlock() | ImageBlock() | StripsBlock():
            name = block.name if block.name.startswith(section) else f"{section}-{block.name}"
            return structs.replace(block, name=f"{PICTURES}/{name}")
    return block
