import re

import numpy as np
import pytest

from benchmarks.studies.speed import evaluation as speed


def test_memory_is_that_of_a_process_that_extracted():
    assert speed.peak_megabytes(num_clips=4) > 100  # torch alone is more


def test_the_table_is_written_and_printed(tmp_path, section, capsys, monkeypatch):
    quantities = [
        speed.Quantity("a thing", 1.2345, "s", limit=2),
        speed.Quantity("another", 3.0, "MB", limit=2.5),
        speed.Quantity("a third", 4.0, "s"),
    ]
    monkeypatch.setattr(speed, "measure_all", lambda: quantities)
    speed.run(tmp_path)
    text = (tmp_path / "speed.md").read_text(encoding="utf-8")
    assert "a thing" in text
    assert "1.23" in text
    assert text in capsys.readouterr().out
    assert (tmp_path / "speed.csv").read_text().splitlines()[1:] == [
        "a thing,1.23,s,2.0",
        "another,3,MB,2.5",
        "a third,4,s,",
    ]
    assert re.search(r"1 of 2 .*another \(3 MB\)", section(tmp_path, "speed").lead)


@pytest.mark.parametrize("function", [speed.i3d_seconds, speed.interval_seconds])
def test_times_are_positive(function):
    arguments = (1,) if function is speed.i3d_seconds else (64, 8)
    assert np.all(np.array(function(*arguments)) > 0)
