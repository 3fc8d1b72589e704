"""The documents of Figures 6 and 8: drawings, values, and the paper's claims."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from benchmarks.cells.cache import CellRecord
from benchmarks.cells.provenance import of_figure
from benchmarks.documents.claims import SEVERAL, JudgedClaim
from benchmarks.documents.drawings import Drawing
from benchmarks.documents.figures import FigureDocument, write_figure_document
from benchmarks.figures.designs import SETUPS, VARIANTS
from benchmarks.figures.requests import SimilarityRequest
from benchmarks.figures.similarity.claims import judge_at_timesteps
from benchmarks.figures.similarity.numbers import (
    COSINE,
    SHARE,
    Probed,
    ProbedNetworks,
    mean_array,
    mean_number,
)
from benchmarks.figures.similarity.probes import ProbeSpec, SimilarityFigure, probe_networks
from benchmarks.runners import RUNNERS
from evaluation.similarity.summary import EDGES, Summary
from reports.cells import Cell, Column, Row
from reports.charts.lines import Line, Panel, line_chart, line_data
from reports.charts.similarities import (
    Distribution,
    Matrix,
    distribution_data,
    distribution_figure,
    matrix_data,
    matrix_figure,
)
from reports.numbers import ASYMMETRIC, number_text
from reports.table import Table

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


def run_similarity(spec: ProbeSpec, out: Path, request: SimilarityRequest) -> list[JudgedClaim]:
    """Measure what is not measured yet, and write a figure's documents into `out`.

    Returns:
        The paper's claims, judged at each timestep.

    Raises:
        InputError: something is missing that the scale needs, or there is no such device.
        FailedCellsError: networks could not be measured; the documents of the others are written
            before.
    """
    measured = probe_networks(spec, request)
    claims: tuple[JudgedClaim, ...] = ()
    if measured.cells:
        document = similarity_document(spec, [*measured.cells.values()], request)
        write_figure_document(document, out)
        claims = document.claims
    measured.raise_if_failed()
    return list(claims)


def similarity_document(
    spec: ProbeSpec, cells: Sequence[CellRecord], request: SimilarityRequest
) -> FigureDocument:
    """What a figure shows of these networks.

    Args:
        cells: one for each network.
    """
    networks = ProbedNetworks(cells=cells)
    figure = spec.at_depth(networks.depth)
    claims = [judge_at_timesteps(claim, networks) for claim in figure.claims]
    values = values_table(figure, networks)
    return FigureDocument(
        name=spec.name,
        title=RUNNERS[spec.name].title,
        lead=" ".join(f"{claim.claim.text}: {claim.words}." for claim in claims),
        scale=request.scale,
        drawings=tuple(draw(spec.name, figure, networks)),
        claims=tuple(line for claim in claims for line in claim.lines.values()),
        overview=tuple(claim.overview(networks.middle) for claim in claims),
        verdicts=tuple(_meanings(figure, networks)),
        values=replace(values, provenance=of_figure(cells, request.scale, request.folder)),
        method=_method(networks, request),
        cells=tuple(cells),
    )


def values_table(figure: SimilarityFigure, networks: ProbedNetworks) -> Table:
    """Parts × numbers, at each timestep."""
    caption = networks.means
    if networks.intervals:
        caption += f" ± is half of the 95 % interval {networks.intervals}, {ASYMMETRIC}."
    rows = [
        Row(
            label=label,
            section=f"t = {probed.step}",
            cells={name: _cell(probed.at(part), name) for name in figure.numbers},
        )
        for probed in networks.at_timesteps()
        for label, part in {**figure.beside, **figure.parts}.items()
    ]
    return Table(
        title=f"{figure.title}: cosine similarity between frames",
        caption=caption,
        label_heading="Part",
        columns=tuple(Column(key=name, title=TITLES[name]) for name in figure.numbers),
        rows=tuple(rows),
        remarks=figure.remarks,
    )


def _cell(summaries: Sequence[Summary], name: str) -> Cell:
    if name not in summaries[0].numbers:
        return Cell(reason=LACKING[name])
    return mean_number(summaries, name).cell


def draw(name: str, figure: SimilarityFigure, networks: ProbedNetworks) -> list[Drawing]:
    """All drawings; the one of the figure's plain name is the first."""
    middle = networks.middle
    stem = f"{name}-distribution" if figure.matrices_first else name
    distributions = [
        _distributions(f"{stem}{'' if at.step == middle else f'-{at.step:04d}'}", figure, at)
        for at in sorted(networks.at_timesteps(), key=lambda at: at.step != middle)
    ]
    own = [label for label, part in figure.parts.items() if isinstance(part, str)]
    stem = name if figure.matrices_first else f"{name}-matrices"
    matrices = [_matrices(stem, figure, networks, own)]
    if figure.axes is not None:
        (pair,) = figure.parts.keys() - {*own}
        matrices.append(_matrices(f"{name}-mutual", figure, networks, [pair], figure.axes))
    curves = [_curves(f"{name}-depth", figure.curves, networks)] if figure.curves else []
    if figure.matrices_first:
        return [*matrices, *distributions, *curves]
    return [*distributions, *matrices, *curves]


def _matrices(
    name: str,
    figure: SimilarityFigure,
    networks: ProbedNetworks,
    labels: Sequence[str],
    axes: tuple[str, str] = ("frame", "frame"),
) -> Drawing:
    """A row of matrices for each part, a column for each timestep.

    Args:
        axes: what columns and rows are.
    """
    matrices = [
        _matrix(label, figure, probed) for label in labels for probed in networks.at_timesteps()
    ]
    picture = matrix_figure(matrices, title=f"{figure.title}: similarity of frames", axes=axes)
    description = f"Cosine similarity of each {axes[1]} (rows) with each {axes[0]} (columns), "
    description += f"{', '.join(labels)}."
    return _drawing(name, picture, matrix_data(matrices), description, networks)


def _matrix(label: str, figure: SimilarityFigure, probed: Probed) -> Matrix:
    summaries = probed.at(figure.parts[label])
    caption = f"mean {number_text(mean_number(summaries, 'mean').value, 3)}"
    if "inverted" in summaries[0].numbers:
        caption += f", inverted {100 * mean_number(summaries, 'inverted').value:.1f} %"
    mean = mean_array([summary.matrix for summary in summaries], COSINE)
    return Matrix(
        title=f"{label}, t = {probed.step}",
        caption=caption,
        values=mean.value,
        low=mean.low,
        high=mean.high,
    )


def _distributions(name: str, figure: SimilarityFigure, probed: Probed) -> Drawing:
    distributions = []
    for label, part in figure.parts.items():
        shares = mean_array([summary.distribution for summary in probed.at(part)], SHARE)
        distributions.append(
            Distribution(
                label=label, edges=EDGES, shares=shares.value, low=shares.low, high=shares.high
            )
        )
    title = f"{figure.title}: distributions, t = {probed.step}"
    picture = distribution_figure(distributions, title=title)
    description = (
        f"Distribution of the cosine similarity between frames, {', '.join(figure.parts)}, at "
        f"timestep {probed.step}."
    )
    return _drawing(name, picture, distribution_data(distributions), description, probed.networks)


def _curves(name: str, paths: Mapping[int, str], networks: ProbedNetworks) -> Drawing:
    """Mean, variance and inverted relations over the blocks, a curve for each timestep."""
    panels = []
    for number in ("mean", "variance", "inverted"):
        curves = []
        for probed in networks.at_timesteps():
            points = [mean_number(probed.at(path), number) for path in paths.values()]
            curves.append(
                Line(
                    label=f"t = {probed.step}",
                    x=tuple(map(float, paths)),
                    y=tuple(float(point.value) for point in points),
                    low=tuple(float(x.low) for x in points) if networks.intervals else None,
                    high=tuple(float(x.high) for x in points) if networks.intervals else None,
                )
            )
        panels.append(Panel(title=TITLES[number], axis="spatial block", lines=tuple(curves)))
    picture = line_chart(panels, title="Similarity between frames over depth", shared="columns")
    bands = f"; bands are 95 % intervals {networks.intervals}" if networks.intervals else ""
    description = f"Over all spatial blocks{bands}."
    return _drawing(name, picture, line_data(panels), description, networks)


def _drawing(
    name: str, picture: Figure, data: pd.DataFrame, shown: str, networks: ProbedNetworks
) -> Drawing:
    caption = f"{shown} {networks.means}"
    return Drawing(name=name, figure=picture, data=data, description=shown, caption=caption)


def _meanings(figure: SimilarityFigure, networks: ProbedNetworks) -> list[str]:
    """What the verdicts mean."""
    undecided = "one network with so few clips has no intervals"
    if networks.intervals:
        undecided = "the 95 % interval of the difference, taken within each network, holds 0"
    return [
        f"“Not decided”: {undecided}.",
        *([SEVERAL] if networks.intervals else []),
        *(claim.meaning for claim in figure.claims if claim.meaning),
    ]


def _method(networks: ProbedNetworks, request: SimilarityRequest) -> str:
    config, size = networks.first["config"], networks.first["frame_size"]
    source = f"The network is {request.checkpoint}."
    if request.checkpoint is None:
        steps = SETUPS[request.scale].config_of(VARIANTS[config["variant"]]).training.steps
        seeds = "one seed" if networks.count == 1 else f"{networks.count} seeds"
        source = (
            f"Networks are cells of Figure 5f: averaged weights after {steps:,} steps on "
            f"{request.dataset}, from {seeds}."
        )
        if request.scale != "paper":
            source += " They are small: what holds in them need not hold in the paper's."
    clips = "1 clip" if networks.num_clips == 1 else f"{networks.num_clips} clips"
    is_held_out = request.dataset == "shapes"
    split = "held out from training" if is_held_out else "of the split that FVD is measured on"
    return (
        f"Variant {config['variant']} of {config['depth']} blocks, {config['hidden_size']} wide, "
        f"is shown {clips} of {request.dataset}, {split} ({config['num_frames']} frames of "
        f"{size}×{size}, sampling interval {request.protocol.real_stride}), noised to the "
        f"timesteps {', '.join(map(str, networks.timesteps))}. The cosine is taken token by token "
        "and averaged over the tokens; every number is that of a clip, averaged over the clips. "
        f"{source} The paper says neither its timestep nor its clips, so each claim is judged at "
        "three timesteps; it gives its curves without numbers."
    )
