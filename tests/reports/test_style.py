from itertools import pairwise

from reports.charts.style import COLOURS, styles_for


def test_42_names_are_distinct_and_more_begin_again() -> None:
    styles = styles_for(f"method {i}" for i in range(43))
    assert len({(s.colour, s.hatch) for s in styles.values()}) == 42
    assert styles["method 42"] == styles["method 0"]


def test_neighbouring_styles_differ_in_colour_and_in_what_grey_shows() -> None:
    styles = list(styles_for(map(str, range(len(COLOURS)))).values())
    for one, next_one in pairwise(styles):
        assert one.colour != next_one.colour
        assert one.hatch != next_one.hatch
        assert one.marker != next_one.marker
