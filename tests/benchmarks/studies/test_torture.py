import io
import json
import signal
import time
import zipfile
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from benchmarks.cells.cache import FILE, read_cells
from benchmarks.studies.torture.commands import Ended, in_fork, run_alone
from benchmarks.studies.torture.frames import strict_frames
from benchmarks.studies.torture.kinds import KINDS
from benchmarks.studies.torture.mutations import mutated
from benchmarks.studies.torture.originals import VIDEOS, clips, encode
from benchmarks.studies.torture.report import counts, torture_table
from benchmarks.studies.torture.run import TortureRequest, run
from benchmarks.studies.torture.trials import Original, Trial, try_mutant
from latte.data.errors import InputError

TRIAL = Trial(kind="png", seed=0, damage="cut off", outcome="refused")
ENDED = Ended(code=0, output="", errors="", seconds=1.0, megabytes=1.0)


@pytest.mark.parametrize("style", ["bytes", "text", "header"])
def test_a_mutant_is_decided_by_its_seed(style):
    data = b'{"width": 64, "height": 48}\n' * 40
    mutants = [mutated(data, f"a:{seed}", (style,)) for seed in range(60)]
    assert mutants == [mutated(data, f"a:{seed}", (style,)) for seed in range(60)]
    assert len({mutant.data for mutant in mutants}) > 40
    assert sum(mutant.data == data for mutant in mutants) < 10


def test_a_file_of_no_or_one_byte_can_be_damaged():
    styles = ("bytes", "text", "header")
    for data in (b"", b"x"):
        mutants = {mutated(data, f"a:{seed}", styles).data for seed in range(200)}
        assert mutants - {data}


def test_damage_inside_an_archive_keeps_its_checksums():
    stream = io.BytesIO()
    np.savez(stream, videos=clips(1))
    for seed in range(20):
        mutant = mutated(stream.getvalue(), f"a:{seed}", ("zip",))
        with zipfile.ZipFile(io.BytesIO(mutant.data)) as archive:
            assert archive.testzip() is None
            assert archive.namelist() == ["videos.npy"]


@pytest.mark.parametrize(
    ("code", "errors", "outcome"),
    [
        (0, "note: few clips\n", "measured"),
        (2, "[h264] broken\nerror: a.mp4: not a video\n", "refused"),
        (2, "error: a\nerror: b\n", "crashed"),
        (2, "error: a\x1b[2J.mp4\n", "crashed"),
        (1, "Traceback (most recent call last):\nValueError: x\n", "crashed"),
        (0, "Traceback (most recent call last):\nValueError: x\n", "crashed"),
        (-signal.SIGSEGV, "", "crashed"),
        (-signal.SIGALRM, "", "hung"),
    ],
)
def test_an_ending_is_judged_by_code_and_message(code, errors, outcome):
    assert replace(ENDED, code=code, errors=errors).outcome == outcome


def test_a_crash_is_named_by_its_error_and_our_innermost_line():
    errors = (
        'Traceback (most recent call last):\n  File "/x/latte/data/arrays.py", line 7, in f\n'
        '  File "/y/numpy/lib.py", line 3, in g\nzlib.error: bad\n'
    )
    reason = replace(ENDED, code=1, errors=errors).reason
    assert reason == "exit code 1: zlib.error: bad (latte/data/arrays.py:7)"


def _end_with_three():
    print("hello")
    raise SystemExit(3)


def test_a_fork_has_its_own_folder_output_and_end(tmp_path):
    folder = tmp_path / "case"
    folder.mkdir()
    ended = in_fork(_end_with_three, folder, limit=60)
    assert (ended.code, ended.output) == (3, "hello\n")
    assert in_fork(partial(time.sleep, 60), folder, limit=1).outcome == "hung"


def test_a_command_is_carried_out_alone_and_stopped_in_time(tmp_path):
    assert run_alone("latte-eval protocols list", tmp_path, limit=60).outcome == "measured"
    assert run_alone("latte-eval protocols list", tmp_path, limit=0.01).outcome == "hung"


def test_a_damaged_array_is_refused_and_a_changed_one_measured_otherwise(tmp_path):
    original = Original(KINDS["stored-npz"], tmp_path)
    trials = [try_mutant(original, seed, keep=None) for seed in range(1, 7)]
    assert {trial.outcome for trial in trials} == {"measured", "refused"}
    assert any(trial.changed for trial in trials if trial.outcome == "measured")
    assert all(trial.reason.startswith("error: ") for trial in trials if not trial.changed)


def test_strict_decoding_gives_the_frames_of_a_sound_file_and_none_of_a_cut_one(tmp_path):
    (frames,) = clips(1, frames=48, size=64)
    path = tmp_path / "a-h264.mp4"
    encode(path, frames, VIDEOS["h264.mp4"])
    decoded = strict_frames(path)
    assert decoded.shape == (16, 64, 64, 3)
    assert np.abs(decoded.astype(int) - frames[:16]).mean() < 10
    path.write_bytes(path.read_bytes()[:100])
    assert strict_frames(path) is None


def test_silent_changes_are_counted_apart_from_noted_ones():
    measured = replace(TRIAL, outcome="measured")
    trials = [
        TRIAL,
        measured,
        replace(measured, changed=True, noted=True, strict="refused"),
        replace(measured, changed=True, strict="refused"),
        replace(measured, changed=True, strict="same"),
        replace(TRIAL, outcome="crashed"),
    ]
    assert counts(trials) == {
        "mutants": 6,
        "refused": 1,
        "measured": 4,
        "same": 1,
        "noted": 1,
        "silent": 2,
        "strict": 1,
        "crashed": 1,
        "hung": 0,
    }
    (row,) = torture_table(trials).rows
    assert row.cells["strict"].is_empty


def test_a_run_writes_its_documents_and_resumes(tmp_path, section, capsys):
    request = TortureRequest(mutants=4, only=("protocol", "jpg"))
    run(tmp_path, request)
    cells = read_cells(tmp_path / FILE)
    assert len(cells) == 2
    lines = (tmp_path / "torture.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[:2] for line in lines[1:]] == [
        ["jpg", "0"],
        ["jpg", "1"],
        ["protocol", "0"],
        ["protocol", "1"],
    ]
    assert section(tmp_path, "torture").lead.startswith("4 damaged files: ")
    run(tmp_path, request)
    assert read_cells(tmp_path / FILE) == cells
    capsys.readouterr()
    run(tmp_path, TortureRequest(only=("jpg:1",), keep=tmp_path / "kept"))
    assert json.dumps("jpg:1: fake/a/000003.jpg")[1:-1] in capsys.readouterr().out
    assert (tmp_path / "kept" / "jpg-1" / "fake" / "a" / "000003.jpg").is_file()


@pytest.mark.parametrize("name", ["pgn", "png:x", "pgn:1"])
def test_an_unknown_kind_or_seed_is_refused(name, tmp_path):
    with pytest.raises(InputError, match="--only"):
        run(tmp_path, TortureRequest(only=(name,)))
