import math
import re
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.markers import CARETLEFT
from PIL import Image

from reports.charts.bars import Bar, bar_chart, bar_data
from reports.charts.style import COLOURS, INK, PAPER_METHODS, styles_for
from reports.charts.svg import figure_svg, inline_svg, write_figure

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
    assert (*arrow.get_xdata(), *arrow.get_ydata()) == (axes.get_xlim()[0], 0)
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


def test_no_legend_repeats_what_the_labels_say() -> None:
    assert not bar_chart(BARS, title="t", axis="x").legends


def test_the_same_data_give_the_same_svg_without_a_date() -> None:
    first, second = (figure_svg(bar_chart(BARS, title="t", axis="x")) for _ in range(2))
    assert first == second
    assert "dc:date" not in first
    ElementTree.fromstring(first)


def test_a_figure_on_a_page_takes_the_colours_of_the_page() -> None:
    svg = inline_svg(figure_svg(bar_chart(BARS, title="t", axis="x")), 'bars "of" <values>')
    assert svg.startswith("<svg ")
    assert INK not in svg
    assert "#ffffff" not in svg
    assert {"currentColor", "var(--line)", "var(--blue)"} <= set(re.findall(r"[\w()-]+", svg))
    assert "http" not in re.sub(r"xmlns(:\w+)?=\"[^\"]*\"", "", svg)
    root = ElementTree.fromstring(svg)
    assert root.attrib["aria-label"] == 'bars "of" <values>'


def test_a_written_figure_comes_with_its_picture_and_its_numbers(tmp_path: Path) -> None:
    paths = write_figure(
        bar_chart(BARS, title="t", axis="x"), bar_data(BARS), tmp_path / "new", "fvd"
    )
    assert [path.name for path in paths] == ["fvd.svg", "fvd.png", "fvd.csv"]
    frame = pd.read_csv(paths[2])
    assert list(frame.value) == [3.0, 1.0, 2.0]
    assert frame.low.isna().tolist() == [False, False, True]
    with Image.open(paths[1]) as picture:
        assert np.asarray(picture.convert("L")).std() > 10


def test_a_figure_beside_a_table_of_its_numbers_writes_none_itself(tmp_path: Path) -> None:
    paths = write_figure(bar_chart(BARS, title="t", axis="x"), None, tmp_path, "fvd")
    assert [path.name for path in paths] == ["fvd.svg", "fvd.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fvd.png", "fvd.svg"]


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


def test_42_names_are_told_apart_and_more_begin_again() -> None:
    styles = styles_for(f"method {i}" for i in range(43))
    assert len({(s.colour, s.hatch) for s in styles.values()}) == 42
    assert styles["method 42"] == styles["method 0"]


def test_the_papers_methods_look_the_same_in_whatever_company() -> None:
    alone = {name: styles_for([name])[name] for name in PAPER_METHODS}
    together = styles_for(["mine", *reversed(PAPER_METHODS), "yours"])
    assert {name: together[name] for name in PAPER_METHODS} == alone
    assert len(set(map(repr, together.values()))) == len(PAPER_METHODS) + 2


def test_a_chart_takes_the_styles_of_its_report() -> None:
    styles = styles_for(["something else", "noise", "blur"])
    figure = bar_chart(BARS, title="t", axis="x", log=False, styles=styles, order="ascending")
    colours = [to_hex(b.get_facecolor()) for c in figure.axes[0].containers for b in c]
    expected = [styles[name].colour.lower() for name in ("noise", "blur", "blur")]
    assert colours == expected


def test_neighbouring_styles_differ_in_colour_and_in_what_grey_shows() -> None:
    styles = list(styles_for(map(str, range(len(COLOURS)))).values())
    for one, next_one in pairwise(styles):
        assert one.colour != next_one.colour
        assert one.hatch != next_one.hatch
        assert one.marker != next_one.marker
