"""Processes that share a measurement give the value of one, whatever they share."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from evaluation import ExtractionOptions, measure
from evaluation.features.distributed import Processes, joined
from evaluation.results.files import read_results
from evaluation.results.record import Result
from latte.data.errors import InputError
from latte.data.processes.rank import Process
from latte.data.shapes import shapes_clips
from latte.data.video import write_video

SCRIPT = Path(__file__).with_name("shared_measurements.py")
WHOLE = ("in memory", "in a store", "in a store that loses rows", "in stores of their own")
SETTINGS = {"protocol": "shapes", "device": "cpu", "resamples": 40}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("shared")
    clips = shapes_clips("test", range(40))
    np.save(folder / "real.npy", clips[:21])
    np.save(folder / "fake.npy", clips[21:])
    (folder / "videos").mkdir()
    for index, clip in enumerate(clips[:6]):
        write_video(folder / "videos" / f"{index}.mkv", clip, fps=8)
    (folder / "videos" / "3.mkv").write_bytes(b"no video")
    return folder


@pytest.fixture(scope="module")
def alone(folder) -> dict[str, list]:
    """The values that one process gives."""
    real, fake = np.load(folder / "real.npy"), np.load(folder / "fake.npy")
    options = ExtractionOptions(workers=0, progress=False, skip_broken=True)
    results = {
        "whole": measure(real, fake, **SETTINGS),
        "few": measure(real[:2], fake[:2], **SETTINGS),
        "broken": measure(folder / "real.npy", folder / "videos", options=options, **SETTINGS),
    }
    return {name: as_read(result) for name, (result,) in results.items()}


def as_read(result: Result) -> list:
    """What the processes write of a result, as it is read back."""
    facts = [result.value, result.interval, result.num_fake, result.fake.broken]
    return json.loads(json.dumps(facts))


@pytest.mark.slow
@pytest.mark.parametrize("world", [2, 3])
def test_every_process_gets_the_result_of_one(folder, alone, world):
    assert len(alone["broken"][3]) == 1
    launcher = [sys.executable, "-m", "latte.data.processes.torchrun", "--standalone"]
    subprocess.run(
        [*launcher, "--nproc-per-node", str(world), str(SCRIPT), str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
        timeout=600,
    )
    seen = [json.loads((folder / f"{world}-{rank}.json").read_text()) for rank in range(world)]
    for each in seen:
        for name in WHOLE:
            assert each[name] == alone["whole"], name
        assert each["fewer than processes"] == alone["few"]
        assert each["one is broken"] == alone["broken"]
        assert each["error of the last"] == f"process {world - 1} finds no file"
        assert each["error of the first"] == "process 0 finds no file"
        assert f"{world - 1}: network of {world - 1}" in each["other steps"]
        assert "do not do the same (0: files (7 as " in each["more"]
        assert "do not do the same (0: files (7 as " in each["others"]
        assert each["ahead, the first"] == "process 0 finds no weights"
        assert each["ahead, the last"] == f"process {world - 1} finds no weights"
        assert each["map"] == [0, 1, 4, 9, 16, 25, 36]
    assert [x for each in seen for x in each["parts"]] == list(range(7))
    # The first one alone writes, each result once.
    assert len(read_results(folder / f"{world}.jsonl")) == 3


def test_one_process_needs_no_other_and_no_torch():
    code = (
        "import sys; from evaluation.features.distributed import joined\n"
        "with joined() as processes: processes.agree('work', processes.first('all', lambda: 1))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


class _First(Processes):
    """The first of two processes, whose other one has nothing to do."""

    def __init__(self):
        super().__init__(Process(world=2))

    def part(self, items):
        return items

    def agree(self, step, value, error=None):
        return [value]

    def map(self, step, function, items, *_):
        return list(function(items))


def test_processes_that_are_started_again_write_no_result_twice(folder, tmp_path):
    out = tmp_path / "results.jsonl"
    settings = {"workers": 0, "progress": False, "store": tmp_path / "store"}
    options = ExtractionOptions(processes=_First(), **settings)
    clips = np.load(folder / "real.npy")[:4]
    for fake in (clips[2:], clips[2:], clips[1:3]):
        measure(clips[:2], fake, options=options, out=out, **SETTINGS)
    first, second = read_results(out)
    assert first.details["decoded_clips"] == 4
    assert first.fake.digest != second.fake.digest


def test_an_error_of_one_process_is_its_own():
    with pytest.raises(InputError, match="no file"), joined():
        raise InputError("no file")
    with pytest.raises(InputError, match="no file"):
        Processes().first("work", _refuse)


def _refuse() -> None:
    raise InputError("no file")


def test_variables_of_another_launcher_are_one_sentence(monkeypatch):
    for name, value in {"RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(InputError, match=r"WORLD_SIZE=2.*no MASTER_ADDR.*torchrun"), joined():
        pass
