"""The documents of figures that compare designs: curves, values, and the paper's claims."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from benchmarks.cells.scale import Scale
from benchmarks.documents.claims import Finding, Outcome, Verdict, findings
from benchmarks.documents.figures import (
    Drawing,
    FigureDocument,
    verdicts_lead,
    write_drawings,
    write_figure_document,
)
from benchmarks.documents.tables import written
from benchmarks.figures.ablation_tables import (
    VERDICTS,
    metric_of,
    provenance_records,
    training_commands,
    values_table,
)
from benchmarks.figures.ablations import Ablation, Cells, Request, outcome
from benchmarks.figures.designs import BASELINE, SETUPS
from reports.charts.step_curves import StepCurve, StepPanel, step_chart, step_data
from reports.charts.style import Style, styles_for
from reports.document import Code, Details, ProvenanceBlock, Report

NO_NUMBERS = "The paper draws its curves without numbers: what it says of them is held against."
BANDS = (
    "Geometric means over seeds; bands are 95 % intervals of the mean, of one seed alone the "
    "bootstrap interval of its samples."
)
TOGETHER = "Designs over training"


def write_ablations(
    ablations: Sequence[Ablation], cells: Cells, request: Request, out: Path
) -> list[Finding]:
    """Write the documents of each figure into a folder, and of several their panels together.

    Returns:
        The findings of all figures. Prints the tables, the findings and the paths.
    """
    found: list[Finding] = []
    for ablation in ablations:
        document = ablation_document(ablation, cells, request)
        write_figure_document(document, out)
        found += document.found
    if len(ablations) > 1:
        _write_together(ablations, cells, request, out, found)
    return found


def ablation_document(ablation: Ablation, cells: Cells, request: Request) -> FigureDocument:
    """One figure: its curves if there are any, claims, values, and how they are made."""
    seen = outcome(ablation, cells)
    found = findings(ablation.claims, seen)
    drawing = draw([ablation], cells, request, name=ablation.name, title=ablation.title)
    commands = Code(text=training_commands(ablation, request))
    used = [cell for design in ablation.designs.values() for cell in cells.of(design).values()]
    return FigureDocument(
        name=ablation.name,
        title=_title(ablation),
        lead=verdicts_lead(found),
        drawings=(drawing,) if drawing else (),
        found=tuple(found),
        verdicts=VERDICTS,
        values=values_table(ablation, cells, request, seen),
        method=_method(request),
        more=(Details(summary="The trainings", blocks=(commands,)),),
        cells=tuple({cell.key: cell for cell in used}.values()),
    )


def draw(
    ablations: Sequence[Ablation], cells: Cells, request: Request, *, name: str, title: str
) -> Drawing | None:
    """A panel for each figure; None where nothing was measured."""
    panels = [panel(each, outcome(each, cells)) for each in ablations]
    panels = [each for each in panels if each.curves]
    if not panels:
        return None
    metric = metric_of(request)
    labels = dict.fromkeys(curve.label for each in panels for curve in each.curves)
    return Drawing(
        name=name,
        figure=step_chart(
            panels,
            title=title,
            axis=f"{metric} (lower is better)",
            styles=label_styles(ablations, request.scale),
        ),
        data=step_data(panels),
        description=f"{metric} of {', '.join(labels)} over training steps.",
        caption=f"{metric} over training, lower is better. {BANDS}",
    )


def panel(ablation: Ablation, seen: Outcome) -> StepPanel:
    """The curves of the designs that were measured."""
    curves = [
        _curve(label, seen) for label, by_seed in seen.designs.items() if by_seed and seen.steps
    ]
    return StepPanel(title=ablation.title, curves=tuple(curves))


def label_styles(ablations: Sequence[Ablation], scale: Scale) -> dict[str, Style]:
    """The baseline looks the same under each of its labels, in every figure."""
    usual = SETUPS[scale].config_of(BASELINE)
    styles: dict[str, Style] = {}
    for ablation in ablations:
        names = {
            label: BASELINE.name
            if not design.starts_from_images and SETUPS[scale].config_of(design) == usual
            else label
            for label, design in ablation.designs.items()
        }
        found = styles_for([BASELINE.name, *names.values()])
        styles |= {label: found[name] for label, name in names.items()}
    return styles


def _curve(label: str, seen: Outcome) -> StepCurve:
    means = [seen.mean(label, place) for place in range(len(seen.steps))]
    values = tuple(mean.value for mean in means if mean)
    by_seed = list(seen.designs[label].values())
    if len(by_seed) == 1:
        low, high = by_seed[0].low, by_seed[0].high
    else:
        low = tuple(mean.low or mean.value for mean in means if mean)
        high = tuple(mean.high or mean.value for mean in means if mean)
    return StepCurve(label=label, steps=seen.steps, values=values, low=low, high=high)


def _write_together(
    ablations: Sequence[Ablation],
    cells: Cells,
    request: Request,
    out: Path,
    found: Sequence[Finding],
) -> None:
    """The panels of several figures in one drawing, if anything was measured."""
    drawing = draw(ablations, cells, request, name="figure5", title=TOGETHER)
    if drawing is None:
        return
    designs = {design.name: design for each in ablations for design in each.designs.values()}
    every = Ablation(name=drawing.name, title=TOGETHER, designs=designs, claims=())
    report = Report(
        title=f"Figure 5: {TOGETHER}",
        lead=_counted(found),
        blocks=(drawing.block, ProvenanceBlock(records=provenance_records(every, cells, request))),
    )
    print(written([*report.write(out, drawing.name), *write_drawings([drawing], out)]))


def _counted(found: Sequence[Finding]) -> str:
    """How many claims hold, in a sentence."""
    counts = Counter(finding.verdict for finding in found)
    kinds = ", ".join(
        f"{verdict} {counts[verdict]}" for verdict in get_args(Verdict) if counts[verdict]
    )
    return f"{len(found)} claims of the paper, held against what was measured: {kinds}."


def _method(request: Request) -> str:
    if request.scale == "paper":
        return (
            "Latte-XL/2 on FaceForensics as `latte train faceforensics` trains it, FVD of 2048 "
            "samples of 250 steps of DDPM in fp16 by the protocol `latte`. " + NO_NUMBERS
        )
    setup = SETUPS[request.scale]
    config, measure = setup.config_of(BASELINE), setup.measure
    data, training = config.data, config.training
    return (
        f"Each design is trained on the embedded data set for {training.steps:,} steps of "
        f"{training.batch_size} clips of {data.num_frames} frames of {data.size}×{data.size}, with "
        f"classes, from the same seeds; {measure['num_clips']} samples of its averaged weights, by "
        f"{measure['sample_steps']} steps of DDIM without guidance, are measured against "
        f"{measure['num_real']:,} videos of the test split. These networks and videos are small: "
        "what holds here need not hold for the paper's. " + NO_NUMBERS
    )


def _title(ablation: Ablation) -> str:
    """ "Figure 5a: Patch embedding", or the title alone of what is no figure of the paper."""
    number = ablation.name.removeprefix("figure")
    return ablation.title if number == ablation.name else f"Figure {number}: {ablation.title}"
