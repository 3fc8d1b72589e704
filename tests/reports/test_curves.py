import math
from xml.etree import ElementTree

import pytest
from matplotlib.colors import to_hex

from reports.charts.curves import Curve, Panel, curve_data, panel_chart
from reports.charts.style import styles_for
from reports.charts.svg import figure_svg

NAMES = [f"metric {i}" for i in range(10)]
PANELS = [
    Panel(
        title=title,
        axis="strength",
        curves=tuple(
            Curve(label=name, x=(0.0, 0.5, 8.0), y=(0.0, float(i), -2.0 * i))
            for i, name in enumerate(NAMES)
        ),
    )
    for title in ("blur", "noise", "freeze", "shuffle")
]


def visible(figure: object) -> list:
    return [axes for axes in figure.axes if axes.get_visible()]


def test_every_panel_has_its_curves_at_equal_distances_with_their_numbers() -> None:
    figure = panel_chart(PANELS, title="t", axis="y", columns=3)
    assert [axes.get_title("left") or axes.get_title() for axes in visible(figure)] == [
        panel.title for panel in PANELS
    ]
    axes = figure.axes[0]
    assert [list(line.get_xdata()) for line in axes.lines] == [[0, 1, 2]] * 10
    assert [list(line.get_ydata()) for line in axes.lines] == [[0, i, -2 * i] for i in range(10)]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "0.5", "8"]
    assert axes.get_xlabel() == "strength"


def test_a_curve_that_lacks_a_strength_keeps_its_places() -> None:
    curves = (
        Curve(label="a", x=(0.0, 1.0, 2.0), y=(0.0, 1.0, 2.0)),
        Curve(label="b", x=(0.0, 2.0), y=(0.0, 2.0)),
    )
    panels = [Panel(title="p", axis="x", curves=curves)]
    lines = panel_chart(panels, title="t", axis="y").axes[0].lines
    assert list(lines[1].get_xdata()) == [0, 2]


def test_a_label_looks_the_same_in_every_panel_and_unlike_any_other() -> None:
    styles = styles_for(NAMES)
    figure = panel_chart(PANELS, title="t", axis="y", styles=styles)
    looks = [
        [(to_hex(line.get_color()), line.get_marker(), line.get_linestyle()) for line in axes.lines]
        for axes in visible(figure)
    ]
    assert all(look == looks[0] for look in looks)
    assert len({(colour, marker) for colour, marker, _ in looks[0]}) == len(NAMES)
    assert looks[0][0][0] == styles[NAMES[0]].colour.lower()


def test_there_is_one_legend_with_every_label_once_outside_the_panels() -> None:
    figure = panel_chart(PANELS, title="t", axis="y")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == NAMES
    figure.canvas.draw()
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert not any(box.overlaps(axes.get_window_extent()) for axes in visible(figure))


@pytest.mark.parametrize("scale", ["linear", "symlog"])
def test_the_vertical_axis_is_shared_and_scaled_as_asked(scale: str) -> None:
    figure = panel_chart(PANELS, title="t", axis="y", scale=scale, band=(-1.0, 1.0))
    assert {axes.get_yscale() for axes in visible(figure)} == {scale}
    assert len({axes.get_ylim() for axes in visible(figure)}) == 1
    assert all(len(axes.patches) == 1 for axes in visible(figure))  # the band


def test_the_numbers_behind_the_panels() -> None:
    frame = curve_data(PANELS)
    assert len(frame) == 4 * 10 * 3
    own = frame[(frame.panel == "noise") & (frame.curve == "metric 3")]
    assert own[["x", "y"]].to_numpy().tolist() == [[0.0, 0.0], [0.5, 3.0], [8.0, -6.0]]


def test_the_same_data_give_the_same_svg() -> None:
    first, second = (figure_svg(panel_chart(PANELS, title="$", axis="y")) for _ in range(2))
    assert first == second
    ElementTree.fromstring(first)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="no curves"):
        panel_chart([], title="t", axis="y")
    with pytest.raises(ValueError, match="positive values"):
        panel_chart(PANELS, title="t", axis="y", scale="log")
    with pytest.raises(ValueError, match="2 places for 1 values"):
        Curve(label="a", x=(0.0, 1.0), y=(1.0,))
    with pytest.raises(ValueError, match="finite"):
        Curve(label="a", x=(0.0,), y=(math.inf,))
