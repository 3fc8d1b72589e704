import numpy as np
import pytest

from benchmarks.shapes.distortions import EnlargedVideo
from benchmarks.studies.speed import evaluation as speed
from latte.data.shapes import ShapesVideo


def test_an_enlarged_video_repeats_pixels_and_keeps_its_digest_apart():
    video = ShapesVideo(index=0, split="test")
    enlarged = EnlargedVideo(video=video, factor=4)
    frames = enlarged.read(range(3))
    assert frames.shape == (3, 128, 128, 3)
    np.testing.assert_array_equal(frames[:, ::4, ::4], video.read(range(3)))
    assert (enlarged.probe().height, enlarged.probe().width) == (128, 128)
    assert enlarged.digest(range(3)) != video.digest(range(3))


def test_memory_is_that_of_a_process_that_extracted():
    assert speed.peak_megabytes(num_clips=4) > 100  # torch alone is more


def test_the_table_is_written_and_printed(tmp_path, section, capsys, monkeypatch):
    figures = [
        speed.Figure("a thing", 1.2345, "s", limit=2),
        speed.Figure("`another`", 3.0, "MB", limit=2.5),
        speed.Figure("a third", 4.0, "s"),
    ]
    monkeypatch.setattr(speed, "measure_all", lambda *_: figures)
    speed.run(out=tmp_path)
    text = (tmp_path / "speed.md").read_text(encoding="utf-8")
    assert "a thing" in text
    assert "1.23" in text
    assert text in capsys.readouterr().out
    assert (tmp_path / "speed.csv").read_text().splitlines()[1:] == [
        "a thing,1.23,s,< 2 s",
        "`another`,3,MB,< 2.5 MB",
        "a third,4,s,",
    ]
    assert section(tmp_path, "speed").lead == (
        "1 of 2 promises are kept; not kept: `another` (3 MB)."
    )


@pytest.mark.parametrize("function", [speed.i3d_seconds, speed.interval_seconds])
def test_times_are_positive(function):
    arguments = (1,) if function is speed.i3d_seconds else (64, 8)
    assert np.all(np.array(function(*arguments)) > 0)
