"""What Tables 3 and 5 measure: methods on shapes, and the published weights at paper scale."""

import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from benchmarks.cells.cache import FailedCellsError, MeasuredCells, read_cells
from benchmarks.cells.executors import Job
from benchmarks.shapes import generated
from benchmarks.shapes import methods as shapes_methods
from benchmarks.shapes.dimensions import STAND_INS
from benchmarks.shapes.distortions import GENERATORS, HELD_OUT, Generator
from benchmarks.shapes.generated import BUNDLED, GIVEN, NO_MODEL
from benchmarks.shapes.methods import ShapesRequest
from benchmarks.tables import paper_scale
from benchmarks.tables import run as tables_run
from benchmarks.tables import table3 as table3_fvd
from benchmarks.tables import table4 as table4_vbench
from benchmarks.tables import table5 as table5_is_fid
from benchmarks.tables.request import TableRequest
from evaluation.protocol.presets import SHAPES
from latte.data.errors import InputError
from latte.data.processes.cluster import Resources
from latte.data.sources import VideoSet
from latte.sampling.generate import SamplingOptions

FROZEN = next(each for each in GENERATORS if each.distortion == "frozen")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two stand-ins, two steps, short bootstraps: seconds instead of minutes."""
    second = next(each for each in GENERATORS if each.label == HELD_OUT)
    quick = ShapesRequest(num_videos=20, sampling=SamplingOptions(method="ddim", steps=2))
    monkeypatch.setattr(shapes_methods, "GENERATORS", (second, FROZEN))
    monkeypatch.setattr(shapes_methods, "RESAMPLES", 40)
    monkeypatch.setattr(tables_run, "SCALES", {"tiny": quick})


@pytest.fixture
def request_on_shapes(few: None, tiny_checkpoint, tmp_path: Path) -> TableRequest:
    return TableRequest(
        scale="tiny",
        cells=tmp_path / "methods",
        checkpoint=tiny_checkpoint(tmp_path / "tiny.safetensors"),
    )


def test_tables_3_and_5_share_what_is_measured_on_shapes(
    request_on_shapes: TableRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table3_fvd.run(tmp_path / "3", request_on_shapes)
    text = (tmp_path / "3" / "table3.md").read_text(encoding="utf-8")
    published, _, measured = text.partition("**FVD-shapes of methods")
    assert "Published figures alone" in published
    assert "Latte+IMG" in published
    for label in (GIVEN, HELD_OUT, FROZEN.label):
        assert f"| {label} " in measured
    for part in (
        "tiny.safetensors (SHA-256 ",
        "DDIM, 2 steps",
        "fingerprints: FVD-shapes ",
    ):
        assert part in measured
    cells = read_cells(request_on_shapes.folder / "cells.jsonl")
    assert len(cells) == 4  # real videos are one of them
    frozen = next(cell for cell in cells.values() if cell.name.startswith(FROZEN.label))
    dimensions = {f"{name}-shapes" for name in STAND_INS}
    assert set(frozen.details) == {"FVD-shapes", "FID-shapes", "IS-shapes", *dimensions}

    def fail(*arguments: object, **options: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(shapes_methods, "measure_method", fail)
    table5_is_fid.run(tmp_path / "5", request_on_shapes)
    value = frozen.details["FID-shapes"]["value"]
    csv = (tmp_path / "5" / "table5.csv").read_text(encoding="utf-8")
    assert f"{FROZEN.label},FID-shapes,{value!r}," in csv
    table4_vbench.run(tmp_path / "4", request_on_shapes)
    text = (tmp_path / "4" / "table4.md").read_text(encoding="utf-8")
    published, _, measured = text.partition("**VBench's dimensions of methods")
    assert "OpenSoraPlan" in published
    numbers = r"\*\*100.0 ± 0.0\*\* .* <u>0.0 \[0.0, 16.1\]</u> "
    assert re.search(rf"\| {FROZEN.label} .* {numbers}", measured)
    assert re.search(rf"\bof 1\b.*{HELD_OUT}", measured)
    assert "fingerprints: background_consistency-shapes " in measured
    csv = (tmp_path / "4" / "table4.csv").read_text(encoding="utf-8")
    assert f"{FROZEN.label},dynamic_degree-shapes,0.0," in csv
    assert "ModelScope,dynamic_degree,66.39," in csv


def test_seeds_are_other_videos_and_other_samples(
    request_on_shapes: TableRequest, tmp_path: Path
) -> None:
    table3_fvd.run(tmp_path, replace(request_on_shapes, seeds=2))
    cells = read_cells(request_on_shapes.folder / "cells.jsonl").values()
    values = {cell.name: cell.value for cell in cells}
    assert len(values) == len(set(values.values())) == 8
    text = (tmp_path / "table3.md").read_text(encoding="utf-8")
    assert re.search(r"2 seeds.*95 %", text)
    table4_vbench.run(tmp_path, replace(request_on_shapes, seeds=2))
    text = (tmp_path / "table4.md").read_text(encoding="utf-8")
    assert re.search(r"95 %.*2 seeds", text)


def test_without_the_bundled_model_its_cell_is_empty_with_the_reason(
    request_on_shapes: TableRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> Path:
        raise InputError("the bundled checkpoint is missing")

    monkeypatch.setattr(generated, "bundled_checkpoint", missing)
    table3_fvd.run(tmp_path, replace(request_on_shapes, checkpoint=None))
    text = (tmp_path / "table3.md").read_text(encoding="utf-8")
    assert f"| {BUNDLED}  " in text
    assert NO_MODEL in text


def test_a_cell_that_fails_costs_no_other_and_ends_the_command(
    request_on_shapes: TableRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Generator.videos

    def broken(generator: Generator, first: int, count: int) -> VideoSet:
        if generator == FROZEN:
            raise InputError("no such distortion")
        return whole(generator, first, count)

    monkeypatch.setattr(Generator, "videos", broken)
    with pytest.raises(FailedCellsError, match="no such distortion"):
        table3_fvd.run(tmp_path / "out", request_on_shapes)
    text = (tmp_path / "out" / "table3.md").read_text(encoding="utf-8")
    assert "Failed: no such distortion" in text
    assert len(read_cells(request_on_shapes.folder / "cells.jsonl")) == 3


def test_bad_results_are_refused_before_anything_is_measured(
    request_on_shapes: TableRequest, tmp_path: Path
) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"results\.jsonl, line 1: "):
        table3_fvd.run(tmp_path / "out", replace(request_on_shapes, results=(path,)))
    assert not request_on_shapes.folder.exists()
    assert not (tmp_path / "out").exists()


@pytest.fixture
def paper(tmp_path: Path, faces_and_model, monkeypatch: pytest.MonkeyPatch) -> TableRequest:
    """A data set, a model of it and a protocol that are small, in the places of the paper's."""
    small = replace(SHAPES, split="published", num_real=3, num_fake=3)
    monkeypatch.setattr(paper_scale, "LATTE", small)
    column = replace(table3_fvd.TABLE.columns[0], network="shapes", metric="FVD-shapes")
    table = replace(table3_fvd.TABLE, columns=(column, *table3_fvd.TABLE.columns[1:]))
    monkeypatch.setattr(table3_fvd, "run", partial(tables_run.run_table, table))
    return TableRequest(
        scale="paper",
        cells=tmp_path / "methods",
        data_root=tmp_path / "data",
        checkpoints=tmp_path / "models",
        device="cpu",
    )


def test_everything_that_is_missing_is_said_at_once_before_anything_starts(
    paper: TableRequest, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as error:
        table3_fvd.run(tmp_path / "out", paper)
    message = str(error.value)
    for name in ("skytimelapse", "ucf101", "taichi-hd"):
        assert message.count(f"\n  - data set {name}: ") == 1
        assert message.count(f"\n  - weights of Latte for {name}: ") == 1
    assert message.count("\n  - weights of the network i3d: ") == 1
    assert "faceforensics" not in message
    assert "--only-available" in message
    assert not paper.folder.exists()
    assert not (tmp_path / "out").exists()


def test_what_is_here_is_measured_and_the_rest_says_what_it_lacks(
    paper: TableRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = replace(paper, only_available=True)
    table3_fvd.run(tmp_path, some)
    text = (tmp_path / "table3.md").read_text(encoding="utf-8")
    assert f"| {paper_scale.MODEL} " in text
    assert re.search(r"FVD on UCF101 .*data set ucf101, weights of the network i3d, ", text)
    csv = (tmp_path / "table3.csv").read_text(encoding="utf-8")
    assert re.search(rf"{re.escape(paper_scale.MODEL)}\"?,faceforensics,.*,measured,false,", csv)
    (line,) = (paper.folder / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["num_fake"] == 3

    def fail(*arguments: object, **options: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(paper_scale, "measure_cell", fail)
    before = (tmp_path / "table3.csv").read_bytes()
    table3_fvd.run(tmp_path, some)
    assert (tmp_path / "table3.csv").read_bytes() == before


def test_through_slurm_each_cell_is_a_job_of_its_own(
    paper: TableRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_cli
) -> None:
    def run_here(jobs: list[Job], path: Path, resources: Resources) -> MeasuredCells:
        (job,) = jobs
        assert (resources.executor, resources.slurm) == ("slurm", ("partition=gpu",))
        file = job.write(path.parent)
        shown = run_cli("latte-bench", "cell", "--show", file)
        assert shown.stdout.startswith("python -m latte sample ")
        done = run_cli("latte-bench", "cell", file)
        assert done.returncode == 0, done.stderr
        return MeasuredCells(cells=read_cells(path))

    monkeypatch.setattr(paper_scale, "run_jobs", run_here)
    some = replace(paper, only_available=True)
    table3_fvd.run(tmp_path / "jobs", replace(some, executor="slurm", slurm=("partition=gpu",)))
    table3_fvd.run(tmp_path / "here", replace(some, cells=tmp_path / "other"))
    through_jobs, here = (
        (tmp_path / name / "table3.csv").read_text(encoding="utf-8") for name in ("jobs", "here")
    )
    assert through_jobs == here


def test_where_nothing_is_here_only_available_is_refused_too(
    paper: TableRequest, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"\b9 things\b"):
        table3_fvd.run(tmp_path, replace(paper, only_available=True, checkpoints=tmp_path / "none"))
