"""Table 5 of the paper: Inception Score on UCF101 and FID on FaceForensics, and yours below."""

from functools import partial

from benchmarks.tables.published import PublishedColumn, PublishedTable, published_cell
from benchmarks.tables.run import run_table
from reports.cells import Row
from reports.numbers import ASYMMETRIC
from reports.published import published

RELEASED_MODELS = (
    "Measured by the paper's authors on videos of the models that PVDM's authors released."
)


def published_rows() -> list[Row]:
    """The paper's methods in its order."""
    return [
        Row(
            label=str(line["method"]),
            cells={column.key: published_cell(str(line[column.key])) for column in TABLE.columns},
            notes=(RELEASED_MODELS,) if line["method"] == "PVDM" else (),
        )
        for _, line in published("is_fid").iterrows()
    ]


TABLE = PublishedTable(
    name="table5",
    title="Inception Score (IS) on UCF101 and FID on FaceForensics",
    caption=(
        "IS by C3D trained on UCF101, FID of frames; ± is half of the 95 % interval of a measured "
        f"value, {ASYMMETRIC}."
    ),
    source="arXiv:2401.03048v1 Table 1 (v3 Table 5)",
    columns=(
        PublishedColumn(
            key="inception_score_ucf101",
            title="IS, UCF101",
            direction="higher",
            metric="IS",
            command="is",
            network="c3d",
            dataset="ucf101",
        ),
        PublishedColumn(
            key="fid_faceforensics",
            title="FID, FaceForensics",
            direction="lower",
            metric="FID",
            command="fid",
            network="inception",
            dataset="faceforensics",
        ),
    ),
    rows=published_rows,
    protocols=(
        "The paper names C3D for IS and clean-fid for FID, but not how many clips and frames. "
        "Measured values are compared with the clips of the official Latte evaluation: IS of 2048 "
        "clips in 10 splits, FID of all frames of the clips, resized as clean-fid does."
    ),
    nothing_measured=(
        "Published figures alone: no measured result was given. `latte-eval is --dataset ucf101 "
        "--protocol latte` and `latte-eval fid --dataset faceforensics --protocol latte` make "
        "them, `latte-bench table5 --results results.jsonl` shows them here."
    ),
    on_shapes=("IS-shapes", "FID-shapes"),
)
run = partial(run_table, TABLE)
