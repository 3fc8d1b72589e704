import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from reports.charts.bars import Bar, bar_chart, bar_data
from reports.charts.style import INK, styles_for
from reports.charts.svg import bare_svg, figure_svg, inline_svg, write_figure

BARS = [
    Bar(label="a", value=3.0, low=2.5, high=3.4, family="one"),
    Bar(label="b", value=1.0, family="one"),
]


def drawn() -> Figure:
    return bar_chart(BARS, title="t", axis="x", styles=styles_for(["one"]))


def test_the_same_data_give_the_same_svg_without_a_date() -> None:
    first, second = (figure_svg(drawn()) for _ in range(2))
    assert first == second
    assert "dc:date" not in first
    ElementTree.fromstring(first)


def test_a_figure_on_a_page_takes_the_colours_of_the_page() -> None:
    svg = inline_svg(bare_svg(figure_svg(drawn())), 'bars "of" <values>', prefix="part")
    assert all(name.startswith("part-") for name in re.findall(r'\bid="([^"]+)"', svg))
    assert svg.startswith("<svg ")
    assert INK not in svg
    assert "#ffffff" not in svg
    assert {"currentColor", "var(--line)", "var(--blue)"} <= set(re.findall(r"[\w()-]+", svg))
    assert "http" not in re.sub(r"xmlns(:\w+)?=\"[^\"]*\"", "", svg)
    root = ElementTree.fromstring(svg)
    assert root.attrib["aria-label"] == 'bars "of" <values>'


def test_a_written_figure_comes_with_its_picture_and_its_numbers(tmp_path: Path) -> None:
    paths = write_figure(drawn(), bar_data(BARS), tmp_path / "new", "fvd")
    assert [path.name for path in paths] == ["fvd.svg", "fvd.png", "fvd.csv"]
    frame = pd.read_csv(paths[2])
    assert list(frame.value) == [3.0, 1.0]
    assert frame.low.isna().tolist() == [False, True]
    with Image.open(paths[1]) as picture:
        assert np.asarray(picture.convert("L")).std() > 10


def test_a_figure_beside_a_table_of_its_numbers_writes_none_itself(tmp_path: Path) -> None:
    paths = write_figure(drawn(), None, tmp_path, "fvd")
    assert [path.name for path in paths] == ["fvd.svg", "fvd.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fvd.png", "fvd.svg"]
