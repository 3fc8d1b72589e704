from pathlib import Path

import numpy as np
import pytest

from benchmarks.studies.speed.distances import time_distances
from benchmarks.studies.speed.evaluation import SpeedRequest, run
from benchmarks.studies.speed.goals import goals
from benchmarks.studies.speed.measure import INSTALL, Size, SpeedBench
from benchmarks.studies.speed.peers import run_script
from benchmarks.studies.speed.processes import Finished, run_timed
from benchmarks.studies.speed.report import drawings, entries, goals_table, times_table
from benchmarks.studies.speed.timings import Timing
from benchmarks.studies.speed.videos import FRAMES, SETS, make_sets
from benchmarks.studies.speed.ways import PlainNetwork, write_weights
from evaluation.networks.registry import build
from latte.data.errors import InputError
from latte.data.shapes import ShapesVideo
from latte.data.sources import open_video_set
from latte.data.video import write_video

TIMINGS = {
    (timing.part, timing.way): timing
    for timing in (
        Timing(part="starting", way="latte-eval --help", seconds=(1.4, 0.6)),
        Timing(part="i3d", way="ours", seconds=(1.0, 2.0, 1.0), clips=8),
        Timing(part="i3d", way="plain", seconds=(1.5, 2.6, 1.6), clips=8),
        Timing(part="distance 2048", way="ours", seconds=(1.0, 1.0)),
        Timing(part="distance 2048", way="sqrtm", seconds=(18.0, 21.0)),
        Timing(part="cold", way="ours", seconds=(40.0, 50.0), clips=192, megabytes=(900.0,)),
        Timing(part="cold", way="cd-fvd", seconds=(120.0, 125.0), clips=192),
        Timing(part="cached", way="ours", seconds=(20.0, 25.0), clips=192),
        Timing(part="again", way="ours", seconds=(1.9, 1.4), clips=192),
        Timing(part="decode", way="ours", seconds=(20.0, 30.0), clips=192),
        Timing(part="memory", way="256 clips", seconds=(9.0,), clips=256, megabytes=(800.0,)),
        Timing(part="memory", way="4096 clips", seconds=(99.0,), clips=4096, megabytes=(840.0,)),
    )
}


@pytest.fixture
def two_sets(tmp_path):
    """Drawn videos in three folders, and the network of shapes as TorchScript."""
    make_sets(None, tmp_path, count=2, size=64)
    return tmp_path


def by_what(timings):
    return {goal.what.partition(":")[0]: goal for goal in goals(timings)}


def test_goals_are_judged_by_ratios_of_the_same_turn():
    judged = by_what(TIMINGS)
    i3d = judged["I3D"]
    assert i3d.values == pytest.approx((1.5, 1.3, 1.6))
    assert i3d.measured == pytest.approx(1.5)
    whole = judged["Whole evaluation, nothing cached"]
    assert whole.measured == pytest.approx(2.75)
    assert whole.reached
    second = judged["A second model, real side cached"]
    assert second.values == pytest.approx((6.0, 5.0))
    distance = judged["Fréchet distance, 2048 features"]
    assert (distance.measured, distance.reached) == (19.5, False)


def test_times_are_judged_by_the_best_and_memory_by_its_growth():
    judged = by_what(TIMINGS)
    assert judged["The same evaluation again"].values == (1.4,)
    assert judged["latte-eval --help"].reached
    assert judged["Peak memory, most clips beside fewest"].measured == pytest.approx(1.05)
    assert judged["Peak memory of all processes"].reached


def test_what_is_not_measured_is_not_judged_and_says_why():
    absent = TIMINGS | {
        ("cold", "cd-fvd"): Timing(part="cold", way="cd-fvd", reason=INSTALL),
    }
    del absent["i3d", "ours"]
    judged = by_what(absent)
    assert judged["I3D"].reached is None
    assert judged["Whole evaluation, nothing cached"].reason == INSTALL
    cells = goals_table(goals(absent)).rows[1].cells
    assert cells["reached"].reason == INSTALL


def test_rows_stand_beside_cd_fvd_or_else_the_script():
    script = Timing(part="cold", way="script", seconds=(200.0, 200.0), clips=192)
    rows = {(entry.timing.part, entry.timing.way): entry for entry in entries(TIMINGS)}
    assert rows["cached", "ours"].base == TIMINGS["cold", "cd-fvd"]
    absent = TIMINGS | {
        ("cold", "cd-fvd"): Timing(part="cold", way="cd-fvd", reason=INSTALL),
        ("cold", "script"): script,
    }
    rows = {(entry.timing.part, entry.timing.way): entry for entry in entries(absent)}
    assert rows["cached", "ours"].base == script


def test_the_table_has_medians_ranges_and_rates():
    rows = {(row.section, row.label): row.cells for row in times_table(TIMINGS, {}).rows}
    ours = rows["Whole evaluation", "ours"]
    assert ours["seconds"].text == "45 (40 to 50)"
    assert ours["rate"].text == "4.80"
    assert ours["times"].text == "2.75 (2.5 to 3)"
    assert ours["memory"].text == "900"
    assert rows["Whole evaluation", "cd-fvd"]["times"].is_empty


def test_the_chart_shows_what_has_something_beside_it():
    (drawing,) = drawings(TIMINGS)
    assert set(drawing.data.label) == {
        "I3D alone: ours, as the suite runs it",
        "Fréchet distance, 2048 features: ours",
        "Whole evaluation: ours",
        "Whole evaluation: ours, second model, real side cached",
        "Whole evaluation: ours, the same again",
        "Whole evaluation: ours, decoding and preparing alone",
    }
    assert drawings({}) == []


def test_a_run_writes_its_documents(tmp_path, section, capsys, monkeypatch):
    monkeypatch.setattr(SpeedBench, "parts", lambda bench: iter([list(TIMINGS.values())]))
    run(tmp_path, SpeedRequest(small=True))
    text = (tmp_path / "speed.md").read_text(encoding="utf-8")
    assert text in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} >= {
        *("speed.html", "speed.csv", "speed-ratios.svg", "speed-ratios.png", "speed-ratios.csv"),
    }
    lead = section(tmp_path, "speed").lead
    assert "6 of 8 goals" in lead or "7 of 8 goals" in lead  # an Intel with AMX has another goal
    assert "Fréchet distance" in lead
    assert "4.8 clips/s are measured: 50%" in lead


class FakeBench(SpeedBench):
    """Runs nothing: every command takes as many seconds as were run before it."""

    calls = 0

    def finished(self, value):
        self.calls += 1
        return Finished(
            seconds=float(self.calls), megabytes=1.0, output=f'noise\n{{"value": {value}}}\n'
        )

    def ours(self, store, fake, *launcher):
        return self.finished(4.0)

    def decode(self):
        return self.finished(0.0)

    def peer(self, name, statistics_file, fake):
        if name == "cd-fvd":
            raise RuntimeError("python ended with 1:\n\nImportError: no torchcodec\n")
        return self.finished(5.0)


def test_evaluations_take_turns_and_a_peer_that_fails_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(FakeBench, "_missing", lambda bench: {})
    size = Size(network="shapes", count=2, side=64, clips=())
    bench = FakeBench(size=size, work=tmp_path, workers=0)
    timings = {(timing.part, timing.way): timing for timing in bench.evaluation()}
    assert timings["first", "ours"].seconds == (1.0,)
    assert timings["cold", "ours"].seconds == (2.0, 9.0)
    assert timings["cold", "script"].seconds == (7.0, 14.0)
    assert timings["cold", "cd-fvd"].reason == "It fails here: ImportError: no torchcodec"
    assert timings["cached", "cd-fvd"].seconds == ()
    assert bench.facts["value script"] == "+25.0%"
    assert bench.facts["value two processes"] == "equal"


def test_one_size_is_asked_for():
    with pytest.raises(InputError, match="--tiny and --small"):
        SpeedRequest(tiny=True, small=True)


def test_drawn_sets_hold_different_videos_of_equal_length(two_sets):
    clips = [
        video.read(range(FRAMES))
        for name in SETS
        for video in open_video_set(two_sets / name).videos
    ]
    assert {clip.shape for clip in clips} == {(FRAMES, 64, 64, 3)}
    assert len({clip.tobytes() for clip in clips}) == 6


def test_sets_are_cut_from_videos_of_others(two_sets, tmp_path):
    frames = ShapesVideo(index=0, split="test", size=64, num_frames=FRAMES + 8).read(
        range(FRAMES + 8)
    )
    (tmp_path / "long").mkdir()
    write_video(tmp_path / "long" / "a.mkv", frames[:, :, :-1], fps=25)
    assert "1 pieces of long" in make_sets(tmp_path / "long", tmp_path / "cut", 1, size=64)
    for name in SETS:
        (video,) = open_video_set(tmp_path / "cut" / name).videos
        assert video.read(range(FRAMES)).shape == (FRAMES, 64, 62, 3)  # H.264 needs even sides
    with pytest.raises(InputError, match="3 different pieces"):
        make_sets(two_sets / "real", tmp_path / "more", 1, size=64)


def test_a_script_gives_a_distance_and_keeps_the_real_side(two_sets):
    _, script = write_weights("shapes", two_sets)
    real, fake, statistics = (str(two_sets / name) for name in ("real", "fake", "kept.npz"))
    value = run_script(real, fake, str(script), statistics, workers=0)
    assert value > 0
    for path in Path(real).iterdir():
        path.unlink()
    assert run_script(real, fake, str(script), statistics, workers=0) == value


def test_all_ways_give_the_features_of_the_suite(tmp_path, make_clips):
    import torch

    weights, script = write_weights("shapes", tmp_path)
    clips = make_clips(2, 16, 48, 64)
    ours = build("shapes", weights)(clips)
    theirs = torch.jit.load(str(script))(torch.from_numpy(clips)).numpy()
    assert np.abs(ours - theirs).max() < 0.02 * np.abs(ours).max()  # the file has half precision
    assert PlainNetwork("shapes")(torch.from_numpy(clips)).shape == ours.shape


def test_all_ways_give_one_fréchet_distance():
    times, values = time_distances(24, 2)
    assert {len(seconds) for seconds in times.values()} == {2}
    assert max(values.values()) == pytest.approx(min(values.values()), rel=1e-8)


def test_a_command_is_timed_with_the_memory_of_all_that_it_starts():
    code = (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', "
        "'import time; x = bytearray(b\"1\" * 100_000_000); time.sleep(1)'])"
    )
    finished = run_timed(["-c", code])
    assert finished.seconds > 1
    assert finished.megabytes is None or finished.megabytes > 90
    with pytest.raises(RuntimeError, match="ended with 3"):
        run_timed(["-c", "raise SystemExit(3)"])
