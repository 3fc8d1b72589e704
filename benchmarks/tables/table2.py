"""Table 2 of the paper: the sizes of Latte, the paper's beside ours.

Ours are the presets that this package builds, which are the same at every scale.
"""

from functools import partial

from benchmarks.documents.tables import TableDocument, cut_off, publish_timed
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


def document() -> TableDocument:
    """The table with whether our sizes are the paper's."""
    table = sizes_table()
    return TableDocument(
        name="table2", title=RUNNERS["table2"].title, lead=table.remarks[0], tables=(table,)
    )


def sizes_table() -> Table:
    """Layers, hidden size, heads and parameters (millions) of each size."""
    printed, counted, same = [], [], 0
    for _, line in published("sizes").iterrows():
        config = preset(f"{line['model']}/{PATCH}")
        parameters = cost(config).parameters / 1e6
        cells = {
            "layers": Cell.fixed(config.depth, 0),
            "hidden_size": Cell.fixed(config.hidden_size, 0),
            "heads": Cell.fixed(config.num_heads, 0),
            "params_m": Cell.fixed(parameters, 6),
        }
        as_printed = {key: cell.text for key, cell in cells.items()}
        as_printed["params_m"] = cut_off(parameters)
        same += all(line[key] == text for key, text in as_printed.items())
        paper = {key: published_cell(str(line[key])) for key in cells}
        printed.append(Row(label=str(line["model"]), cells=paper))
        counted.append(Row(label=f"{line['model']}/{PATCH}", section=SECTION, cells=cells))
    return Table(
        title="Sizes of Latte",
        caption=CAPTION,
        label_heading="Model",
        columns=COLUMNS,
        rows=(*printed, *counted),
        remarks=(
            f"Every figure of ours is the paper's in {same} of {len(printed)} sizes; the paper "
            "cuts parameters off after two decimals.",
        ),
        provenance=(Provenance(details={"published": SOURCE}),),
    )


run = partial(publish_timed, document)
