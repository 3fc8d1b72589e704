"""A table and a report of every kind of block, whose texts are made to break a syntax."""

import numpy as np
import pytest

from reports.blocks import (
    Code,
    Details,
    Heading,
    ImageBlock,
    Paragraph,
    ProvenanceBlock,
    StripsBlock,
    SvgBlock,
    TableBlock,
    figure_block,
)
from reports.cells import Cell, Column, Row
from reports.charts.contact_sheet import Strip
from reports.charts.style import new_figure
from reports.document import PaperClaim, Report
from reports.provenance import Provenance
from reports.table import Table

NASTY = "<script>alert(1)</script> & \"{{body}}\" '*x*' <!-- --> ± \u2028"
MADE = (Provenance(details={"note": NASTY}),)


def chart(name: str) -> SvgBlock:
    figure = new_figure(2, 1, NASTY)
    return figure_block(figure, description=NASTY, caption=NASTY, name=name)


@pytest.fixture(scope="session")
def pixels():
    """Maker of random pictures of a shape."""

    def make(*shape: int) -> np.ndarray:
        return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)

    return make


@pytest.fixture(scope="session")
def nasty_table() -> Table:
    return Table(
        title=NASTY,
        caption=NASTY,
        label_heading=NASTY,
        columns=(Column(key="x", title=NASTY, direction="lower"), Column(key="y", title="said")),
        rows=(
            Row(
                label=NASTY,
                notes=(NASTY,),
                cells={
                    "x": Cell(value=0.1 + 0.2, low=0.1, high=1 / 3, notes=(NASTY,)),
                    "y": Cell(text=NASTY, mark="published"),
                },
            ),
            Row(
                label="b",
                section=NASTY,
                cells={"x": Cell(value=1, comparable=False), "y": Cell(reason=NASTY)},
            ),
        ),
        remarks=(NASTY,),
        provenance=MADE,
    )


@pytest.fixture
def nasty_report(nasty_table: Table, pixels) -> Report:
    table = TableBlock(table=nasty_table)
    strip = Strip(label=NASTY, pictures=pixels(3, 4, 5, 3), note=NASTY)
    return Report(
        title=NASTY,
        lead=NASTY,
        findings=(PaperClaim(claim=NASTY, verdict="not decided", numbers=NASTY),),
        blocks=(
            Heading(text=NASTY),
            Heading(text="small", level=3),
            Paragraph(text=f"{NASTY} run `a <b>`"),
            Code(text=f"```\n{NASTY}"),
            table,
            TableBlock(table=nasty_table, folds_notes=True),
            chart("one"),
            chart("two"),
            ImageBlock(image=pixels(4, 5, 3), description=NASTY, caption=NASTY, name="rgb"),
            ImageBlock(image=pixels(4, 5, 4), description=NASTY, name="rgba"),
            StripsBlock(strips=(strip,), description=NASTY, caption=NASTY, name="sheet"),
            Details(
                summary=NASTY,
                blocks=(Details(summary="s", blocks=(Paragraph(text=NASTY), chart("in"), table)),),
            ),
            ProvenanceBlock(records=MADE),
        ),
    )
