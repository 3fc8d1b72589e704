"""Figures of similarities, with the numbers behind them: summaries in, figures out."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from evaluation.similarity.hidden_states.measuring import ModelSimilarity
from evaluation.similarity.summary import EDGES, ArrayEstimate, Estimate, Summary
from reports.charts.lines import Line, Panel, line_chart, line_data
from reports.charts.similarities import (
    Distribution,
    Matrix,
    distribution_data,
    distribution_figure,
    matrix_data,
    matrix_figure,
)
from reports.numbers import number_text

Drawn: TypeAlias = tuple[Any, Any]  # a matplotlib figure and the data frame behind it
AXES_OF_NUMBERS = {
    "mean": "mean similarity",
    "variance": "variance of the similarity",
    "inverted": "inverted relations, share",
}
MAX_SITES = 4  # sites side by side


def model_figures(similarity: ModelSimilarity) -> dict[str, Drawn]:
    """Matrices and distributions at each timestep, curves over depth and over timestep, by name.

    Matrices, distributions and curves over timestep are drawn of the `shown_sites`.
    """
    paths = shown_sites(similarity)
    figures: dict[str, Drawn] = {}
    for step in similarity.timesteps:
        at = f"timestep {step}"
        summaries = {path: similarity.at(path, step) for path in paths}
        figures[f"matrices-{step:04d}"] = _matrices(summaries, f"Similarity between frames, {at}")
        between = {
            f"{pair.first} × {pair.second.rpartition('.')[2]}": similarity.at(pair, step)
            for pair in similarity.pairs
            if pair.first in paths
        }
        figures[f"distribution-{step:04d}"] = _distributions(
            summaries | between, f"Distribution of the similarity between frames, {at}"
        )
        if between:
            figures[f"mutual-{step:04d}"] = _matrices(
                between,
                f"Similarity between frames of two parts, {at}",
                ("frame of the second", "frame of the first"),
            )
    if depths := _over_depth(similarity):
        chart = line_chart(depths, title="Over depth", shared="columns")
        figures["depth"] = chart, line_data(depths)
    if len(similarity.timesteps) > 1:
        times = [
            Panel(
                title=title,
                axis="timestep",
                lines=tuple(_curve(path, similarity.over_time(number, path)) for path in paths),
            )
            for number, title in AXES_OF_NUMBERS.items()
        ]
        figures["timesteps"] = line_chart(times, title="Over timesteps"), line_data(times)
    return figures


def video_figures(sets: Mapping[str, Summary]) -> dict[str, Drawn]:
    """Mean matrices, distributions and similarity over distance of sets of videos, by their names.

    The curve over distance begins at 1: every frame is like itself.
    """
    panel = Panel(
        title="mean similarity",
        axis="frames apart",
        lines=tuple(_distance_curve(name, summary.by_distance) for name, summary in sets.items()),
    )
    return {
        "matrices": _matrices(sets, "Similarity between frames"),
        "distribution": _distributions(sets, "Distribution of the similarity between frames"),
        "distance": (
            line_chart([panel], title="Similarity of frames, by how far they are apart"),
            line_data([panel]),
        ),
    }


def shown_sites(similarity: ModelSimilarity) -> list[str]:
    """Paths of a few sites: all where there are few, else the first, middle and last of a kind.

    Of variant 2, with all its blocks measured, the spatial blocks that Figure 6 shows: 0, 7, 13 of
    14. Of variant 4 the two attentions of the last block but two (Figure 8: of 20).
    """
    sites = similarity.sites
    if len(sites) <= MAX_SITES:
        return [site.path for site in sites]
    first = similarity.kinds[0]
    if similarity.pairs:
        pair = similarity.pairs[max(len(similarity.pairs) - 3, 0)]
        return [pair.first, pair.second]
    own = [site for site in sites if site.kind == first]
    middle = [own[0], own[len(own) // 2], own[-1]]
    return list(dict.fromkeys(site.path for site in middle))


def _matrices(
    summaries: Mapping[str, Summary], title: str, axes: tuple[str, str] = ("frame", "frame")
) -> Drawn:
    matrices = []
    for name, summary in summaries.items():
        if "inverted" in summary.numbers:
            more = f"inverted {100 * summary['inverted'].value:.1f} %"
        else:
            more = f"same frame {number_text(summary['same_frame'].value, 3)}"
        caption = f"mean {number_text(summary['mean'].value, 3)}, {more}"
        # The title is the name alone, so that the data of two runs can be joined.
        means = summary.matrix
        matrices.append(
            Matrix(title=name, caption=caption, values=means.value, low=means.low, high=means.high)
        )
    return matrix_figure(matrices, title=title, axes=axes), matrix_data(matrices)


def _distributions(summaries: Mapping[str, Summary], title: str) -> Drawn:
    distributions = [
        Distribution(
            label=name,
            edges=EDGES,
            shares=summary.distribution.value,
            low=summary.distribution.low,
            high=summary.distribution.high,
        )
        for name, summary in summaries.items()
    ]
    return distribution_figure(distributions, title=title), distribution_data(distributions)


def _over_depth(similarity: ModelSimilarity) -> list[Panel]:
    """A row of panels for each timestep; empty where no kind has two blocks."""
    panels = []
    for step in sorted(similarity.timesteps):
        for number, title in AXES_OF_NUMBERS.items():
            points = {kind: similarity.over_depth(number, step, kind) for kind in similarity.kinds}
            if number == "mean":
                points["of the two branches"] = [
                    (pair.depth, similarity.at(pair, step)["mean"])
                    for pair in similarity.pairs
                    if pair.depth is not None
                ]
            curves = [_curve(kind, each) for kind, each in points.items() if len(each) > 1]
            if curves:
                heading = f"{title}, t = {step}"
                panels.append(Panel(title=heading, axis="block", lines=tuple(curves)))
    return panels


def _curve(label: str, points: Iterable[tuple[int, Estimate]]) -> Line:
    places, estimates = zip(*points, strict=True)
    low, high = zip(*(estimate.interval or (None, None) for estimate in estimates), strict=True)
    return Line(
        label=label,
        x=tuple(float(x) for x in places),
        y=tuple(estimate.value for estimate in estimates),
        low=None if None in low else low,
        high=None if None in high else high,
    )


def _distance_curve(label: str, means: ArrayEstimate) -> Line:
    low, high = (
        None if end is None else tuple(end[1:].tolist()) for end in (means.low, means.high)
    )
    values = means.value[1:].tolist()
    return Line(
        label=label,
        x=tuple(float(x) for x in range(1, len(values) + 1)),
        y=tuple(values),
        low=low,
        high=high,
    )
