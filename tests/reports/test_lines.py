import math
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from matplotlib.colors import to_hex

from reports.charts.lines import Line, Panel, line_chart, line_data, running_mean
from reports.charts.style import styles_for
from reports.charts.svg import figure_svg

RISING = Line(
    label="rising", x=(0.0, 1.0, 2.0), y=(1.0, 2.0, 3.0), low=(0.5, 1.5, 2.5), high=(1.5, 2.5, 3.5)
)
FLAT = Line(label="flat $x$", x=(0.0, 2.0), y=(1.0, 1.0))
PANELS = [
    Panel(title="mean, t = 1", axis="block", lines=(RISING, FLAT)),
    Panel(title="variance, t = 1", axis="block", lines=(FLAT,)),
    Panel(title="mean, t = 2", axis="block", lines=(RISING,)),
]
NAMES = [f"metric {i}" for i in range(10)]
STRENGTHS = [
    Panel(
        title=title,
        axis="strength",
        equal_distances=True,
        scale="symlog",
        shaded=(-1.0, 1.0),
        lines=tuple(
            Line(label=name, x=(0.0, 0.5, 8.0), y=(0.0, float(i), -2.0 * i))
            for i, name in enumerate(NAMES)
        ),
    )
    for title in ("blur", "noise", "freeze", "shuffle")
]


def visible(figure: object) -> list:
    return [axes for axes in figure.axes if axes.get_visible()]


def test_lines_have_bands_and_columns_one_scale() -> None:
    panels = visible(line_chart(PANELS, title="t", columns=2, shared="columns"))
    assert [axes.get_title("left") for axes in panels] == [panel.title for panel in PANELS]
    assert panels[0].get_ylim() == panels[2].get_ylim() != panels[1].get_ylim()
    (band,) = panels[0].collections
    vertices = band.get_paths()[0].vertices
    assert {(0.0, 0.5), (2.0, 3.5)} <= {tuple(point) for point in vertices}
    assert [list(line.get_ydata()) for line in panels[0].lines] == [[1, 2, 3], [1, 1]]


def test_a_label_looks_the_same_in_every_panel_and_unlike_any_other() -> None:
    styles = styles_for(NAMES)
    figure = line_chart(STRENGTHS, title="t", styles=styles)
    looks = [
        [(to_hex(line.get_color()), line.get_marker(), line.get_linestyle()) for line in axes.lines]
        for axes in visible(figure)
    ]
    assert all(look == looks[0] for look in looks)
    assert len({(colour, marker) for colour, marker, _ in looks[0]}) == len(NAMES)
    assert looks[0][0][0] == styles[NAMES[0]].colour.lower()


def test_there_is_one_legend_with_every_label_once_outside_the_panels() -> None:
    figure = line_chart(STRENGTHS, title="t")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == NAMES
    figure.canvas.draw()
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert not any(box.overlaps(axes.get_window_extent()) for axes in visible(figure))


def test_each_panel_can_have_a_legend_of_its_own() -> None:
    figure = line_chart(PANELS, title="t", legend="each")
    assert not figure.legends
    legends = [axes.get_legend() for axes in visible(figure)]
    texts = [[text.get_text() for text in legend.get_texts()] for legend in legends]
    assert texts == [["rising", r"flat \$x\$"], [r"flat \$x\$"], ["rising"]]


def test_places_at_equal_distances_have_their_numbers() -> None:
    gap = replace(STRENGTHS[0], lines=(STRENGTHS[0].lines[0], replace(FLAT, x=(0.0, 8.0))))
    axes = line_chart([gap], title="t").axes[0]
    assert [list(line.get_xdata()) for line in axes.lines] == [[0, 1, 2], [0, 2]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "0.5", "8"]
    assert axes.get_xlabel() == "strength"
    assert len(axes.patches) == 1  # the shaded range


def test_panels_share_their_axes_as_asked() -> None:
    apart = [
        replace(PANELS[0], lines=(replace(RISING, y=(1.0, 2.0, 30.0), low=None, high=None),)),
        replace(PANELS[1], lines=(replace(FLAT, x=(0.0, 4.0)),)),
    ]
    apart = [replace(panel, scale="log") for panel in apart]
    figure = line_chart(apart, title="t", axis="y", shared="all")
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    assert len({axes.get_xlim() for axes in figure.axes}) == 1  # both axes are blocks
    assert {axes.get_yscale() for axes in figure.axes} == {"log"}
    alone = line_chart(apart, title="t", axis="y")
    assert len({axes.get_ylim() for axes in alone.axes}) == 2


def test_bands_may_leave_a_logarithmic_axis_and_values_may_not() -> None:
    line = replace(RISING, low=(1e-9, 1.5, 2.5))
    low, high = (
        line_chart([Panel(title="t", lines=(line,), scale="log")], title="t").axes[0].get_ylim()
    )
    assert 0.5 < low < 1.0
    assert high > 3.0


@pytest.mark.parametrize("changed", [{"y": (1.0, math.nan, 2.0)}, {"low": (0.5,)}, {"y": ()}])
def test_a_line_with_numbers_that_cannot_be_drawn_is_refused(changed: dict) -> None:
    with pytest.raises(ValueError, match="rising"):
        replace(RISING, **changed)


def test_charts_without_lines_and_logarithms_of_zero_are_refused() -> None:
    with pytest.raises(ValueError, match="'t'"):
        line_chart([], title="t")
    with pytest.raises(ValueError, match="positive"):
        Panel(title="t", scale="log", lines=(replace(FLAT, y=(1.0, 0.0)),))


@pytest.mark.parametrize("last", [0.02, 1e-4])
def test_a_logarithmic_axis_has_numbers_however_short_it_is(last: float) -> None:
    values = tuple(0.1 * (last / 0.1) ** (i / 19) for i in range(20))
    line = Line(label="loss", x=tuple(map(float, range(20))), y=values, emphasis="plain")
    axes = line_chart([Panel(title="t", lines=(line,), scale="log")], title="t").axes[0]
    low, high = axes.get_ylim()
    assert len([y for y in axes.get_yticks() if low <= y <= high]) >= 3


def test_the_horizontal_axis_is_named_where_nothing_alike_is_below() -> None:
    panels = [replace(PANELS[1], title=str(i)) for i in range(5)]
    figure = line_chart(panels, title="t", columns=2)
    assert [axes.get_xlabel() for axes in visible(figure)] == ["", "", "", "block", "block"]


def test_nothing_overlaps_whatever_the_number_of_panels() -> None:
    for count in (1, 2, 5):
        panels = [replace(PANELS[0], title=f"loss {i}", note="last 0.5") for i in range(count)]
        figure = line_chart(panels, title="t", columns=2, legend="none")
        figure.canvas.draw()
        boxes = [axes.get_tightbbox() for axes in visible(figure)]
        assert len(boxes) == count
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
        assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)


def test_a_running_mean_is_of_the_neighbours_that_there_are() -> None:
    values = (16.0, 8.0, 4.0, 2.0, 1.0)
    assert running_mean(values, 2) == pytest.approx((16, 28 / 3, 31 / 5, 15 / 4, 7 / 3))
    assert running_mean(values, 0) == values
    # It does not lag behind a slope.
    assert running_mean((1.0, 2.0, 3.0, 4.0, 5.0), 2)[:3] == pytest.approx((1, 2, 3))


def test_the_numbers_behind_the_panels() -> None:
    points = line_data(PANELS)
    assert len(points) == 3 + 2 + 2 + 3
    assert points.iloc[1].tolist() == ["mean, t = 1", "rising", 1, 2, 1.5, 2.5]
    assert points.low.isna().sum() == 4


def test_the_same_data_give_the_same_svg() -> None:
    for panels in (PANELS, STRENGTHS):
        first, second = (figure_svg(line_chart(panels, title="$", axis="y")) for _ in range(2))
        assert first == second
        ElementTree.fromstring(first)
