"""Figures of what was measured, with the numbers behind them. The one module here that draws.

Pure in the data: summaries in, figures out; `reports` knows how they look.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from evaluation.similarity.model_similarity import ModelSimilarity
from evaluation.similarity.moments import Band, Estimate
from evaluation.similarity.summary import EDGES, Summary
from reports.charts.bands import BandCurve, BandPanel, band_data, band_figure
from reports.charts.similarity_figures import (
    Distribution,
    Matrix,
    distribution_data,
    distribution_figure,
    matrix_data,
    matrix_figure,
)
from reports.charts.svg import write_figure

Drawn: TypeAlias = tuple[Any, Any]  # a matplotlib figure and the data frame behind it
AXES_OF_NUMBERS = {
    "mean": "mean similarity",
    "variance": "variance of the similarity",
    "inverted": "inverted relations, share",
}
MOST_SHOWN = 4  # sites beside each other


def write_figures(figures: Mapping[str, Drawn], folder: Path) -> list[Path]:
    """Each figure as NAME.svg, NAME.png and NAME.csv."""
    return [
        path
        for name, (figure, data) in figures.items()
        for path in write_figure(figure, data, folder, name)
    ]


def model_figures(
    similarity: ModelSimilarity, shown: Sequence[str] | None = None
) -> dict[str, Drawn]:
    """Matrices and distributions at each timestep, curves over depth and over timestep, by name.

    Args:
        shown: paths of the sites whose matrices, distributions and curves over timestep are drawn;
            None: `shown_sites`.
    """
    chosen = shown_sites(similarity) if shown is None else shown
    figures: dict[str, Drawn] = {}
    for step in similarity.timesteps:
        at = f"timestep {step}"
        summaries = {path: similarity.at(path, step) for path in chosen}
        figures[f"matrices-{step:04d}"] = _matrices(
            [_matrix(path, each, _own_numbers(each)) for path, each in summaries.items()],
            f"Similarity between frames, {at}",
        )
        between = {
            f"{pair.first} × {pair.second.rpartition('.')[2]}": similarity.between(pair, step)
            for pair in similarity.pairs
            if pair.first in chosen
        }
        curves = {**summaries, **between}
        figures[f"distribution-{step:04d}"] = _distributions(
            curves, f"Distribution of the similarity between frames, {at}"
        )
        if between:
            figures[f"mutual-{step:04d}"] = _matrices(
                [_matrix(path, each, _mutual_numbers(each)) for path, each in between.items()],
                f"Similarity between frames of two parts, {at}",
                ("frame of the second", "frame of the first"),
            )
    if depths := _over_depth(similarity):
        figures["depth"] = band_figure(depths, title="Over depth"), band_data(depths)
    if len(similarity.timesteps) > 1:
        times = _over_time(similarity, chosen)
        figures["timesteps"] = band_figure(times, title="Over timesteps"), band_data(times)
    return figures


def video_figures(sets: Mapping[str, Summary]) -> dict[str, Drawn]:
    """Mean matrices, distributions and similarity over distance of sets of videos, by their names.

    The curve over distance begins at 1: every frame is like itself.
    """
    panel = BandPanel(
        title="mean similarity",
        axis="frames apart",
        curves=tuple(
            _band_curve(name, range(1, each.num_frames), each.by_distance)
            for name, each in sets.items()
        ),
    )
    matrices = [_matrix(name, each, _own_numbers(each)) for name, each in sets.items()]
    return {
        "matrices": _matrices(matrices, "Similarity between frames"),
        "distribution": _distributions(sets, "Distribution of the similarity between frames"),
        "distance": (
            band_figure([panel], title="Similarity of frames, by how far they are apart"),
            band_data([panel]),
        ),
    }


def shown_sites(similarity: ModelSimilarity) -> list[str]:
    """Paths of a few sites: all where there are few, else the first, middle and last of a kind.

    Of variant 2, with all its blocks measured, the spatial blocks that Figure 6 shows: 0, 7, 13 of
    14. Of variant 4 the two attentions of the last block but two (Figure 8: of 20).
    """
    sites = similarity.sites
    if len(sites) <= MOST_SHOWN:
        return [site.path for site in sites]
    first = similarity.kinds[0]
    if similarity.pairs:
        pair = similarity.pairs[max(len(similarity.pairs) - 3, 0)]
        return [pair.first, pair.second]
    own = [site for site in sites if site.kind == first]
    middle = [own[0], own[len(own) // 2], own[-1]]
    return list(dict.fromkeys(site.path for site in middle))


def _matrices(
    matrices: Sequence[Matrix], title: str, axes: tuple[str, str] = ("frame", "frame")
) -> Drawn:
    return matrix_figure(matrices, title=title, axes=axes), matrix_data(matrices)


def _distributions(summaries: Mapping[str, Summary], title: str) -> Drawn:
    distributions = [
        Distribution(
            label=name,
            edges=EDGES,
            shares=each.distribution.value,
            low=each.distribution.low,
            high=each.distribution.high,
        )
        for name, each in summaries.items()
    ]
    return distribution_figure(distributions, title=title), distribution_data(distributions)


def _over_depth(similarity: ModelSimilarity) -> list[BandPanel]:
    """A row of panels for each timestep; empty where no kind has two blocks."""
    panels = []
    for step in sorted(similarity.timesteps):
        for number, title in AXES_OF_NUMBERS.items():
            points = {kind: similarity.over_depth(number, step, kind) for kind in similarity.kinds}
            if number == "mean":
                points["of the two branches"] = _mutual(similarity, step)
            curves = [_curve(kind, each) for kind, each in points.items() if len(each) > 1]
            if curves:
                heading = f"{title}, t = {step}"
                panels.append(BandPanel(title=heading, axis="block", curves=tuple(curves)))
    return panels


def _mutual(similarity: ModelSimilarity, step: int) -> list[tuple[int, Estimate]]:
    return [
        (pair.depth, similarity.between(pair, step)["mean"])
        for pair in similarity.pairs
        if pair.depth is not None
    ]


def _over_time(similarity: ModelSimilarity, chosen: Sequence[str]) -> list[BandPanel]:
    return [
        BandPanel(
            title=title,
            axis="timestep",
            curves=tuple(_curve(path, similarity.over_time(number, path)) for path in chosen),
        )
        for number, title in AXES_OF_NUMBERS.items()
    ]


def _curve(label: str, points: Iterable[tuple[int, Estimate]]) -> BandCurve:
    listed = list(points)
    intervals = [each.interval for _, each in listed]
    low = [interval.low for interval in intervals if interval]
    high = [interval.high for interval in intervals if interval]
    return BandCurve(
        label=label,
        x=tuple(float(x) for x, _ in listed),
        y=tuple(each.value for _, each in listed),
        low=tuple(low) or None,
        high=tuple(high) or None,
    )


def _band_curve(label: str, places: range, band: Band) -> BandCurve:
    ends = [None if end is None else tuple(end[places].tolist()) for end in (band.low, band.high)]
    return BandCurve(
        label=label,
        x=tuple(float(x) for x in places),
        y=tuple(band.value[places].tolist()),
        low=ends[0],
        high=ends[1],
    )


def _matrix(name: str, summary: Summary, numbers: str) -> Matrix:
    """Known by its name alone in the data, so that the rows of two runs can be joined."""
    band = summary.matrix
    return Matrix(title=name, caption=numbers, values=band.value, low=band.low, high=band.high)


def _own_numbers(summary: Summary) -> str:
    inverted = 100 * summary["inverted"].value
    return _signed(f"mean {summary['mean'].value:.3f}, inverted {inverted:.1f} %")


def _mutual_numbers(summary: Summary) -> str:
    mean, same = summary["mean"].value, summary["same_frame"].value
    return _signed(f"mean {mean:.3f}, same frame {same:.3f}")


def _signed(numbers: str) -> str:
    """With the sign of a number in place of a hyphen."""
    return numbers.replace("-", "−")
