import math
from xml.etree import ElementTree

import pytest
from matplotlib.colors import to_hex
from matplotlib.markers import CARETLEFT

from reports.charts.style import styles_for
from reports.charts.svg import figure_svg
from reports.charts.tornado import Swing, log_ticks, percent, tornado_chart, tornado_data

SWINGS = [
    Swing(label="a little", value=10.5, low=10.2, high=10.8, family="time"),
    Swing(label="much more", value=14.0, low=12.0, high=16.0, family="time"),
    Swing(label="less", value=8.0, family="frames"),
    Swing(label="nothing", value=10.0, family="frames"),
]


def labels_of(figure: object) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def bars_of(figure: object) -> list[tuple[float, float]]:
    """From where to where each bar goes, from the top."""
    bars = [bar for container in figure.axes[0].containers for bar in container]
    return [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars]


def test_bars_go_from_the_base_to_the_value_and_the_farthest_is_at_the_top() -> None:
    figure = tornado_chart(SWINGS, base=10.0, title="t", axis="x")
    assert labels_of(figure) == ["much more", "less", "a little", "nothing"]
    assert bars_of(figure) == [(10.0, 14.0), (10.0, 8.0), (10.0, 10.5), (10.0, 10.0)]
    bottom, top = figure.axes[0].get_ylim()
    assert top < bottom
    assert figure.axes[0].get_xscale() == "linear"


def test_on_a_logarithmic_axis_half_is_as_far_as_twice() -> None:
    swings = [
        Swing(label="twice", value=20.0),
        Swing(label="below half", value=4.9),
        Swing(label="base + 4.5", value=14.5),
    ]
    figure = tornado_chart(swings, base=10.0, title="t", axis="x", log=True)
    assert labels_of(figure) == ["below half", "twice", "base + 4.5"]
    linear = tornado_chart(swings, base=10.0, title="t", axis="x", log=False)
    assert labels_of(linear) == ["twice", "below half", "base + 4.5"]


@pytest.mark.parametrize(
    ("values", "scale"),
    [((31.0,), "log"), ((29.0,), "linear"), ((3.0,), "log"), ((4.0, 0.0), "linear")],
)
def test_the_axis_is_logarithmic_where_a_value_is_far_from_the_base(
    values: tuple[float, ...], scale: str
) -> None:
    swings = [Swing(label=str(value), value=value) for value in values]
    assert tornado_chart(swings, base=10.0, title="t", axis="x").axes[0].get_xscale() == scale


def test_intervals_are_drawn_where_they_are_and_changes_beside_them() -> None:
    figure = tornado_chart(SWINGS, base=10.0, title="t", axis="x")
    segments = [s for lines in figure.axes[0].collections for s in lines.get_segments()]
    horizontal = sorted((s[0][0], s[1][0]) for s in segments if s[0][1] == s[1][1])
    assert horizontal == [(10.2, 10.8), (12.0, 16.0)]
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts[:4] == ["+40 %", "−20 %", "+5.0 %", "0 %"]
    assert texts[4:] == ["← lower", "higher →", "base 10.00"]


@pytest.mark.parametrize("log", [False, True])
def test_every_label_stays_inside_the_figure(log: bool) -> None:
    swings = [
        Swing(label="far to the right, in many words", value=90.0, low=5.0, high=200.0),
        Swing(label="far to the left", value=1.0, low=-4.0, high=2.0),
    ]
    figure = tornado_chart(swings, base=10.0, title="t", axis="x", log=log)
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
        Swing(label="2 clips of each video, as many clips in all", value=10.7, low=3, high=25.0),
        Swing(label="no preparation, the network resizes", value=6.5, low=-1.0, high=9.0),
        Swing(label="half of the clips", value=13.0, low=0.1, high=60.0),
        Swing(label="real clips at stride 2", value=57.0, low=35.0, high=80.0),
    ]
    for swings in (few, few[:1], few[1:3], SWINGS):
        figure = tornado_chart(swings, base=13.05, title="t", axis="x", log=log)
        changes, labels = texts_and_labels(figure)
        box = figure.axes[0].get_window_extent()
        assert len(changes) == len(swings)
        for change in changes:
            assert not any(change.overlaps(label) for label in labels)
            assert box.x0 <= change.x0
            assert change.x1 <= box.x1


def test_a_whisker_that_is_cut_off_ends_in_an_arrow() -> None:
    swings = [
        Swing(label="to 0", value=10.0, low=0.0, high=20.0),
        Swing(label="far", value=90.0, low=50.0, high=200.0),
    ]
    figure = tornado_chart(swings, base=10.0, title="t", axis="x", log=True)
    (arrow,) = [line for line in figure.axes[0].lines if line.get_marker() == CARETLEFT]
    segments = [s for lines in figure.axes[0].collections for s in lines.get_segments()]
    (whisker,) = [s for s in segments if s[0][1] == s[1][1] == 1]
    assert arrow.get_xdata()[0] == whisker[0][0] == 5.0
    assert [s for s in segments if s[0][0] == s[1][0] == 5.0] == []
    straight = tornado_chart(swings, base=10.0, title="t", axis="x", log=False)
    assert not [line for line in straight.axes[0].lines if line.get_marker() == CARETLEFT]


def test_a_family_has_one_colour_and_one_legend_entry() -> None:
    styles = styles_for(["frames", "time", "not there"])
    figure = tornado_chart(SWINGS, base=10.0, title="t", axis="x", styles=styles)
    colours = [to_hex(b.get_facecolor()) for c in figure.axes[0].containers for b in c]
    families = ["time", "frames", "time", "frames"]
    assert colours == [styles[family].colour.lower() for family in families]
    (legend,) = figure.legends
    assert sorted(text.get_text() for text in legend.get_texts()) == ["frames", "time"]
    one_family = [Swing(label="a", value=1.0, family="only")]
    assert not tornado_chart(one_family, base=1.0, title="t", axis="x").legends


def test_the_same_data_give_the_same_svg() -> None:
    first, second = (
        figure_svg(tornado_chart(SWINGS, base=10.0, title="$x", axis="50 $")) for _ in range(2)
    )
    assert first == second
    ElementTree.fromstring(first)


def test_the_numbers_behind_the_chart() -> None:
    frame = tornado_data(SWINGS, base=10.0)
    assert list(frame.label) == [swing.label for swing in SWINGS]
    assert list(frame.change) == [0.5, 4.0, -2.0, 0.0]
    assert frame.relative_change.tolist() == pytest.approx([0.05, 0.4, -0.2, 0.0])
    assert frame.low.isna().tolist() == [False, False, True, True]


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"value": math.nan}, "finite numbers"),
        ({"value": 1.0, "low": 0.0}, "two ends"),
        ({"value": 1.0, "low": 2.0, "high": 1.0}, "above its high end"),
    ],
)
def test_a_swing_without_sound_numbers_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Swing(label="a", **arguments)


def test_a_chart_that_cannot_be_drawn_is_refused() -> None:
    zero = [Swing(label="a", value=0.0)]
    with pytest.raises(ValueError, match="no swings"):
        tornado_chart([], base=1.0, title="t", axis="x")
    with pytest.raises(ValueError, match="above 0"):
        tornado_chart(SWINGS, base=0.0, title="t", axis="x")
    with pytest.raises(ValueError, match="positive values"):
        tornado_chart(zero, base=1.0, title="t", axis="x", log=True)
