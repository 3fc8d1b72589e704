from dataclasses import replace

import pytest
from matplotlib.colors import to_hex

from reports.charts.step_curves import StepCurve, StepPanel, step_chart, step_data
from reports.charts.style import styles_for
from reports.charts.svg import figure_svg

STEPS = (200.0, 400.0, 600.0)
FIRST = StepCurve(
    label="first",
    steps=STEPS,
    values=(100.0, 50.0, 20.0),
    low=(90.0, 40.0, 15.0),
    high=(110.0, 60.0, 25.0),
)
SECOND = StepCurve(label="second $x$", steps=STEPS, values=(200.0, 90.0, 60.0))
PANEL = StepPanel(title="Panel", curves=(FIRST, SECOND))


def test_curves_and_bands_are_drawn_as_given_on_one_logarithmic_axis() -> None:
    figure = step_chart([PANEL], title="t", axis="FVD")
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    assert [tuple(line.get_ydata()) for line in axes.lines] == [FIRST.values, SECOND.values]
    assert all(tuple(line.get_xdata()) == STEPS for line in axes.lines)
    (band,) = axes.collections
    heights = {float(y) for _, y in band.get_paths()[0].vertices}
    assert heights == {90.0, 40.0, 15.0, 110.0, 60.0, 25.0}
    low, high = axes.get_ylim()
    assert low < 20 < 200 < high
    styles = styles_for(["first", SECOND.label])
    assert [to_hex(line.get_color()).upper() for line in axes.lines] == [
        style.colour.upper() for style in styles.values()
    ]


def test_panels_share_their_axis_and_styles_that_are_given() -> None:
    styles = styles_for(["other", "first"])
    panels = [PANEL, StepPanel(title="Next", curves=(replace(FIRST, label="again"),))]
    chosen = {"again": styles["first"], "first": styles["first"]}
    figure = step_chart(panels, title="t", axis="FVD", styles=chosen)
    one, two = (axes for axes in figure.axes if axes.get_visible())
    assert one.get_ylim() == two.get_ylim()
    assert one.lines[0].get_color() == two.lines[0].get_color() == styles["first"].colour
    assert figure_svg(figure) == figure_svg(
        step_chart(panels, title="t", axis="FVD", styles=chosen)
    )


def test_the_numbers_behind_the_figure_are_all_there() -> None:
    data = step_data([PANEL])
    assert list(data.columns) == ["panel", "design", "step", "value", "low", "high"]
    assert len(data) == 6
    assert data.loc[1].to_list() == ["Panel", "first", 400.0, 50.0, 40.0, 60.0]
    assert data.low.isna().sum() == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"values": (1.0, 2.0)},
        {"steps": (), "values": (), "low": None, "high": None},
        {"high": None},
        {"values": (1.0, 0.0, 1.0)},
        {"low": (1.0, float("nan"), 1.0)},
    ],
)
def test_what_cannot_be_drawn_is_refused(changes: dict) -> None:
    with pytest.raises(ValueError, match="first"):
        replace(FIRST, **changes)


def test_a_figure_without_curves_is_refused() -> None:
    with pytest.raises(ValueError, match="no curves"):
        step_chart([StepPanel(title="empty", curves=())], title="t", axis="FVD")
