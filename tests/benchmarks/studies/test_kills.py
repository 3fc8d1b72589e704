"""Measurements that are killed and started again."""

import subprocess
import sys
from dataclasses import replace

import pytest

from benchmarks.studies.kills import trial as trial_module
from benchmarks.studies.kills.run import KillsRequest, counts, kills_report, run
from benchmarks.studies.kills.trial import (
    PARENT,
    RANK,
    WORKER,
    KillTask,
    KillTrial,
    descendants,
    try_kill,
)
from reports.provenance import Provenance

TRIAL = KillTrial(
    seed=0,
    processes=1,
    target=PARENT,
    seconds=1.5,
    code=-9,
    starts=2,
    hung=False,
    rows=256,
    made_again=0,
    lost=0,
    same=True,
    left_files=0,
    left_processes=0,
    said="",
)


def test_what_is_not_as_it_should_be_is_counted():
    assert not TRIAL.failed
    spoilt = ({"lost": 1}, {"left_files": 2}, {"left_processes": 1})
    for change in ({"same": False}, {"hung": True}, *spoilt):
        assert replace(TRIAL, **change).failed
    trials = [TRIAL, replace(TRIAL, code=0, starts=1, rows=0, same=False, made_again=3)]
    assert counts(trials) == {
        "kills": 2,
        "same": 1,
        "goes_on": 1,
        "starts": 2,
        "hung": 0,
        "rows": 128,
        "made_again": 3,
        "lost": 0,
        "left_files": 0,
        "left_processes": 0,
    }


def test_the_report_has_a_row_for_each_process_that_was_killed():
    trials = [
        TRIAL,
        replace(TRIAL, target=WORKER),
        replace(TRIAL, target=RANK, processes=2),
        replace(TRIAL, target=""),  # it had ended before
    ]
    report = kills_report(trials, Provenance())
    table = report.blocks[0].table
    assert [(row.section, row.label) for row in table.rows] == [
        ("one process", PARENT),
        ("one process", WORKER),
        ("2 processes of torchrun", RANK),
    ]
    assert report.lead.startswith("3 SIGKILLs at random moments: 3 times")


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_processes_are_found_below_their_parents():
    code = """
import subprocess, sys
command = [sys.executable, "-c", "print(flush=True); input()", "evaluation"]
pipe = subprocess.PIPE
with subprocess.Popen(command, stdin=pipe, stdout=pipe) as child:
    child.stdout.readline()  # it runs, so that its command can be read
    print(child.pid, flush=True)
    input()
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        child = int(parent.stdout.readline())
        assert descendants(parent.pid) == {child: RANK}
        parent.communicate(b"\n")


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_measurement_that_hangs_is_ended_and_told(tmp_path, monkeypatch):
    started = []

    def hang(task, place):
        (place / "log").touch()
        command = [sys.executable, "-c", "input()"]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True))
        return started[-1]

    monkeypatch.setattr(trial_module, "start", hang)
    monkeypatch.setattr(trial_module, "LIMIT", 0.1)
    task = KillTask(seed=0, processes=1, clips=2, folder=tmp_path, value=1.0, seconds=0, source="")
    details = try_kill(task).details
    assert details["hung"]
    assert (details["starts"], details["left_processes"]) == (2, 0)
    for process in started:
        assert process.poll() is not None
        process.stdin.close()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_killed_measurements_end_as_others_do(tmp_path, section, capsys):
    run(tmp_path, KillsRequest(kills=2, num_videos=12))
    assert "Killed measurements" in capsys.readouterr().out
    lines = (tmp_path / "kills.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[:2] for line in lines[1:]] == [["0", "1"], ["1", "2"]]
    assert section(tmp_path, "kills").lead.startswith("2 SIGKILLs")
