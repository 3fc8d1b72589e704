import pytest
from matplotlib.figure import Figure

from reports.charts.heat_map import HeatCell, heat_map_figure
from reports.charts.svg import figure_svg


def drawn() -> Figure:
    none = HeatCell(reason="never seen")
    cells = {
        "FVD": {"blur": HeatCell(text="1 $", level=0), "noise": HeatCell(text="2 px", level=1)},
        "IS": {"blur": none, "noise": none},
    }
    return heat_map_figure(cells, ["strong", "weak"], title="t", legend_title="noticed from")


def test_each_cell_has_its_text_and_each_level_its_colour() -> None:
    figure = drawn()
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts[:2]] == [r"1 \$", "2 px"]
    light, dark = (patch.get_facecolor() for patch in axes.patches)
    assert sum(light) > sum(dark)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["strong", "weak"]


def test_an_empty_cell_says_why_in_a_footnote_that_equal_reasons_share() -> None:
    figure = drawn()
    assert figure.get_supxlabel() == "a never seen"
    assert len(figure.axes[0].patches) == 2


def test_an_empty_cell_without_a_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="needs the reason"):
        HeatCell()


def test_the_same_map_is_drawn_with_the_same_bytes() -> None:
    first, second = (figure_svg(drawn()) for _ in range(2))
    assert first == second
