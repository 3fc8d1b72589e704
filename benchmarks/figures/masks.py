"""The paper's figures in running text: masks of joint training, and text-to-video."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.cells.scale import Scale
from benchmarks.documents.claims import Claim, JudgedClaim, judge_all
from benchmarks.documents.figures import verdicts_lead, write_figure_document
from benchmarks.documents.numbers import BoundedNumber
from benchmarks.documents.tables import log_written
from benchmarks.figures.curves.claims import lower
from benchmarks.figures.curves.curves import (
    END,
    CurveFigure,
    Curves,
    curves_of,
    detail,
    measure_designs,
)
from benchmarks.figures.curves.documents import curve_document, remarks_of
from benchmarks.figures.designs import BASELINE, ONLY_VIDEO, SETUPS, TEMPORAL_MASK, DesignCells
from benchmarks.figures.requests import TrainingRequest
from benchmarks.runners import RUNNERS
from latte.data.schema import Positive
from reports.cells import Cell, Column, Row
from reports.numbers import ASYMMETRIC
from reports.provenance import Provenance
from reports.published import published
from reports.table import Table, write_tables

RUNNER = RUNNERS["intext"]
SOURCE = "arXiv:2401.03048v3 section 3.3.4, v1 section 4.4"
METRICS = ("FVD", "FID")
MASKS = {"Only Video": ONLY_VIDEO, "Temporal Mask": TEMPORAL_MASK}
ALONE = "videos alone"
CAPTION = (
    "Lower is better. Published: zero-shot UCF101 of text-to-video models; 2048 videos for "
    "text-to-video. Measured: models of {dataset}, whose numbers compare with no published one; "
    f"geometric means over seeds, ± half of the 95 % interval, {ASYMMETRIC}."
)
EMBEDDED = "Measured on the embedded data set, by networks of its own: no FVD or FID."
FID_CLAIMS = (
    Claim("Temporal Mask has a lower FID than Only Video", lower("Temporal Mask", "Only Video")),
    Claim("Joint training has a lower FID than videos alone", lower("Temporal Mask", ALONE)),
)
BATCHES = (
    "Batches are those of the official configurations: with images {joint} clips in each process, "
    "videos alone {alone}, as in Figures 5 and 7. So at the same step videos alone have seen more "
    "clips, which speaks against joint training, not for it."
)
OTHER_TASK = "Trained on FaceForensics, without texts: another task than the published one."


def figure(scale: Scale = "tiny") -> CurveFigure:
    """The masks as designs, beside training without images, by FVD over training steps."""
    setup = SETUPS[scale]
    joint, alone = (setup.config_of(x).training.batch_size for x in (ONLY_VIDEO, BASELINE))
    batches = (BATCHES.format(joint=joint, alone=alone),) if joint != alone else ()
    return CurveFigure(
        name=f"{RUNNER.name}-masks",
        title="Masks of joint training",
        heading=RUNNER.title,
        designs={**MASKS, ALONE: BASELINE},
        claims=(
            Claim(
                "Temporal Mask has a lower FVD than Only Video",
                lower("Temporal Mask", "Only Video"),
            ),
            Claim(
                "Joint training has a lower FVD than videos alone", lower("Temporal Mask", ALONE)
            ),
        ),
        remarks=(f"Joint training: {setup.images_per_clip} images after each clip.", *batches),
    )


def run(out: Path, request: TrainingRequest) -> list[JudgedClaim]:
    """Train what is not trained yet; write figure and table into `out`.

    Raises:
        InputError, FailedCellsError: as `benchmarks.figures.figure5.run`.
    """
    masks = figure(request.scale)
    cells = measure_designs([masks], request)
    document = curve_document(masks, cells, request)
    curves, fid = curves_of(masks, cells), fid_curves(masks, cells)
    claims = (*document.claims, *judge_all(FID_CLAIMS, fid))
    table = replace(
        intext_table(list(masks.designs), curves, fid, scale=request.scale),
        remarks=remarks_of(masks, cells),
        provenance=(Provenance(details={"published": SOURCE}), *document.values.provenance),
    )
    document = replace(
        document,
        lead=verdicts_lead(claims),
        claims=claims,
        beside=(table,),
        section=RUNNER.name,
    )
    write_figure_document(document, out)
    alone = replace(table, remarks=(*table.remarks, *(f"{claim.line}." for claim in claims)))
    print(alone.markdown())
    log_written(write_tables([alone], out, RUNNER.name))
    cells.measured.raise_if_failed()
    return list(claims)


def fid_curves(masks: CurveFigure, cells: DesignCells) -> Curves:
    """FID at the end, as curves of one step."""
    designs: dict[str, dict[int, list[BoundedNumber]]] = {label: {} for label in masks.designs}
    for label, design in masks.designs.items():
        for seed, cell in cells.of(design).items():
            value, low, high = detail(cell, "fid", tuple[Positive, Positive, Positive])
            designs[label][seed] = [BoundedNumber(value=value, low=low, high=high)]
    return Curves(steps=curves_of(masks, cells).steps[-1:], designs=designs)


def intext_table(labels: Sequence[str], fvd: Curves, fid: Curves, *, scale: Scale) -> Table:
    """Published figures, and measured ones: on the embedded data set in columns of their own."""
    own = () if scale == "paper" else ("FVD-shapes", "FID-shapes")
    lacking = dict.fromkeys(METRICS, Cell(reason=EMBEDDED)) if own else {}
    measured = [
        Row(
            label=label,
            section="Measured here",
            cells={
                **lacking,
                **{
                    title: _measured(curves.mean(label, END), own)
                    for title, curves in zip(own or METRICS, (fvd, fid), strict=True)
                },
            },
        )
        for label in labels
    ]
    columns = (*METRICS, *own)
    return Table(
        title="Joint training and text-to-video",
        caption=CAPTION.format(dataset=SETUPS[scale].config_of(BASELINE).data.dataset),
        columns=tuple(Column(key=title, title=title, direction="lower") for title in columns),
        rows=(*_published_rows(own), *measured),
    )


def _published_rows(own: Sequence[str]) -> list[Row]:
    """The figures as the paper prints them, with a reason in our own columns."""
    empty = dict.fromkeys(own, Cell(reason="Published, by networks of FVD and FID."))
    rows: dict[str, dict[str, Cell]] = {}
    for what, metric, text in published("in_text")[["what", "metric", "value"]].to_numpy():
        # Rows have different data sets and tasks, so they are printed and never ranked.
        cell = Cell.printed(text, mark="published", comparable=False)
        rows.setdefault(what, {**empty})[metric.upper()] = cell
    return [Row(label=what, section="Published", cells=cells) for what, cells in rows.items()]


def _measured(mean: BoundedNumber | None, own: Sequence[str]) -> Cell:
    if mean is None:
        return Cell(reason="Not measured.")
    notes = () if own else (OTHER_TASK,)
    return replace(mean.cell, notes=notes, comparable=bool(own))
