import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.pyplot import get_cmap
from matplotlib.text import Text

from reports.charts.similarities import (
    COLOURS,
    Distribution,
    Matrix,
    distribution_data,
    distribution_figure,
    matrix_data,
    matrix_figure,
)
from reports.charts.style import styles_for
from reports.charts.svg import figure_svg

LOW = Matrix(title="a $ b", values=np.array([[1.0, 0.2], [0.2, 1.0]]))
HIGH = replace(LOW, title="c\nmean 0.9", values=np.array([[1.0, 0.9], [0.9, 1.0]]))
EDGES = np.linspace(-1, 1, 401)
ONE, TWO = (
    Distribution(label=label, edges=EDGES, shares=np.histogram(values, EDGES)[0] / len(values))
    for label, values in (("one", np.linspace(0.0, 0.999, 500)), ("two", np.full(3, -0.3125)))
)


def drawn(figure: object) -> list:
    return [axes for axes in figure.axes if axes.get_visible()]


def left_title(axes: object) -> Text:
    words = axes.get_title(loc="left")
    return next(text for text in axes.findobj(Text) if text.get_text() == words)


def test_matrices_share_one_scale_of_colours() -> None:
    figure = matrix_figure([LOW, HIGH], title="t")
    images = [mesh for axes in figure.axes for mesh in axes.collections if axes.get_xlabel()]
    assert [image.get_array().tolist() for image in images] == [
        LOW.values.tolist(),
        HIGH.values.tolist(),
    ]
    assert {image.get_clim() for image in images} == {(0.2, 1.0)}
    assert [axes.get_xlabel() for axes in drawn(figure)[:2]] == ["frame", "frame"]
    assert [axes.get_title("left") for axes in drawn(figure)[:2]] == [r"a \$ b", "c\nmean 0.9"]


def test_matrices_are_vectors_with_the_first_frame_at_the_top() -> None:
    figure = matrix_figure([LOW, HIGH], title="t")
    assert "<image" not in figure_svg(figure)
    assert figure.axes[0].yaxis_inverted()


def test_more_is_lighter_in_grey_too() -> None:
    colours = get_cmap(COLOURS)(np.linspace(0, 1, 50))[:, :3]
    grey = colours @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(grey) > 0).all()


def test_a_row_of_matrices_is_no_longer_than_three() -> None:
    figure = matrix_figure([LOW] * 5, title="t")
    assert len(drawn(figure)) == 5 + 1  # the last is the scale of colours
    figure.canvas.draw()
    for axes in drawn(figure):
        for text in (axes.title, left_title(axes), axes.xaxis.label):
            assert figure.bbox.contains(*text.get_window_extent().p0)


@pytest.mark.parametrize(("count", "labelled"), [(2, [0, 1]), (5, [2, 3, 4]), (9, [6, 7, 8])])
def test_nothing_is_printed_over_a_title_and_the_lowest_matrices_name_the_axis(
    count: int, labelled: list[int]
) -> None:
    figure = matrix_figure([HIGH] * count, title="t")
    figure.canvas.draw()
    panels = figure.axes[:count]
    assert [n for n, panel in enumerate(panels) if panel.get_xlabel() == "frame"] == labelled
    titles = [left_title(panel).get_window_extent() for panel in panels]
    for panel in panels:
        below = [panel.xaxis.label, *panel.get_xticklabels()]
        for text in filter(lambda each: each.get_text(), below):
            extent = text.get_window_extent()
            assert extent.y0 >= 0
            assert not any(extent.overlaps(title) for title in titles)


def test_distributions_are_densities_over_the_range_that_is_used() -> None:
    axes = distribution_figure([ONE, TWO], title="t").axes[0]
    low, high = axes.get_xlim()
    assert -0.35 < low <= -0.3125
    assert high == pytest.approx(1.0, abs=0.021)
    steps = [patch for patch in axes.patches if not patch.get_fill()]
    for patch in steps:
        values, edges, _ = patch.get_data()
        assert (values * np.diff(edges)).sum() == pytest.approx(1)
    assert len({patch.get_linestyle() for patch in steps}) == 2  # distinct in grey
    colours = [to_hex(patch.get_edgecolor()) for patch in steps]
    styles = styles_for(["one", "two"])
    assert colours == [styles[label].colour.lower() for label in ("one", "two")]


def test_numbers_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="one"):
        replace(ONE, shares=ONE.shares * math.nan)
    with pytest.raises(ValueError, match=re.escape(LOW.title)):
        replace(LOW, low=LOW.values * math.inf)


def test_the_numbers_behind_the_figures() -> None:
    ends = {"low": LOW.values - 0.1, "high": LOW.values + 0.1}
    matrices = matrix_data([replace(LOW, **ends), HIGH])
    assert len(matrices) == 8
    assert matrices.iloc[1].tolist() == ["a $ b", 0, 1, 0.2, pytest.approx(0.1), pytest.approx(0.3)]
    assert matrices.iloc[4]["matrix"] == "c: mean 0.9"
    assert math.isnan(matrices.iloc[4]["low"])
    (bin_,) = distribution_data([TWO]).to_numpy().tolist()
    assert bin_[0] == "two"
    assert bin_[1:4] == pytest.approx([-0.315, -0.31, 1.0])


def test_the_same_data_give_the_same_svg() -> None:
    for make in (
        lambda: matrix_figure([LOW, HIGH], title="$"),
        lambda: distribution_figure([ONE, TWO], title="$"),
    ):
        first, second = figure_svg(make()), figure_svg(make())
        assert first == second
        ElementTree.fromstring(first)
