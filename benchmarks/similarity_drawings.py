"""The drawings of Figures 6 and 8: matrices, distributions, and curves over the blocks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from benchmarks.figure_documents import Drawing
from benchmarks.frame_similarity import TIMESTEPS, Look
from benchmarks.similarity_claims import Networks, Number, SimilarityClaim, numbers, over_networks
from evaluation.similarity.moments import Band
from evaluation.similarity.summary import EDGES, Summary
from reports.bands import BandCurve, BandPanel, band_data, band_figure
from reports.similarity_figures import (
    Distribution,
    Matrix,
    distribution_data,
    distribution_figure,
    matrix_data,
    matrix_figure,
)

CAPTION = (
    "Means over networks from several seeds, which see the same clips with the same noise; what "
    "follows ± is half of the 95 % interval (Student's t), for other seeds and other clips, of one "
    "network alone for other clips."
)
TITLES = {
    "mean": "mean",
    "variance": "variance",
    "inverted": "inverted relations",
    "same_frame": "same frame",
}
MIDDLE = len(TIMESTEPS) // 2  # of the distribution that bears the figure's plain name

Parts = Callable[[Networks, int], Mapping[str, Sequence[Summary]]]


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


def draw(figure: SimilarityFigure, networks: Networks) -> list[Drawing]:
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


def _matrices(name: str, figure: SimilarityFigure, networks: Networks) -> Drawing:
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
    shown = f"Cosine similarity of each frame with each, {_listed(figure, networks)}."
    return _drawing(name, picture, matrix_data(matrices), shown)


def _distributions(name: str, figure: SimilarityFigure, networks: Networks, step: int) -> Drawing:
    found = []
    for label, summaries in figure.parts(networks, step).items():
        shares = _array([each.distribution for each in summaries], 0, 1)
        found.append(
            Distribution(
                label=label, edges=EDGES, shares=shares.value, low=shares.low, high=shares.high
            )
        )
    picture = distribution_figure(found, title=f"{figure.title}: distributions, t = {step}")
    shown = (
        f"Distribution of the cosine similarity between frames, {_listed(figure, networks)}, at "
        f"timestep {step}."
    )
    return _drawing(name, picture, distribution_data(found), shown)


def _curves(name: str, paths: Mapping[int, str], networks: Networks) -> Drawing:
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
    shown = "Over all spatial blocks, with intervals as bands."
    return _drawing(name, picture, band_data(panels), shown)


def _drawing(name: str, picture: Figure, data: pd.DataFrame, shown: str) -> Drawing:
    return Drawing(
        name=name, figure=picture, data=data, description=shown, caption=f"{shown} {CAPTION}"
    )


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


def _listed(figure: SimilarityFigure, networks: Networks) -> str:
    return ", ".join(figure.parts(networks, networks.timesteps[0]))
