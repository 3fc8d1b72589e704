"""The drawings of Figures 6 and 8: matrices, distributions, and curves over the blocks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure

from benchmarks.documents.claims import Claim
from benchmarks.documents.drawings import Drawing
from benchmarks.documents.numbers import BoundedNumber
from benchmarks.figures.similarity.claims import Parts
from benchmarks.figures.similarity.numbers import (
    COSINE,
    SHARE,
    Probed,
    ProbedNetworks,
    Range,
    mean_number,
    over_networks,
)
from evaluation.similarity.means import ArrayEstimate
from evaluation.similarity.summary import EDGES
from reports.charts.lines import Line, Panel, line_chart, line_data
from reports.charts.similarities import (
    Distribution,
    Matrix,
    distribution_data,
    distribution_figure,
    matrix_data,
    matrix_figure,
)

TITLES = {
    "mean": "mean",
    "variance": "variance",
    "inverted": "inverted relations",
    "same_frame": "same frame",
}


@dataclass(frozen=True, kw_only=True)
class SimilarityFigure:
    """What a figure shows of its networks."""

    number: str  # number in the paper: "6"
    title: str
    parts: Parts  # drawn, by label
    beside: Parts  # parts in the table alone
    numbers: tuple[str, ...]  # columns of the table
    claims: tuple[Claim[Probed], ...]
    remarks: tuple[str, ...]  # how this differs from the paper's figure
    matrices_first: bool  # the figure of that name shows matrices, not distributions
    curves: Mapping[int, str] | None = None  # paths by depth: curves over them are drawn
    # Labels of two parts with each other; columns and rows of their matrices.
    mutual: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of its files: "figure6"."""
        return f"figure{self.number}"


def draw(figure: SimilarityFigure, networks: ProbedNetworks) -> list[Drawing]:
    """All drawings; the one of the figure's plain name is the first."""
    name, probed = figure.name, networks.at_timesteps()
    middle = networks.middle
    stem = f"{name}-distribution" if figure.matrices_first else name
    distributions = [
        _distributions(f"{stem}{'' if at.step == middle else f'-{at.step:04d}'}", figure, at)
        for at in sorted(probed, key=lambda at: at.step != middle)
    ]
    own = [label for label in figure.parts(probed[0]) if label not in figure.mutual]
    matrices = [
        _matrices(name if figure.matrices_first else f"{name}-matrices", figure, networks, own),
        *(_mutual(f"{name}-mutual", figure, networks, label) for label in figure.mutual),
    ]
    curves = [] if figure.curves is None else [_curves(f"{name}-depth", figure.curves, networks)]
    if figure.matrices_first:
        return [*matrices, *distributions, *curves]
    return [*distributions, *matrices, *curves]


def means(networks: ProbedNetworks) -> str:
    """A sentence for captions: what the numbers are means over."""
    if networks.count == 1:
        return "Means over the clips, of one network."
    return (
        f"Means over networks from {networks.count} seeds, which see the same clips with the same "
        "noise."
    )


def intervals(networks: ProbedNetworks) -> str | None:
    """How intervals are taken, and for what, to follow that word; None where there are none."""
    over = ["other seeds"] * (networks.count > 1) + ["other clips"] * networks.has_enough_clips
    return f"(Student's t) for {' and '.join(over)}" if over else None


def _matrices(
    name: str, figure: SimilarityFigure, networks: ProbedNetworks, labels: Sequence[str]
) -> Drawing:
    """Matrices of the frames of each part: a row for each part, a column for each timestep."""
    matrices = [matrix for label in labels for matrix in _at_timesteps(figure, networks, label)]
    picture = matrix_figure(matrices, title=f"{figure.title}: similarity between frames")
    shown = f"Cosine similarity of each frame with each, {', '.join(labels)}."
    return _drawing(name, picture, matrix_data(matrices), shown, networks)


def _mutual(name: str, figure: SimilarityFigure, networks: ProbedNetworks, label: str) -> Drawing:
    """Frames of one part with those of another: not symmetric, so both axes have names."""
    matrices, axes = _at_timesteps(figure, networks, label), figure.mutual[label]
    picture = matrix_figure(matrices, title=f"{figure.title}: similarity {label}", axes=axes)
    shown = f"Cosine similarity of each {axes[1]} (rows) with each {axes[0]} (columns)."
    return _drawing(name, picture, matrix_data(matrices), shown, networks)


def _at_timesteps(figure: SimilarityFigure, networks: ProbedNetworks, label: str) -> list[Matrix]:
    """The matrix of a part at each timestep."""
    matrices = []
    for probed in networks.at_timesteps():
        summaries = figure.parts(probed)[label]
        caption = f"mean {mean_number(summaries, 'mean').value:.3f}".replace("-", "−")
        if "inverted" in summaries[0].numbers:
            caption += f", inverted {100 * mean_number(summaries, 'inverted').value:.1f} %"
        mean = _array([summary.matrix for summary in summaries], COSINE)
        matrices.append(
            Matrix(
                title=f"{label}, t = {probed.step}",
                caption=caption,
                values=mean.value,
                low=mean.low,
                high=mean.high,
            )
        )
    return matrices


def _distributions(name: str, figure: SimilarityFigure, probed: Probed) -> Drawing:
    distributions = []
    for label, summaries in figure.parts(probed).items():
        shares = _array([summary.distribution for summary in summaries], SHARE)
        distributions.append(
            Distribution(
                label=label, edges=EDGES, shares=shares.value, low=shares.low, high=shares.high
            )
        )
    labels = ", ".join(figure.parts(probed))
    title = f"{figure.title}: distributions, t = {probed.step}"
    picture = distribution_figure(distributions, title=title)
    shown = (
        f"Distribution of the cosine similarity between frames, {labels}, at timestep "
        f"{probed.step}."
    )
    return _drawing(name, picture, distribution_data(distributions), shown, probed.networks)


def _curves(name: str, paths: Mapping[int, str], networks: ProbedNetworks) -> Drawing:
    """Mean, variance and inverted relations over the blocks, a curve for each timestep."""
    panels = []
    for number in ("mean", "variance", "inverted"):
        curves = []
        for probed in networks.at_timesteps():
            points = [mean_number(probed.at(path), number) for path in paths.values()]
            has_ends = all(point.low is not None for point in points)
            curves.append(
                Line(
                    label=f"t = {probed.step}",
                    x=tuple(map(float, paths)),
                    y=tuple(float(point.value) for point in points),
                    low=tuple(float(point.low) for point in points) if has_ends else None,
                    high=tuple(float(point.high) for point in points) if has_ends else None,
                )
            )
        panels.append(Panel(title=TITLES[number], axis="spatial block", lines=tuple(curves)))
    picture = line_chart(panels, title="Similarity between frames over depth", shared="columns")
    of_what = intervals(networks)
    shown = f"Over all spatial blocks{f'; bands are 95 % intervals {of_what}' if of_what else ''}."
    return _drawing(name, picture, line_data(panels), shown, networks)


def _drawing(
    name: str, picture: Figure, data: pd.DataFrame, shown: str, networks: ProbedNetworks
) -> Drawing:
    caption = f"{shown} {means(networks)}"
    return Drawing(name=name, figure=picture, data=data, description=shown, caption=caption)


def _array(bands: Sequence[ArrayEstimate], within: Range) -> BoundedNumber:
    """Mean of arrays of several networks, as `over_networks`."""
    numbers = [BoundedNumber(value=band.value, low=band.low, high=band.high) for band in bands]
    return over_networks(numbers, within)
