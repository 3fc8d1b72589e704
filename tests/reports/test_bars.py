import math
from collections.abc import Sequence
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.markers import CARETLEFT

from reports.charts.bars import Bar, Base, bar_chart, bar_data, log_ticks
from reports.charts.style import styles_for
from reports.charts.svg import figure_svg

STYLES = styles_for(["frames", "time", "not there"])
POINTS = [
    Bar(label="blur 1", value=3.0, low=2.5, high=3.4, family="time"),
    Bar(label="noise 1", value=1.0, low=0.9, high=1.2, family="frames"),
    Bar(label="blur 2", value=2.0, family="time"),
]
CHANGES = [
    Bar(label="a little", value=10.5, low=10.2, high=10.8, family="time"),
    Bar(label="much more", value=14.0, low=12.0, high=16.0, family="time"),
    Bar(label="less", value=8.0, family="frames"),
    Bar(label="nothing", value=10.0, family="frames"),
]
# Few bars whose texts need room on both sides, linear and logarithmic.
WIDE = [
    Bar(label="2 clips of each video, as many clips in all", value=10.7, low=3, high=25, family=""),
    Bar(label="no preparation, the network resizes", value=6.5, low=-1.0, high=9.0, family=""),
    Bar(label="half of the clips", value=13.0, low=0.1, high=60.0, family=""),
    Bar(label="real clips at stride 2", value=37.0, low=35.0, high=80.0, family=""),
]
FAR = [*WIDE[:3], replace(WIDE[3], value=57.0)]


def points(bars: Sequence[Bar]) -> Figure:
    styles = {**styles_for(bar.family for bar in bars), **STYLES}
    return bar_chart(bars, title="t", axis="x", styles=styles)


def tornado(bars: Sequence[Bar], base: float = 10.0) -> Figure:
    """The bars as changes from a base, the farthest at the top."""
    styles = {**styles_for(bar.family for bar in bars), **STYLES}
    return bar_chart(bars, title="$x", axis="x", styles=styles, base=Base(value=base, label="base"))


def of_values(*values: float) -> list[Bar]:
    return [Bar(label=str(value), value=value, family="") for value in values]


def labels_of(figure: Figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def intervals_of(figure: Figure) -> list[tuple[float, float]]:
    """From where to where the whiskers go."""
    segments = [s for lines in figure.axes[0].collections for s in lines.get_segments()]
    return sorted((s[0][0], s[1][0]) for s in segments if s[0][1] == s[1][1])


def arrows_of(figure: Figure) -> list[tuple[float, float]]:
    """Where intervals are cut off: place on the axis, row."""
    lines = [line for line in figure.axes[0].lines if line.get_marker() == CARETLEFT]
    return [(line.get_xdata()[0], line.get_ydata()[0]) for line in lines]


def test_points_are_drawn_at_their_values_in_the_order_given() -> None:
    figure = points(POINTS)
    axes = figure.axes[0]
    assert labels_of(figure) == ["blur 1", "noise 1", "blur 2"]
    assert [line.get_xdata()[-1] for line in axes.lines[::2]] == [3.0, 1.0, 2.0]
    assert axes.get_xscale() == "log"
    assert axes.yaxis_inverted()  # the first is at the top
    assert intervals_of(figure) == [(0.9, 1.2), (2.5, 3.4)]
    assert [text.get_text() for text in axes.texts] == ["3.00", "1.00", "2.00"]


def test_bars_go_from_the_base_to_the_value_and_the_farthest_is_at_the_top() -> None:
    figure = tornado(CHANGES)
    axes = figure.axes[0]
    bars = [bar for container in axes.containers for bar in container]
    assert labels_of(figure) == ["much more", "less", "a little", "nothing"]
    assert [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars] == [
        *((10.0, 14.0), (10.0, 8.0), (10.0, 10.5), (10.0, 10.0))
    ]
    assert axes.yaxis_inverted()
    assert intervals_of(figure) == [(10.2, 10.8), (12.0, 16.0)]
    texts = [text.get_text() for text in axes.texts]
    assert texts[:4] == ["+40 %", "−20 %", "+5.0 %", "0 %"]
    assert texts[4:] == ["← lower", "higher →", "base 10.00"]


@pytest.mark.parametrize(
    ("values", "scale", "labels"),
    [
        ((31.0,), "log", ["31.0"]),
        ((29.0,), "linear", ["29.0"]),
        ((3.0,), "log", ["3.0"]),
        ((4.0, 0.0), "linear", ["0.0", "4.0"]),
        ((20.0, 4.9, 14.5), "linear", ["20.0", "4.9", "14.5"]),
        ((20.0, 4.9, 14.5, 31.0), "log", ["31.0", "4.9", "20.0", "14.5"]),  # half is like twice
    ],
)
def test_the_axis_is_logarithmic_where_a_value_is_far_from_the_base(
    values: tuple[float, ...], scale: str, labels: list[str]
) -> None:
    figure = tornado(of_values(*values))
    assert figure.axes[0].get_xscale() == scale
    assert labels_of(figure) == labels


def test_an_interval_that_is_cut_off_ends_in_an_arrow_and_does_not_stretch_the_axis() -> None:
    cut = Bar(label="a", value=0.749, low=0.0, high=1.712, family="time")
    figure = points([cut, Bar(label="b", value=100.0, low=90.0, high=110.0, family="time")])
    ((left, row),) = arrows_of(figure)
    assert 0.1 < figure.axes[0].get_xlim()[0] < left < 0.749
    assert row == 0
    below = replace(cut, value=10.0, low=0.0, high=20.0)
    figure = tornado([below, Bar(label="b", value=90.0, low=50.0, high=200.0, family="time")])
    assert arrows_of(figure) == [(5.0, 1)]
    assert intervals_of(figure) == [(5.0, 20.0), (50.0, 200.0)]
    assert arrows_of(tornado([below])) == []  # the axis is linear


@pytest.mark.parametrize(
    "figure",
    [
        points([*of_values(12345.6), Bar(label="b", value=3.0, low=-4, high=20000, family="")]),
        *(tornado(bars, 13.05) for bars in (CHANGES, WIDE, FAR, WIDE[:1], WIDE[1:3], FAR[1:])),
    ],
)
def test_no_text_is_written_over_a_label_or_outside_the_axes(figure: Figure) -> None:
    figure.canvas.draw()
    axes = figure.axes[0]
    rows = len(axes.get_yticklabels())
    labels = [label.get_window_extent() for label in axes.get_yticklabels()]
    box = axes.get_window_extent()
    for text in (text.get_window_extent() for text in axes.texts[:rows]):
        assert not any(text.overlaps(label) for label in labels)
        assert box.x0 <= text.x0
        assert text.x1 <= box.x1
    for text in (*labels, *(text.get_window_extent() for text in axes.texts)):
        assert figure.bbox.x0 <= text.x0
        assert text.x1 <= figure.bbox.x1
        assert text.y1 <= figure.bbox.y1


def test_a_family_has_one_colour_and_one_legend_entry_outside_the_axes() -> None:
    figure = tornado(CHANGES)
    colours = [to_hex(b.get_facecolor()) for c in figure.axes[0].containers for b in c]
    families = ["time", "frames", "time", "frames"]
    assert colours == [STYLES[family].colour.lower() for family in families]
    for chart in (figure, points(POINTS)):
        (legend,) = chart.legends
        assert [text.get_text() for text in legend.get_texts()] == ["time", "frames"]
        chart.canvas.draw()
        assert not legend.get_window_extent().overlaps(chart.axes[0].get_window_extent())
    assert not points(of_values(1.0, 2.0)).legends


def test_a_legend_takes_as_many_lines_as_it_needs_to_stay_inside_the_figure() -> None:
    names = [f"a family with a long name, number {i}" for i in range(5)]
    figure = points([Bar(label=name, value=1.0, family=name) for name in names])
    figure.canvas.draw()
    (legend,) = figure.legends
    extent = legend.get_window_extent()
    assert extent.x0 >= 0
    assert extent.x1 <= figure.bbox.x1
    assert extent.y0 >= 0
    assert len(legend.get_texts()) == 5


def test_labels_are_text_and_never_formulas() -> None:
    bars = [
        Bar(label="$x_1$ \\frac{", value=1.0, family="$a$"),
        Bar(label="a$b", value=2.0, family="\\bad"),
    ]
    styles = styles_for(["$a$", "\\bad"])
    figure = bar_chart(bars, title="$\\bad", axis="50 $", styles=styles)
    figure_svg(figure)
    assert labels_of(figure)[1] == r"a\$b"


def test_a_value_that_no_logarithmic_axis_can_show_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        points(of_values(0.0))
    with pytest.raises(ValueError, match=r"a: .*finite"):
        Bar(label="a", value=math.nan, family="f")


def test_the_numbers_behind_a_chart() -> None:
    data = bar_data(POINTS)
    assert data.iloc[0].tolist() == ["blur 1", "time", 3.0, 2.5, 3.4]
    assert data.low.isna().tolist() == [False, False, True]


@pytest.mark.parametrize("draw", [lambda: points(POINTS), lambda: tornado(CHANGES)])
def test_the_same_bars_give_the_same_svg(draw) -> None:
    first, second = figure_svg(draw()), figure_svg(draw())
    assert first == second
    ElementTree.fromstring(first)


@pytest.mark.parametrize("high", [1.01, 3.0, 80.0, 1e9])
def test_a_logarithmic_axis_has_few_round_ticks(high: float) -> None:
    ticks = log_ticks(0.7, high)
    assert ticks == sorted(ticks)
    assert 1.0 in ticks
    assert len(ticks) <= 12
    assert all(f"{tick:.3g}" == f"{float(f'{tick:.1e}'):.3g}" for tick in ticks)
