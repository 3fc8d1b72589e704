import math
from xml.etree import ElementTree

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.markers import CARETLEFT

from reports.charts.bars import Bar, Base, bar_chart, log_ticks
from reports.charts.style import styles_for
from reports.charts.svg import figure_svg
from reports.numbers import percent

BARS = [
    Bar(label="blur 1", value=3.0, low=2.5, high=3.4, family="blur"),
    Bar(label="noise 1", value=1.0, low=0.9, high=1.2, family="noise"),
    Bar(label="blur 2", value=2.0, family="blur"),
]


def labels_of(figure: object) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def lengths_of(figure: object) -> list[float]:
    return [bar.get_width() for container in figure.axes[0].containers for bar in container]


def test_a_bar_chart_draws_the_values_in_the_order_given() -> None:
    figure = bar_chart(BARS, title="t", axis="x", log=False)
    assert labels_of(figure) == ["blur 1", "noise 1", "blur 2"]
    assert lengths_of(figure) == [3.0, 1.0, 2.0]
    top, bottom = figure.axes[0].get_ylim()[::-1]
    assert top < bottom  # the first bar is the topmost


@pytest.mark.parametrize(
    ("order", "labels"),
    [
        ("ascending", ["noise 1", "blur 2", "blur 1"]),
        ("descending", ["blur 1", "blur 2", "noise 1"]),
    ],
)
def test_a_bar_chart_sorts_by_value(order: str, labels: list[str]) -> None:
    figure = bar_chart(BARS, title="t", axis="x", order=order)
    assert labels_of(figure) == labels
    assert lengths_of(figure) == sorted((1.0, 2.0, 3.0), reverse=order == "descending")


@pytest.mark.parametrize("log", [False, True])
def test_intervals_and_values_are_drawn_where_they_are(log: bool) -> None:
    figure = bar_chart(BARS, title="t", axis="x", log=log)
    segments = [s for lines in figure.axes[0].collections for s in lines.get_segments()]
    horizontal = sorted((s[0][0], s[1][0]) for s in segments if s[0][1] == s[1][1])
    assert horizontal == [(0.9, 1.2), (2.5, 3.4)]
    assert [text.get_text() for text in figure.axes[0].texts] == ["3.00", "1.00", "2.00"]


def test_the_axis_is_logarithmic_only_where_positive_values_span_decades() -> None:
    def scale(*values: float, log: bool | None = None) -> str:
        bars = [Bar(label=str(i), value=value) for i, value in enumerate(values)]
        return bar_chart(bars, title="t", axis="x", log=log).axes[0].get_xscale()

    assert scale(1.0, 51.0) == "log"
    assert scale(1.0, 49.0) == "linear"
    assert scale(-1.0, 1000.0) == "linear"
    assert scale(0.0, 0.0) == "linear"
    assert scale(1.0, 2.0, log=True) == "log"
    assert scale(1.0, 5000.0, log=False) == "linear"


def test_an_interval_that_reaches_to_zero_does_not_stretch_a_logarithmic_axis() -> None:
    bars = [Bar(label="a", value=1.0, low=-0.5, high=2.0), Bar(label="b", value=100.0)]
    low, high = bar_chart(bars, title="t", axis="x", log=True).axes[0].get_xlim()
    assert 0.1 < low < 1.0
    assert high > 100.0


def test_an_interval_that_is_cut_off_ends_in_an_arrow() -> None:
    bars = [
        Bar(label="a", value=0.749, low=0.0, high=1.712),
        Bar(label="b", value=100.0, low=90.0, high=110.0),
    ]
    axes = bar_chart(bars, title="t", axis="x", log=True).axes[0]
    (arrow,) = [line for line in axes.lines if line.get_marker() == CARETLEFT]
    assert axes.get_xlim()[0] < arrow.get_xdata()[0] < 0.749
    assert arrow.get_ydata()[0] == 0
    straight = bar_chart(bars, title="t", axis="x", log=False).axes[0]
    assert not [line for line in straight.lines if line.get_marker() == CARETLEFT]


def test_every_value_label_stays_inside_the_figure() -> None:
    bars = [
        Bar(label="a", value=-3.0, low=-4.0, high=-2.0),
        Bar(label="b", value=12345.6, low=12000.0, high=20000.0),
    ]
    figure = bar_chart(bars, title="t", axis="x")
    figure.canvas.draw()
    box = figure.bbox
    for text in figure.axes[0].texts:
        extent = text.get_window_extent()
        assert extent.x0 >= box.x0
        assert extent.x1 <= box.x1


@pytest.mark.parametrize("log", [False, True])
def test_a_family_has_one_colour_and_one_legend_entry_outside_the_axes(log: bool) -> None:
    bars = [Bar(label=f"{i}", value=1.0 + i, family="blur" if i % 2 else "noise") for i in range(4)]
    styles = styles_for(["blur", "noise"])
    figure = bar_chart(bars, title="t", axis="x", log=log, styles=styles)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["noise", "blur"]
    figure.canvas.draw()
    assert not legend.get_window_extent().overlaps(figure.axes[0].get_window_extent())
    if not log:
        colours = [to_hex(b.get_facecolor()) for c in figure.axes[0].containers for b in c]
        assert colours[0] == colours[2] == styles["noise"].colour.lower()
        assert colours[1] == colours[3] == styles["blur"].colour.lower()


def test_a_legend_takes_as_many_lines_as_it_needs_to_stay_inside_the_figure() -> None:
    names = [f"a family with a long name, number {i}" for i in range(5)]
    bars = [Bar(label=f"{i}", value=1.0 + i, family=name) for i, name in enumerate(names)]
    figure = bar_chart(bars, title="t", axis="x")
    figure.canvas.draw()
    (legend,) = figure.legends
    extent = legend.get_window_extent()
    assert extent.x0 >= 0
    assert extent.x1 <= figure.bbox.x1
    assert extent.y0 >= 0
    assert len(legend.get_texts()) == 5


def test_bars_without_families_or_of_one_need_no_legend() -> None:
    for family in (None, "blur"):
        bars = [Bar(label=label, value=1.0, family=family) for label in ("a", "b")]
        assert not bar_chart(bars, title="t", axis="x").legends


def test_labels_are_text_and_never_formulas() -> None:
    bars = [Bar(label="$x_1$ \\frac{", value=1.0), Bar(label="a$b", value=2.0)]
    figure = bar_chart(bars, title="$\\bad", axis="50 $")
    figure_svg(figure)
    assert labels_of(figure)[1] == r"a\$b"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"value": math.nan}, "finite numbers"),
        ({"value": 1.0, "low": 0.0}, "two ends"),
        ({"value": 1.0, "low": 0.0, "high": math.inf}, "finite numbers"),
        ({"value": 1.0, "low": 2.0, "high": 1.0}, "above its high end"),
    ],
)
def test_a_bar_without_sound_numbers_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Bar(label="a", **arguments)


def test_a_chart_that_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="has no bars"):
        bar_chart([], title="t", axis="x")
    with pytest.raises(ValueError, match="positive values"):
        bar_chart([Bar(label="a", value=0.0)], title="t", axis="x", log=True)


def test_a_chart_takes_the_styles_of_its_report() -> None:
    styles = styles_for(["something else", "noise", "blur"])
    figure = bar_chart(BARS, title="t", axis="x", log=False, styles=styles, order="ascending")
    colours = [to_hex(b.get_facecolor()) for c in figure.axes[0].containers for b in c]
    expected = [styles[name].colour.lower() for name in ("noise", "blur", "blur")]
    assert colours == expected


CHANGES = [
    Bar(label="a little", value=10.5, low=10.2, high=10.8, family="time"),
    Bar(label="much more", value=14.0, low=12.0, high=16.0, family="time"),
    Bar(label="less", value=8.0, family="frames"),
    Bar(label="nothing", value=10.0, family="frames"),
]


def tornado(bars: list[Bar], base: float, *, title: str = "t", **settings: object) -> Figure:
    """The bars as changes from a base, the farthest at the top."""
    look: dict = {"title": title, "axis": "x", "order": "effect", **settings}
    return bar_chart(bars, base=Base(value=base), **look)


def bars_of(figure: object) -> list[tuple[float, float]]:
    """From where to where each bar goes, from the top."""
    bars = [bar for container in figure.axes[0].containers for bar in container]
    return [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars]


def test_bars_go_from_the_base_to_the_value_and_the_farthest_is_at_the_top() -> None:
    figure = tornado(CHANGES, 10.0)
    assert labels_of(figure) == ["much more", "less", "a little", "nothing"]
    assert bars_of(figure) == [(10.0, 14.0), (10.0, 8.0), (10.0, 10.5), (10.0, 10.0)]
    bottom, top = figure.axes[0].get_ylim()
    assert top < bottom
    assert figure.axes[0].get_xscale() == "linear"


def test_on_a_logarithmic_axis_half_is_as_far_as_twice() -> None:
    bars = [
        Bar(label="twice", value=20.0),
        Bar(label="below half", value=4.9),
        Bar(label="base + 4.5", value=14.5),
    ]
    figure = tornado(bars, 10.0, log=True)
    assert labels_of(figure) == ["below half", "twice", "base + 4.5"]
    linear = tornado(bars, 10.0, log=False)
    assert labels_of(linear) == ["twice", "below half", "base + 4.5"]


@pytest.mark.parametrize(
    ("values", "scale"),
    [((31.0,), "log"), ((29.0,), "linear"), ((3.0,), "log"), ((4.0, 0.0), "linear")],
)
def test_the_axis_is_logarithmic_where_a_value_is_far_from_the_base(
    values: tuple[float, ...], scale: str
) -> None:
    bars = [Bar(label=str(value), value=value) for value in values]
    assert tornado(bars, 10.0).axes[0].get_xscale() == scale


def test_intervals_are_drawn_where_they_are_and_changes_beside_them() -> None:
    figure = tornado(CHANGES, 10.0)
    segments = [s for lines in figure.axes[0].collections for s in lines.get_segments()]
    horizontal = sorted((s[0][0], s[1][0]) for s in segments if s[0][1] == s[1][1])
    assert horizontal == [(10.2, 10.8), (12.0, 16.0)]
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts[:4] == ["+40 %", "−20 %", "+5.0 %", "0 %"]
    assert texts[4:] == ["← lower", "higher →", "base 10.00"]


@pytest.mark.parametrize("log", [False, True])
def test_every_label_stays_inside_the_figure(log: bool) -> None:
    bars = [
        Bar(label="far to the right, in many words", value=90.0, low=5.0, high=200.0),
        Bar(label="far to the left", value=1.0, low=-4.0, high=2.0),
    ]
    figure = tornado(bars, 10.0, log=log)
    figure.canvas.draw()
    for text in (*figure.axes[0].texts, *figure.axes[0].get_yticklabels()):
        extent = text.get_window_extent()
        assert extent.x0 >= 0
        assert extent.x1 <= figure.bbox.x1
        assert extent.y1 <= figure.bbox.y1


def texts_and_labels(figure: object) -> tuple[list, list]:
    """Where the changes and the rows' labels are drawn."""
    figure.canvas.draw()
    axes = figure.axes[0]
    changes = [text for text in axes.texts if "%" in text.get_text()]
    return [x.get_window_extent() for x in changes], [
        x.get_window_extent() for x in axes.get_yticklabels()
    ]


@pytest.mark.parametrize("log", [False, True])
def test_no_change_is_written_over_the_label_of_its_row_or_outside_the_axes(log: bool) -> None:
    few = [
        Bar(label="2 clips of each video, as many clips in all", value=10.7, low=3, high=25.0),
        Bar(label="no preparation, the network resizes", value=6.5, low=-1.0, high=9.0),
        Bar(label="half of the clips", value=13.0, low=0.1, high=60.0),
        Bar(label="real clips at stride 2", value=57.0, low=35.0, high=80.0),
    ]
    for bars in (few, few[:1], few[1:3], CHANGES):
        figure = tornado(bars, 13.05, log=log)
        changes, labels = texts_and_labels(figure)
        box = figure.axes[0].get_window_extent()
        assert len(changes) == len(bars)
        for change in changes:
            assert not any(change.overlaps(label) for label in labels)
            assert box.x0 <= change.x0
            assert change.x1 <= box.x1


def test_a_whisker_that_is_cut_off_ends_in_an_arrow() -> None:
    bars = [
        Bar(label="to 0", value=10.0, low=0.0, high=20.0),
        Bar(label="far", value=90.0, low=50.0, high=200.0),
    ]
    figure = tornado(bars, 10.0, log=True)
    (arrow,) = [line for line in figure.axes[0].lines if line.get_marker() == CARETLEFT]
    segments = [s for lines in figure.axes[0].collections for s in lines.get_segments()]
    (whisker,) = [s for s in segments if s[0][1] == s[1][1] == 1]
    assert arrow.get_xdata()[0] == whisker[0][0] == 5.0
    assert [s for s in segments if s[0][0] == s[1][0] == 5.0] == []
    straight = tornado(bars, 10.0, log=False)
    assert not [line for line in straight.axes[0].lines if line.get_marker() == CARETLEFT]


def test_changes_of_a_family_have_one_colour_and_one_legend_entry() -> None:
    styles = styles_for(["frames", "time", "not there"])
    figure = tornado(CHANGES, 10.0, styles=styles)
    colours = [to_hex(b.get_facecolor()) for c in figure.axes[0].containers for b in c]
    families = ["time", "frames", "time", "frames"]
    assert colours == [styles[family].colour.lower() for family in families]
    (legend,) = figure.legends
    assert sorted(text.get_text() for text in legend.get_texts()) == ["frames", "time"]
    one_family = [Bar(label="a", value=1.0, family="only")]
    assert not tornado(one_family, 1.0).legends


def test_the_same_changes_give_the_same_svg() -> None:
    first, second = (figure_svg(tornado(CHANGES, 10.0, title="$x")) for _ in range(2))
    assert first == second
    ElementTree.fromstring(first)


@pytest.mark.parametrize("high", [1.01, 3.0, 80.0, 1e9])
def test_a_logarithmic_axis_has_few_round_ticks(high: float) -> None:
    ticks = log_ticks(0.7, high)
    assert ticks == sorted(ticks)
    assert 1.0 in ticks
    assert len(ticks) <= 12
    assert all(f"{tick:.3g}" == f"{float(f'{tick:.1e}'):.3g}" for tick in ticks)


def test_a_change_too_small_to_show_is_not_shown_as_none() -> None:
    assert percent(1e-9) == "+0.01 % or less"
    assert percent(-1e-9) == "−0.01 % or less"
    assert percent(0.0) == "0 %"


def test_a_base_of_0_has_no_changes_in_per_cent() -> None:
    with pytest.raises(ValueError, match="above 0"):
        Base(value=0.0)
