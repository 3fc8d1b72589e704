"""Table 3 of the paper: Fréchet video distances of methods on four data sets, and yours below.

The paper's rows and columns are in its order. Measured results follow in a section of their own,
each with its interval, and with a footnote where its protocol is not the column's.
"""

from functools import partial

from benchmarks.tables.published import (
    DATASETS,
    PublishedColumn,
    PublishedTable,
    by_method,
    published_cell,
)
from benchmarks.tables.run import run_table
from reports.cells import Row
from reports.numbers import ASYMMETRIC
from reports.published import published

SOURCE = "arXiv:2401.03048v3 Table 3"
FIRST_VERSION = "arXiv:2401.03048v1 Table 2"
RETRAINED = {("PVDM", "faceforensics"), ("PVDM", "taichi-hd")}  # v1, caption of Table 2
RETRAINED_NOTE = f"Trained by the paper's authors themselves ({FIRST_VERSION})."


def published_rows() -> list[Row]:
    """The paper's methods in its order; where its first version differs, a footnote says so."""
    frame = published("fvd")
    current, first = (
        by_method(frame[frame.source == source], "dataset", "fvd")
        for source in (SOURCE, FIRST_VERSION)
    )
    rows = []
    for method, values in current.items():
        cells = {}
        for dataset in DATASETS:
            value, before = values.get(dataset), first.get(method, {}).get(dataset)
            notes = [RETRAINED_NOTE] if (method, dataset) in RETRAINED else []
            if before not in (None, value):
                notes.append(f"{before} in the paper's first version ({FIRST_VERSION}).")
            cells[dataset] = published_cell(value, notes)
        rows.append(Row(label=method, cells=cells))
    return rows


TABLE = PublishedTable(
    name="table3",
    title="Fréchet video distance (FVD) of video generators",
    caption=(
        "16 frames at 256×256; lower is better; ± is half of the 95 % interval of a measured "
        f"value, {ASYMMETRIC}."
    ),
    source=SOURCE,
    columns=tuple(
        PublishedColumn(
            key=key,
            title=title,
            direction="lower",
            metric="FVD",
            command="fvd",
            network="i3d",
            dataset=key,
        )
        for key, title in DATASETS.items()
    ),
    rows=published_rows,
    protocols=(
        "The paper took most figures of other methods from StyleGAN-V or from their own papers, "
        "which may follow other protocols. Measured values are compared with the official Latte "
        "evaluation."
    ),
    nothing_measured=(
        "Published figures alone: no measured result was given. `latte-eval fvd --dataset ucf101 "
        "--protocol latte --fake FOLDER` makes one, `latte-bench table3 --results results.jsonl` "
        "shows it here."
    ),
    on_shapes=("FVD-shapes",),
)
run = partial(run_table, TABLE)
