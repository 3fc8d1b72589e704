"""`latte-bench training` on folders of runs, whole, going on and damaged."""

import re
from dataclasses import replace

import pandas as pd
import pytest
from PIL import Image

from benchmarks.studies.training import run as training_run
from benchmarks.studies.training.report import CheckpointFvd, facts_table, panels
from benchmarks.studies.training.run import TrainingReportRequest, fvd_of_checkpoints, run
from benchmarks.studies.training.run_folder import open_run, read_numbers
from latte.data.errors import InputError
from latte.training.config import (
    DataTable,
    ModelTable,
    TrainConfig,
    TrainingTable,
    to_toml,
)

HEADER = "step,loss,mse,vb,gradient_norm,learning_rate,samples,seconds"
ROWS = [
    f"{50 * i},{1.1 / i},{1 / i},{0.1 / i},{2 / i},{1e-5 * i},{400 * i},{60 * i}"
    for i in range(1, 41)
]

LOG = "\n".join([HEADER, *ROWS, ""])


@pytest.fixture
def make_run(tmp_path):
    """Maker of a run's folder; what is None is not there."""

    def make(log=LOG, evaluations=None, dataset="shapes", **training):
        folder = tmp_path / "my run"
        folder.mkdir()
        config = TrainConfig(
            data=DataTable(dataset=dataset, num_frames=16, stride=1, size=8),
            training=TrainingTable(steps=4000, batch_size=8, **training),
            model=ModelTable(
                patch_size=4, hidden_size=32, depth=2, num_heads=2, class_conditional=True
            ),
        )
        (folder / "config.toml").write_text(to_toml(config), encoding="utf-8")
        for name, text in (("log", log), ("evaluations", evaluations)):
            if text is not None:
                (folder / f"{name}.csv").write_text(text, encoding="utf-8")
        return folder

    return make


@pytest.fixture
def add_checkpoints(tiny_checkpoint):
    def add(folder, *steps):
        for step in steps:
            path = folder / "checkpoints" / f"{step:07d}" / "ema.safetensors"
            path.parent.mkdir(parents=True)
            tiny_checkpoint(path, seed=step)

    return add


def test_the_documents_say_what_was_trained_and_are_named_in_what_is_logged(
    make_run, add_checkpoints, tmp_path, caplog
):
    caplog.set_level("INFO")
    folder = make_run(evaluations="step,FVD\n500,30.5\n1000,12.25\n")
    add_checkpoints(folder, 500, 1000)
    (folder / "samples").mkdir()
    for step, colour in ((500, "red"), (1000, "green"), (1500, "blue")):
        Image.new("RGB", (40, 20), colour).save(folder / "samples" / f"{step:07d}.png")
    out = tmp_path / "out"
    run(out, TrainingReportRequest(folder=folder))
    names = {path.name for path in out.iterdir()}
    wanted = {f"training.{ending}" for ending in ("md", "html", "csv", "svg", "png", "report.json")}
    assert names == wanted | {"samples_0000500.png", "samples_0001500.png"}
    for name in wanted:
        assert f"wrote {out / name}" in caplog.messages
    text = (out / "training.md").read_text(encoding="utf-8")
    for part in (
        "2,000 of 4,000",
        "16,000, 8 in each step",
        "40 min; 6.67 clips per second",
        "2 blocks, hidden size 32, 2 heads",
        "learning_rate = 0.0001",
    ):
        assert part in text
    assert re.search(r"\| 1,000 +\| +12.25 +\|", text)
    frame = pd.read_csv(out / "training.csv")
    assert frame[frame.track == "FVD"].value.tolist() == [30.5, 12.25]


def test_every_number_is_a_track_and_a_learning_rate_only_where_it_varies(make_run):
    training = open_run(
        make_run(evaluations="step,FVD,FVD low,FVD high,IS\n10,3,2,5,\n20,1,1,2,9\n")
    )
    found = {panel.title: panel for panel in panels(training, None)}
    assert len(found) == 6
    (fvd,), (score,) = found["FVD"].lines, found["IS"].lines
    assert (fvd.y, fvd.low, fvd.high) == ((3, 1), (2, 1), (5, 2))
    assert (score.x, score.y) == ((20,), (9,))
    loss = found["error of the predicted noise (mse)"]
    logged, smoothed = loss.lines
    assert logged.y == pytest.approx([1 / i for i in range(1, 41)])
    assert loss.scale == "log"
    assert smoothed.y != logged.y
    constant = training.log.assign(learning_rate=1e-4)
    same = replace(training, log=constant)
    assert "learning rate" not in [panel.title for panel in panels(same, None)]


def test_a_run_that_is_going_on_has_a_last_line_that_is_not_yet_whole(make_run):
    training = open_run(make_run(log="\n".join([HEADER, *ROWS[:3], ROWS[3][:9]])))
    assert list(training.log.step) == [50, 100, 150]
    (parameters,) = (r.cells for r in facts_table(training).rows if r.label == "parameters")
    assert parameters["value"].value is None


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        (None, "log.csv: .*100 steps"),
        ("", "log.csv: "),
        (HEADER + "\n", "log.csv: "),
        ("a,b\n1,2\n", "log.csv: .* step"),
        ("step,mse\n1,2\n", "log.csv: .* vb"),
        (f"{HEADER}\n{ROWS[0]}\n{ROWS[1]},7\n", "log.csv, line 3: '100,"),
        (f"{HEADER}\n{ROWS[0]}\n100,spam\n", "log.csv, line 3: '100,spam' "),
        (f"{HEADER}\n{ROWS[1]}\n{ROWS[0]}\n", "log.csv, line 3: "),
    ],
)
def test_a_log_that_cannot_be_read_is_one_sentence(log, sentence, make_run):
    with pytest.raises(InputError, match=sentence):
        open_run(make_run(log=log))


def test_a_folder_that_is_no_run_is_one_sentence(tmp_path, run_cli):
    done = run_cli("latte-bench", "training", tmp_path, "--out", "new", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {tmp_path}: ")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_numbers_that_are_missing_or_not_finite_are_left_out(tmp_path):
    path = tmp_path / "evaluations.csv"
    path.write_text("step,FVD\n10,\n20,nan\n30,inf\n40,5\n", encoding="utf-8")
    assert read_numbers(path).FVD.isna().tolist() == [True, True, True, False]


def test_fvd_is_measured_of_every_checkpoint_and_goes_on_where_it_was(
    make_run, add_checkpoints, tmp_path
):
    folder, out, store = make_run(), tmp_path / "out", tmp_path / "store"

    def rows_written():
        return sum(path.stat().st_size for path in store.rglob("*") if path.is_file())

    def measure():
        request = TrainingReportRequest(
            folder=folder,
            num_videos=12,
            steps=2,
            guidance_scale=1.5,
            store=store,
            resamples=40,
        )
        return fvd_of_checkpoints(open_run(folder), request, out)

    add_checkpoints(folder, 50)
    first, size = measure().table, rows_written()  # rows of real videos and of a checkpoint
    assert measure().table.equals(first)
    assert rows_written() == size
    add_checkpoints(folder, 100)
    measured = measure()
    both = measured.table
    assert size < rows_written() < 2 * size
    pd.testing.assert_frame_equal(pd.read_csv(out / "training_fvd.csv"), both)
    pd.testing.assert_frame_equal(both.iloc[:1], first)
    assert list(both.step) == [50, 100]
    for _, row in both.iterrows():
        assert 0 <= row["FVD-shapes low"] <= row["FVD-shapes"] <= row["FVD-shapes high"]
    assert "12 samples" in measured.note
    assert "DDIM, 2 steps, guidance 1.5" in measured.note
    config = folder / "config.toml"
    config.write_text(config.read_text().replace("\nsize = 8\n", "\nsize = 16\n"), encoding="utf-8")
    assert measure().note != measured.note  # frames of another size have another fingerprint


def test_what_was_measured_afterwards_is_in_the_documents(make_run, tmp_path, monkeypatch):
    columns = ["step", "FVD-shapes", "FVD-shapes low", "FVD-shapes high"]
    table = pd.DataFrame([(50, 9.5, 8.0, 12.0), (100, 4.25, 4.0, 5.0)], columns=columns)
    note = "9 samples against as many videos."
    monkeypatch.setattr(
        training_run, "fvd_of_checkpoints", lambda *_: CheckpointFvd(table=table, note=note)
    )
    run(tmp_path / "out", TrainingReportRequest(folder=make_run(), fvd=True))
    text = (tmp_path / "out" / "training.md").read_text(encoding="utf-8")
    assert re.search(r"\| 100 +\| +4.25 \[4.00, 5.00\] +\|", text)
    assert note in text
    frame = pd.read_csv(tmp_path / "out" / "training.csv")
    assert frame[frame.track == "FVD-shapes"].high.tolist() == [12, 5]


def test_fvd_is_of_runs_on_shapes_that_have_a_checkpoint(make_run, tmp_path):
    folder = make_run()
    with pytest.raises(InputError, match=f"{re.escape(str(folder))}: .*checkpoint"):
        run(tmp_path / "out", TrainingReportRequest(folder=folder, fvd=True))
    config = folder / "config.toml"
    config.write_text(config.read_text().replace('"shapes"', '"ucf101"'), encoding="utf-8")
    with pytest.raises(InputError, match=r"ucf101.*--fvd"):
        run(tmp_path / "out", TrainingReportRequest(folder=folder, fvd=True))
    assert not (tmp_path / "out").exists()
