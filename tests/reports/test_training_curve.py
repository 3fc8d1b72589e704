import math
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from matplotlib.colors import to_hex

from reports.charts.style import COLOURS
from reports.charts.svg import figure_svg
from reports.charts.training_curve import Track, training_curve, training_data

STEPS = tuple(float(50 * i) for i in range(1, 21))
LOSS = Track(title="loss", steps=STEPS, values=tuple(1 / x for x in STEPS), reach=2, log=True)
RATE = Track(title="rate", steps=STEPS, values=tuple(0.1 * x for x in STEPS))
FVD = Track(
    title="FVD",
    steps=(500.0, 2000.0),
    values=(20.0, 10.0),
    low=(18.0, 9.0),
    high=(25.0, 12.0),
    measured=True,
)
TRACKS = [LOSS, RATE, FVD]


def visible(figure: object) -> list:
    return [axes for axes in figure.axes if axes.get_visible()]


def test_a_running_mean_is_of_the_neighbours_that_there_are() -> None:
    track = Track(title="t", steps=(1, 2, 3, 4, 5), values=(16.0, 8.0, 4.0, 2.0, 1.0), reach=2)
    assert track.smoothed == pytest.approx((16, 28 / 3, 31 / 5, 15 / 4, 7 / 3))
    assert replace(track, reach=0).smoothed == track.values
    straight = replace(track, values=(1.0, 2.0, 3.0, 4.0, 5.0))
    assert straight.smoothed[:3] == pytest.approx((1, 2, 3))  # it does not lag behind a slope


def test_every_track_has_a_panel_over_the_same_steps() -> None:
    figure = training_curve(TRACKS, title="t")
    panels = visible(figure)
    assert [axes.get_title("left") for axes in panels] == ["loss", "rate", "FVD"]
    assert {axes.get_xlim() for axes in panels} == {(0.0, 2000 * 1.02)}
    assert [axes.get_yscale() for axes in panels] == ["log", "linear", "linear"]
    assert [axes.get_xlabel() for axes in panels] == ["", "training step", "training step"]


def test_a_curve_is_drawn_with_its_running_mean_and_the_last_of_it_in_words() -> None:
    axes = training_curve(TRACKS, title="t").axes[0]
    raw, mean = axes.lines
    assert tuple(raw.get_ydata()) == LOSS.values
    assert tuple(mean.get_ydata()) == LOSS.smoothed
    assert raw.get_linewidth() < mean.get_linewidth()
    assert axes.get_title("right") == f"last {LOSS.smoothed[-1]:.3g}"


def test_measured_values_are_points_with_their_intervals_in_another_colour() -> None:
    loss, _, measured = training_curve(TRACKS, title="t").axes[:3]
    (line,) = measured.lines
    assert line.get_marker() == "o"
    assert to_hex(line.get_color()) != to_hex(loss.lines[0].get_color())
    assert {to_hex(axes.lines[0].get_color()).upper() for axes in (loss, measured)} < set(COLOURS)
    (whiskers,) = measured.collections
    assert [segment[:, 1].tolist() for segment in whiskers.get_segments()] == [[18, 25], [9, 12]]


def test_nothing_overlaps_whatever_the_number_of_panels() -> None:
    for count in (1, 2, 5):
        figure = training_curve([replace(LOSS, title=f"loss {i}") for i in range(count)], title="t")
        figure.canvas.draw()
        boxes = [axes.get_tightbbox() for axes in visible(figure)]
        assert len(boxes) == count
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
        assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)


@pytest.mark.parametrize(("last", "fewest"), [(0.02, 3), (1e-4, 3)])
def test_a_logarithmic_axis_has_numbers_however_short_it_is(last: float, fewest: int) -> None:
    values = tuple(0.1 * (last / 0.1) ** (i / 19) for i in range(20))
    axes = training_curve([replace(LOSS, values=values)], title="t").axes[0]
    low, high = axes.get_ylim()
    inside = [y for y in axes.get_yticks() if low <= y <= high]
    assert len(inside) >= fewest
    assert axes.yaxis.get_major_formatter()(inside[0]) == f"{inside[0]:g}"


def test_the_numbers_behind_the_panels() -> None:
    frame = training_data(TRACKS)
    assert len(frame) == 20 + 20 + 2
    assert frame[frame.track == "FVD"][["step", "value", "low", "high"]].to_numpy().tolist() == [
        [500, 20, 18, 25],
        [2000, 10, 9, 12],
    ]
    assert tuple(frame[frame.track == "loss"].running_mean) == LOSS.smoothed
    assert frame[frame.track != "loss"].running_mean.isna().all()


def test_the_same_data_give_the_same_svg() -> None:
    first, second = (figure_svg(training_curve(TRACKS, title="$")) for _ in range(2))
    assert first == second
    ElementTree.fromstring(first)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="no tracks"):
        training_curve([], title="t")
    with pytest.raises(ValueError, match="every step has one value"):
        Track(title="t", steps=(1.0, 2.0), values=(1.0,))
    with pytest.raises(ValueError, match="one at least"):
        Track(title="t", steps=(), values=())
    with pytest.raises(ValueError, match="finite"):
        Track(title="t", steps=(1.0,), values=(math.nan,))
    with pytest.raises(ValueError, match="two ends"):
        Track(title="t", steps=(1.0,), values=(1.0,), low=(0.5,))
    with pytest.raises(ValueError, match="positive"):
        Track(title="t", steps=(1.0,), values=(0.0,), log=True)
