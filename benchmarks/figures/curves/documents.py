"""The documents of figures that compare designs: curves, values, and the paper's claims."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.cells.provenance import of_figure
from benchmarks.cells.scale import Scale
from benchmarks.documents.claims import SEVERAL, JudgedClaim, judge_all
from benchmarks.documents.drawings import Drawing
from benchmarks.documents.figures import FigureDocument, verdicts_lead, write_figure_document
from benchmarks.documents.tables import publish_report
from benchmarks.figures.curves.curves import CurveFigure, Curves, curves_of, detail, measure_designs
from benchmarks.figures.designs import BASELINE, SETUPS, DesignCells
from benchmarks.figures.requests import TrainingRequest
from benchmarks.figures.trainings import LATENT_CLIPS
from evaluation.protocol.deviations import Deviation
from reports.blocks import Code, Details, ProvenanceBlock
from reports.cells import Cell, Column, Row
from reports.charts.lines import Line, Panel, line_chart, line_data
from reports.charts.style import Style, styles_for
from reports.document import Report
from reports.joined_report import counted
from reports.numbers import ASYMMETRIC
from reports.table import Table

NO_NUMBERS = "The paper draws its curves without numbers: what it says of them is held against."
BANDS = (
    "Geometric means over seeds; bands are 95 % intervals of the mean, of one seed alone the "
    "bootstrap interval of its samples."
)
CAPTION = (
    "Lower is better. Geometric means over seeds; the bands, and what follows ±, are 95 % "
    f"intervals of the mean (Student's t on logarithms; ± is half of its width, {ASYMMETRIC}), and "
    "of one seed alone the bootstrap interval of its samples."
)
VERDICTS = (
    "“Not decided”: the 95 % interval of the ratio, taken seed by seed, holds 1. "
    "Of one seed alone: the intervals of the two measurements overlap.",
    SEVERAL,
)
NAMES = {"curve": "design", "x": "step", "y": "value"}  # columns of the numbers behind the curves
TOGETHER = "Designs over training"


def run_curve_figures(
    figures: Sequence[CurveFigure], out: Path, request: TrainingRequest
) -> list[JudgedClaim]:
    """Train what is not trained yet; write the documents of each figure, and of several together.

    Returns:
        The claims of all figures, judged.

    Raises:
        InputError: something is missing that the scale needs.
        FailedCellsError: cells failed; the documents of the others are written before.
    """
    cells = measure_designs(figures, request)
    claims: list[JudgedClaim] = []
    for figure in figures:
        document = curve_document(figure, cells, request)
        write_figure_document(document, out)
        claims += document.claims
    if len(figures) > 1:
        _write_together(figures, cells, request, out, claims)
    cells.measured.raise_if_failed()
    return claims


def curve_document(
    figure: CurveFigure, cells: DesignCells, request: TrainingRequest
) -> FigureDocument:
    """One figure: its curves if there are any, claims, values, and how they are made."""
    claims = judge_all(figure.claims, curves_of(figure, cells))
    drawing = draw([figure], cells, request, name=figure.name, title=figure.title)
    commands = Code(text=_training_commands(figure, request))
    return FigureDocument(
        name=figure.name,
        title=figure.heading,
        lead=verdicts_lead(claims),
        scale=request.scale,
        drawings=(drawing,) if drawing else (),
        claims=claims,
        verdicts=VERDICTS,
        values=_values_table(figure, cells, request),
        method=_method(request),
        more=(Details(summary="The trainings", blocks=(commands,)),),
        cells=tuple(cells.shown(figure.designs.values())),
    )


def draw(
    figures: Sequence[CurveFigure],
    cells: DesignCells,
    request: TrainingRequest,
    *,
    name: str,
    title: str,
) -> Drawing | None:
    """A panel for each figure; None where nothing was measured."""
    panels = [
        Panel(title=figure.panel_title, axis="training step", scale="log", lines=lines)
        for figure in figures
        if (lines := _lines(curves_of(figure, cells)))
    ]
    if not panels:
        return None
    metric = metric_of(request)
    labels = dict.fromkeys(curve.label for panel in panels for curve in panel.lines)
    return Drawing(
        name=name,
        figure=line_chart(
            panels,
            title=title,
            axis=f"{metric} (lower is better)",
            shared="all",
            legend="each",
            styles=label_styles(figures, request.scale),
        ),
        data=line_data(panels).rename(columns=NAMES),
        description=f"{metric} of {', '.join(labels)} over training steps.",
        caption=f"{metric} over training, lower is better. {BANDS}",
    )


def metric_of(request: TrainingRequest) -> str:
    """FVD, or FVD-shapes, which compares with no figure of a paper."""
    return "FVD" if request.scale == "paper" else "FVD-shapes"


def label_styles(figures: Sequence[CurveFigure], scale: Scale) -> dict[str, Style]:
    """The baseline looks the same under each of its labels, in every figure."""
    baseline = SETUPS[scale].config_of(BASELINE)
    styles: dict[str, Style] = {}
    for figure in figures:
        names = {
            label: BASELINE.name
            if not design.starts_from_images and SETUPS[scale].config_of(design) == baseline
            else label
            for label, design in figure.designs.items()
        }
        by_name = styles_for([BASELINE.name, *names.values()])
        styles |= {label: by_name[name] for label, name in names.items()}
    return styles


def remarks_of(figure: CurveFigure, cells: DesignCells) -> tuple[str, ...]:
    """How a figure differs from the paper's, and its measurements from their protocol."""
    computed = (figure.computed(figure, cells),) if figure.computed else ()
    labels: dict[str, dict[str, None]] = {}  # labels by deviation
    for label, design in figure.designs.items():
        for cell in cells.of(design).values():
            for deviation in detail(cell, "deviations", list[Deviation] | None) or ():
                labels.setdefault(str(deviation), {})[label] = None
    phrases = "; ".join(f"{deviation} ({', '.join(of)})" for deviation, of in labels.items())
    deviations = (f"Deviates from the protocol: {phrases}.",) if phrases else ()
    return (*figure.remarks, *computed, *deviations)


def _lines(curves: Curves) -> tuple[Line, ...]:
    """The curves of the designs that were measured."""
    lines = []
    for label in curves.designs:
        points = [curves.point(label, place) for place in range(len(curves.steps))]
        known = [point for point in points if point]
        if known:
            low, high = zip(*((x.low or x.value, x.high or x.value) for x in known), strict=True)
            y = tuple(point.value for point in known)
            lines.append(Line(label=label, x=curves.steps, y=y, low=low, high=high))
    return tuple(lines)


def _write_together(
    figures: Sequence[CurveFigure],
    cells: DesignCells,
    request: TrainingRequest,
    out: Path,
    claims: Sequence[JudgedClaim],
) -> None:
    """The panels of several figures in one drawing, if anything was measured."""
    drawing = draw(figures, cells, request, name="figure5", title=TOGETHER)
    if drawing is None:
        return
    records = cells.shown(design for figure in figures for design in figure.designs.values())
    report = Report(
        title=f"Figure 5: {TOGETHER}",
        lead=counted([claim.paper_claim for claim in claims]),
        scale=request.scale,
        blocks=(
            drawing.block,
            ProvenanceBlock(records=of_figure(records, request.scale, request.folder)),
        ),
    )
    publish_report(report, out, drawing.name, drawings=[drawing])


def _values_table(figure: CurveFigure, cells: DesignCells, request: TrainingRequest) -> Table:
    """Designs × checkpoints."""
    curves = curves_of(figure, cells)
    rows = []
    for label, design in figure.designs.items():
        reason = "not measured: its cells failed, or were not reached"
        if lacking := cells.lacking.get(design):
            reason = f"lacks {', '.join(requirement.name for requirement in lacking)}"
        points = {str(step): curves.point(label, place) for place, step in enumerate(curves.steps)}
        values = {step: x.cell if x else Cell(reason=reason) for step, x in points.items()}
        seeds = Cell(text=str(len(curves.designs[label])))
        rows.append(Row(label=label, cells={**values, "seeds": seeds}))
    columns = [
        Column(key=str(step), title=f"step {step:,}", direction="lower") for step in curves.steps
    ]
    records = cells.shown(figure.designs.values())
    return Table(
        title=f"{figure.title}: {metric_of(request)} over training",
        caption=CAPTION,
        label_heading="Design",
        columns=(*columns, Column(key="seeds", title="seeds")),
        rows=tuple(rows),
        remarks=remarks_of(figure, cells),
        provenance=of_figure(records, request.scale, request.folder),
    )


def _training_commands(figure: CurveFigure, request: TrainingRequest) -> str:
    """Each design as a command of `latte train`."""
    setup = SETUPS[request.scale]
    lines, latents = [], []
    if setup.components:
        size = setup.config_of(BASELINE).data.size
        fit = f"--size {size} --channels {setup.components} --num-clips {LATENT_CLIPS}"
        lines = [f"latte patches latents.safetensors {fit}"]
        latents = ["autoencoder.path=latents.safetensors"]
    for label, design in figure.designs.items():
        settings = " ".join(f"--set {x}" for x in [*setup.settings_of(design), *latents])
        lines.append(f"# {label}\nlatte train {setup.config} {settings}")
        if design.starts_from_images and request.scale != "paper":
            lines[-1] += (
                f" --set model.initialise_from=…\n# from a model of images of "
                f"benchmarks/shapes/proxy_images.py, with also: {' '.join(setup.image_settings)}"
            )
    return "\n".join(lines)


def _method(request: TrainingRequest) -> str:
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
        f"classes, from the same seeds; {measure.num_clips} samples of its averaged weights, by "
        f"{measure.sample_steps} steps of DDIM without guidance, are measured against "
        f"{measure.num_real:,} videos of the test split. These networks and videos are small: "
        "what holds here need not hold for the paper's. " + NO_NUMBERS
    )
