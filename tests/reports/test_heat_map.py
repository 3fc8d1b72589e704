import pytest

from reports.charts.heat_map import HeatCell, HeatMap, heat_map_figure
from reports.charts.svg import figure_svg


def heat_map() -> HeatMap:
    return HeatMap(
        rows=("FVD", "IS"),
        columns=("blur", "noise"),
        cells=(
            (HeatCell(text="1 $", level=0), HeatCell(text="2 px", level=1)),
            (HeatCell(reason="never seen"), HeatCell(reason="never seen")),
        ),
        levels=("strong", "weak"),
    )


def test_each_cell_has_its_text_and_each_level_its_colour() -> None:
    figure = heat_map_figure(heat_map(), title="t", legend_title="noticed from")
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts[:2]] == [r"1 \$", "2 px"]
    light, dark = (patch.get_facecolor() for patch in axes.patches)
    assert sum(light) > sum(dark)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["strong", "weak"]


def test_an_empty_cell_says_why_in_a_footnote_that_equal_reasons_share() -> None:
    figure = heat_map_figure(heat_map(), title="t")
    assert figure.get_supxlabel() == "a never seen"
    assert len(figure.axes[0].patches) == 2


def test_the_same_map_is_drawn_with_the_same_bytes() -> None:
    first, second = (figure_svg(heat_map_figure(heat_map(), title="t")) for _ in range(2))
    assert first == second


def test_maps_that_do_not_fit_their_cells_are_refused() -> None:
    cell = HeatCell(text="1", level=0)
    with pytest.raises(ValueError, match="reason"):
        HeatCell(text="1")
    with pytest.raises(ValueError, match="2 × 1 cells"):
        HeatMap(rows=("a", "b"), columns=("x",), cells=((cell,),), levels=("one",))
    with pytest.raises(ValueError, match="levels"):
        HeatMap(rows=("a",), columns=("x",), cells=((cell,),), levels=())
