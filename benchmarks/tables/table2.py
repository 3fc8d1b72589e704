"""Table 2 of the paper: the sizes of Latte, the paper's beside ours.

Ours are the presets that this package builds, which are the same at every scale.
"""

import time
from pathlib import Path

from benchmarks.documents.tables import TableDocument, cut_off, publish
from benchmarks.runners import RUNNERS
from benchmarks.tables.published import published_cell
from latte.config import preset
from latte.model.cost import cost
from reports.cells import Cell, Column, Row
from reports.provenance import Provenance
from reports.published import published
from reports.table import Table

PATCH = 2  # the paper's parameters are those of 2×2 patches: 4×4 and 8×8 give others
SOURCE = "arXiv:2401.03048v1 Table 4 (v3 Table 2)"
COLUMNS = (
    Column(key="layers", title="Layers"),
    Column(key="hidden_size", title="Hidden size"),
    Column(key="heads", title="Heads"),
    Column(key="params_m", title="Parameters (M)"),
)
CAPTION = (
    f"Ours: unconditional, patches of {PATCH}×{PATCH}, variant 1, trained parameters to the last "
    "one. The same at every scale."
)
SECTION = "Counted here"


def run(out: Path) -> None:
    """Write the documents of `table2` into `out`; print the table."""
    started = time.monotonic()
    publish(document(), out, started=started)


def document() -> TableDocument:
    """The table with whether our sizes are the paper's."""
    return TableDocument(
        name="table2", title=RUNNERS["table2"].title, lead=comparison(), tables=(sizes_table(),)
    )


def sizes_table() -> Table:
    """Layers, hidden size, heads and parameters (millions) of each size."""
    frame = published("sizes").set_index("model")
    names = [str(name) for name in frame.index]
    rows = [
        Row(label=name, cells={x.key: published_cell(str(frame.loc[name, x.key])) for x in COLUMNS})
        for name in names
    ]
    return Table(
        title="Sizes of Latte",
        caption=CAPTION,
        label_heading="Model",
        columns=COLUMNS,
        rows=(*rows, *(counted_row(name) for name in names)),
        remarks=(comparison(),),
        provenance=(Provenance(details={"published": SOURCE}),),
    )


def counted_row(name: str) -> Row:
    """Our preset of a size."""
    config = preset(f"{name}/{PATCH}")
    return Row(
        label=f"{name}/{PATCH}",
        section=SECTION,
        cells={
            "layers": Cell.fixed(config.depth, 0),
            "hidden_size": Cell.fixed(config.hidden_size, 0),
            "heads": Cell.fixed(config.num_heads, 0),
            "params_m": Cell.fixed(cost(config).parameters / 1e6, 6),
        },
    )


def comparison() -> str:
    """A sentence on the sizes in which every figure of ours is the paper's."""
    same = [
        all(
            as_printed(counted_row(str(line["model"])).cells[column.key]) == line[column.key]
            for column in COLUMNS
        )
        for _, line in published("sizes").iterrows()
    ]
    return (
        f"Every figure of ours is the paper's in {sum(same)} of {len(same)} sizes; the paper cuts "
        "parameters off after two decimals."
    )


def as_printed(cell: Cell) -> str:
    """A figure as the paper prints it: whole, or in millions."""
    assert cell.value is not None
    return f"{cell.value:.0f}" if float(cell.value).is_integer() else cut_off(cell.value)
