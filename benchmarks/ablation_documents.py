"""The documents of figures that compare designs: curves, values, and the paper's claims."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.ablation_tables import (
    CAPTION,
    findings_table,
    metric_of,
    provenance_lines,
    training_commands,
    values_table,
)
from benchmarks.ablations import Ablation, Cells, Request, outcome
from benchmarks.claims import Finding, Outcome, findings
from benchmarks.designs import BASELINE, SETUPS
from benchmarks.scale import Scale
from reports.document import (
    Block,
    Code,
    Details,
    FigureBlock,
    Heading,
    Paragraph,
    Provenance,
    Report,
    TableBlock,
)
from reports.figures import write_figure
from reports.step_curves import StepCurve, StepPanel, step_chart, step_data
from reports.styles import Style, styles_for
from reports.tables import Table

NO_NUMBERS = "The paper draws its curves without numbers: what it says of them is held against."


def write_ablations(
    ablations: Sequence[Ablation], cells: Cells, request: Request, out: Path
) -> list[Finding]:
    """Write the documents of each figure into a folder, and of several their panels together.

    Returns:
        The findings of all figures. Prints the tables, the findings and the paths.
    """
    found: list[Finding] = []
    for ablation in ablations:
        found += _write_one(ablation, cells, request, out)
    if len(ablations) > 1:
        panels = [panel(each, outcome(each, cells)) for each in ablations]
        panels = [each for each in panels if each.curves]
        if panels:
            figure = _chart(panels, "Designs over training", ablations, request)
            paths = write_figure(figure, step_data(panels), out, "figure5")
            print("\n".join(f"wrote {path}" for path in paths))
    return found


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


def _write_one(ablation: Ablation, cells: Cells, request: Request, out: Path) -> list[Finding]:
    seen = outcome(ablation, cells)
    found = findings(ablation.claims, seen)
    table = values_table(ablation, cells, request, seen)
    print(table.markdown())
    print("\n".join(finding.line for finding in found))
    blocks: list[Block] = [
        TableBlock(table=findings_table(found)),
        TableBlock(table=table),
        Heading(text="How these numbers are made"),
        Paragraph(text=_method(request)),
        Details(summary="The trainings", blocks=(Code(text=training_commands(ablation, request)),)),
        Provenance(lines=provenance_lines(ablation, cells, request)),
    ]
    paths = []
    drawn = panel(ablation, seen)
    if drawn.curves:
        figure = _chart([drawn], ablation.title, [ablation], request)
        metric = metric_of(request)
        block = FigureBlock(
            figure=figure,
            description=f"{metric} of {', '.join(ablation.designs)} over training steps.",
            caption=f"{metric} over training. {CAPTION}",
            name=ablation.name,
        )
        blocks.insert(0, block)
        paths += write_figure(figure, step_data([drawn]), out, ablation.name)
    report = Report(title=_title(ablation), lead=_lead(found), blocks=tuple(blocks))
    paths += [path for path in report.write(out, ablation.name) if path not in paths]
    paths += _write_texts(ablation, cells, table, out)
    print("\n".join(f"wrote {path}" for path in paths))
    return found


def _chart(
    panels: Sequence[StepPanel], title: str, ablations: Sequence[Ablation], request: Request
) -> Figure:
    return step_chart(
        panels,
        title=title,
        axis=f"{metric_of(request)} (lower is better)",
        styles=label_styles(ablations, request.scale),
    )


def _write_texts(ablation: Ablation, cells: Cells, table: Table, out: Path) -> list[Path]:
    """The table for a paper, and the cells that are behind it."""
    used = {
        cell.key: cell for design in ablation.designs.values() for cell in cells.of(design).values()
    }
    texts = {
        f"{ablation.name}.tex": table.latex(),
        f"{ablation.name}.jsonl": "".join(cell.to_json() + "\n" for cell in used.values()),
    }
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8", newline="\n")
    return [out / name for name in texts]


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


def _lead(found: Sequence[Finding]) -> str:
    return " ".join(f"{each.claim}: {each.verdict}." for each in found)


def _method(request: Request) -> str:
    if request.scale == "paper":
        return (
            "Latte-XL/2 on FaceForensics as `latte train faceforensics` trains it, FVD of 2048 "
            "samples of 250 steps of DDPM by the protocol `latte`. " + NO_NUMBERS
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
