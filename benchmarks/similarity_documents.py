"""The documents of Figures 6 and 8: matrices, distributions, values, and the paper's claims."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.ablation_tables import findings_table
from benchmarks.claims import Finding
from benchmarks.designs import SETUPS, VARIANTS
from benchmarks.finished import FILE, FinishedCell
from benchmarks.frame_similarity import TIMESTEPS, Look, SimilarityRequest
from benchmarks.origin import commit_line, versions_and_host
from benchmarks.scale import MEANINGS
from benchmarks.similarity_claims import (
    LOW,
    MUCH,
    Networks,
    Number,
    SimilarityClaim,
    numbers,
    over_networks,
    similarity_findings,
)
from evaluation.result import provenance
from evaluation.similarity.moments import Band
from evaluation.similarity.summary import EDGES, Summary
from reports.bands import BandCurve, BandPanel, band_data, band_figure
from reports.cells import Cell, Column, Row
from reports.document import (
    Block,
    Details,
    FigureBlock,
    Heading,
    Paragraph,
    Provenance,
    Report,
    TableBlock,
)
from reports.figures import write_figure
from reports.similarity_figures import (
    Distribution,
    Matrix,
    distribution_data,
    distribution_figure,
    matrix_data,
    matrix_figure,
)
from reports.tables import Table

CAPTION = (
    "Means over networks from several seeds, which see the same clips with the same noise; what "
    "follows ± is half of the 95 % interval (Student's t), for other seeds and other clips, of one "
    "network alone for other clips."
)
VERDICTS = (
    "“Not decided”: the 95 % interval of the difference, taken within each network, holds 0.",
    f"Distributions differ strongly here if they have less than {MUCH:g} in common, in bins of "
    f"0.05, and a mean cosine within ±{LOW:g} is extremely low: the paper gives no numbers.",
)
MIDDLE = len(TIMESTEPS) // 2  # of the distribution that bears the figure's plain name
TITLES = {
    "mean": "mean",
    "variance": "variance",
    "inverted": "inverted relations",
    "same_frame": "same frame",
}
LACKING = {
    "inverted": "Of two parts with each other no frame is the nearer one to itself.",
    "same_frame": "A frame is like itself.",
}

Parts = Callable[[Networks, int], Mapping[str, Sequence[Summary]]]
Drawn = tuple[str, Any, Any, str]  # name, figure, data, caption


@dataclass(frozen=True, kw_only=True)
class SimilarityFigure:
    """What a figure shows of its networks."""

    look: Look
    title: str
    parts: Parts  # that are drawn, by label, at a timestep
    beside: Parts  # that only the table has
    numbers: tuple[str, ...]  # columns of the table
    claims: tuple[SimilarityClaim, ...]
    remarks: tuple[str, ...]  # how this differs from the paper's figure
    matrices_first: bool  # the figure of that name shows matrices, not distributions
    curves: Mapping[int, str] | None = None  # paths by depth: curves over them are drawn


def write_similarity(
    figure: SimilarityFigure,
    cells: Sequence[FinishedCell],
    request: SimilarityRequest,
    out: Path,
) -> list[Finding]:
    """Write figures, tables and findings into a folder; print the table, the findings, the paths.

    Args:
        cells: one for each network.
    """
    networks = Networks.of(cells)
    found = similarity_findings(figure.claims, networks)
    made = provenance_lines(cells, request)
    table = values_table(figure, networks, made)
    drawn = draw(figure, networks)
    first, *others = [
        FigureBlock(figure=each, description=caption, caption=f"{caption} {CAPTION}", name=name)
        for name, each, _, caption in drawn
    ]
    name = figure.look.figure
    blocks: tuple[Block, ...] = (
        first,
        TableBlock(table=findings_table(found, VERDICTS)),
        TableBlock(table=table),
        Details(summary="More figures", blocks=tuple(others)),
        Heading(text="How these numbers are made"),
        Paragraph(text=_method(networks, cells, request)),
        Provenance(lines=made),
    )
    report = Report(
        title=f"{name.replace('figure', 'Figure ')}: {figure.title}",
        lead=_lead(figure.claims, networks, found),
        blocks=blocks,
    )
    print(table.markdown())
    print("\n".join(finding.line for finding in found))
    paths = report.write(out, name)
    for each, picture, data, _ in drawn:
        paths += [path for path in write_figure(picture, data, out, each) if path not in paths]
    texts = {"tex": table.latex(), "jsonl": "".join(cell.to_json() + "\n" for cell in cells)}
    for ending, text in texts.items():
        paths.append(out / f"{name}.{ending}")
        paths[-1].write_text(text, encoding="utf-8", newline="\n")
    print("\n".join(f"wrote {path}" for path in paths))
    return found


def values_table(figure: SimilarityFigure, networks: Networks, made: Sequence[str]) -> Table:
    """Parts × numbers, at each timestep."""
    rows = [
        Row(
            label=label,
            section=f"t = {step}",
            cells={name: _cell(summaries, name) for name in figure.numbers},
        )
        for step in networks.timesteps
        for parts in (figure.beside(networks, step), figure.parts(networks, step))
        for label, summaries in parts.items()
    ]
    return Table(
        title=f"{figure.title}: cosine similarity between frames",
        caption=CAPTION,
        label_heading="Part",
        columns=tuple(Column(key=name, title=TITLES[name]) for name in figure.numbers),
        rows=tuple(rows),
        remarks=figure.remarks,
        provenance=tuple(made),
    )


def provenance_lines(cells: Sequence[FinishedCell], request: SimilarityRequest) -> tuple[str, ...]:
    """Command, commit, versions, hardware, date, time and fingerprints."""
    made, origin = provenance("cpu"), cells[-1].provenance
    seconds = sum(cell.seconds for cell in cells)
    return (
        f"command: `{made['command']}`",
        *commit_line(),
        f"scale {request.scale}: {MEANINGS[request.scale]}",
        f"cells: {len(cells)}, which took {seconds:.0f} s in all when they were made, with the "
        f"trainings that were missing ({request.folder / FILE})",
        f"fingerprints: {', '.join(sorted({cell.details['fingerprint'] for cell in cells}))}",
        *versions_and_host(origin["versions"], origin["host"]),
        f"date: {made['date']}; last cell {origin['date']}",
    )


def draw(figure: SimilarityFigure, networks: Networks) -> list[Drawn]:
    """All figures, the one of the plain name first."""
    name = figure.look.figure
    steps = networks.timesteps
    middle = steps[MIDDLE]
    of_matrices = name if figure.matrices_first else f"{name}-matrices"
    matrices = _matrices(of_matrices, figure, networks)
    stem = f"{name}-distribution" if figure.matrices_first else name
    distributions = [
        _distributions(f"{stem}{'' if step == middle else f'-{step:04d}'}", figure, networks, step)
        for step in sorted(steps, key=lambda step: step != middle)
    ]
    curves = [] if figure.curves is None else [_curves(f"{name}-depth", figure.curves, networks)]
    if figure.matrices_first:
        return [matrices, *distributions, *curves]
    return [*distributions, matrices, *curves]


def _matrices(name: str, figure: SimilarityFigure, networks: Networks) -> Drawn:
    """A row for each part, a column for each timestep."""
    steps = networks.timesteps
    by_step = {step: figure.parts(networks, step) for step in steps}
    matrices = []
    for label in by_step[steps[0]]:
        for step in steps:
            summaries = by_step[step][label]
            mean = over_networks(numbers(summaries, "mean")).value
            title = f"{label}, t = {step}\nmean {mean:.3f}"
            if "inverted" in summaries[0].numbers:
                inverted = over_networks(numbers(summaries, "inverted")).value
                title += f", inverted {100 * inverted:.1f} %"
            found = _array([each.matrix for each in summaries], -1, 1)
            matrices.append(
                Matrix(
                    title=title.replace("-", "−"),
                    values=found.value,
                    low=found.low,
                    high=found.high,
                )
            )
    picture = matrix_figure(matrices, title=f"{figure.title}: similarity between frames")
    caption = f"Cosine similarity of each frame with each, {_listed(figure, networks)}."
    return name, picture, matrix_data(matrices), caption


def _distributions(name: str, figure: SimilarityFigure, networks: Networks, step: int) -> Drawn:
    found = []
    for label, summaries in figure.parts(networks, step).items():
        shares = _array([each.distribution for each in summaries], 0, 1)
        found.append(
            Distribution(
                label=label, edges=EDGES, shares=shares.value, low=shares.low, high=shares.high
            )
        )
    picture = distribution_figure(found, title=f"{figure.title}: distributions, t = {step}")
    caption = (
        f"Distribution of the cosine similarity between frames, {_listed(figure, networks)}, at "
        f"timestep {step}."
    )
    return name, picture, distribution_data(found), caption


def _curves(name: str, paths: Mapping[int, str], networks: Networks) -> Drawn:
    """Mean, variance and inverted relations over the blocks, a curve for each timestep."""
    panels = []
    for number in ("mean", "variance", "inverted"):
        curves = []
        for step in networks.timesteps:
            points = [
                over_networks(numbers(networks.at(path, step), number)) for path in paths.values()
            ]
            has_ends = all(point.low is not None for point in points)
            curves.append(
                BandCurve(
                    label=f"t = {step}",
                    x=tuple(map(float, paths)),
                    y=tuple(float(point.value) for point in points),
                    low=tuple(float(point.low) for point in points) if has_ends else None,
                    high=tuple(float(point.high) for point in points) if has_ends else None,
                )
            )
        panels.append(BandPanel(title=TITLES[number], axis="spatial block", curves=tuple(curves)))
    picture = band_figure(panels, title="Similarity between frames over depth")
    return name, picture, band_data(panels), "Over all spatial blocks, with intervals as bands."


def _array(bands: Sequence[Band], floor: float, ceiling: float) -> Number:
    """Of arrays of several networks, as `over_networks`, within their range."""
    found = over_networks(
        [Number(value=each.value, low=each.low, high=each.high) for each in bands]
    )
    if found.low is None:
        return found
    return Number(
        value=found.value, low=found.low.clip(floor, ceiling), high=found.high.clip(floor, ceiling)
    )


def _cell(summaries: Sequence[Summary], name: str) -> Cell:
    if name not in summaries[0].numbers:
        return Cell(reason=LACKING[name])
    found = over_networks(numbers(summaries, name))
    if found.low is None:
        return Cell(value=float(found.value))
    return Cell(value=float(found.value), low=float(found.low), high=float(found.high))


def _lead(claims: Sequence[SimilarityClaim], networks: Networks, found: Sequence[Finding]) -> str:
    """One sentence for each claim."""
    said = []
    for claim in claims:
        verdicts = {
            step: each.verdict
            for step in networks.timesteps
            for each in found
            if each.claim == f"{claim.text}, t = {step}"
        }
        kinds = list(dict.fromkeys(verdicts.values()))
        if len(kinds) == 1:
            said.append(f"{claim.text}: {kinds[0]}, at every timestep.")
            continue
        parts = [
            f"{kind} at t = {', '.join(str(step) for step in verdicts if verdicts[step] == kind)}"
            for kind in kinds
        ]
        said.append(f"{claim.text}: {'; '.join(parts)}.")
    return " ".join(said)


def _listed(figure: SimilarityFigure, networks: Networks) -> str:
    return ", ".join(figure.parts(networks, networks.timesteps[0]))


def _method(networks: Networks, cells: Sequence[FinishedCell], request: SimilarityRequest) -> str:
    clips, config = request.clips, networks.records[0]["config"]
    size = networks.records[0]["frame_size"]
    source = f"The network is {request.checkpoint}."
    if request.checkpoint is None:
        steps = SETUPS[request.scale].config_of(VARIANTS[config["variant"]]).training.steps
        source = (
            f"The networks are the cells of Figure 5f: averaged weights after {steps:,} steps on "
            f"the embedded data set, from {len(cells)} seeds. They are small: what holds in them "
            "need not hold in the paper's."
        )
    shown = networks.records[0]["num_clips"]
    is_held_out = clips.dataset == "shapes"
    split = "held out from training" if is_held_out else "of the split that FVD is measured on"
    return (
        f"{shown} clips of {clips.dataset}, {split} ({config['num_frames']} frames of "
        f"{size}×{size}, sampling interval {clips.stride}) are noised to the timesteps "
        f"{', '.join(map(str, networks.timesteps))} and shown to variant {config['variant']} of "
        f"{config['depth']} blocks, {config['hidden_size']} wide. The cosine is taken token by "
        "token and averaged over the tokens; every number is that of a clip, averaged over the "
        f"clips. {source} The paper says neither its timestep nor its clips, so each claim is "
        "judged at three timesteps; it gives its curves without numbers."
    )
