"""The number that training logs is the one that the samples get from the command."""

import csv
import json
from functools import partial

import pytest

from benchmarks.shapes.training_fvd import fvd
from latte.data.errors import InputError
from latte.sampling.plan import SampleRequest
from latte.sampling.run import sample
from latte.training.config import load_config
from latte.training.run import RunOptions, train

SMALL = (
    *("data.num_videos=4", "model.hidden_size=16", "model.depth=2", "training.batch_size=1"),
    *("training.steps=1", "output.evaluate_every=1", "output.sample_every=0"),
    "output.sample_steps=2",
)


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(tmp_path):
    def go(*settings, evaluate):
        options = RunOptions(
            out=tmp_path / "run",
            data_root=tmp_path,
            device="cpu",
            workers=0,
            evaluate=evaluate,
            progress=False,
        )
        return train(load_config("shapes-tiny", [*SMALL, *settings]), options)

    return go


def evaluations(folder):
    with (folder / "evaluations.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_the_samples_of_a_checkpoint_get_the_same_number(run, tmp_path, run_cli):
    shape = ["data.size=32", "data.num_frames=16", "model.patch_size=8"]
    path = run(*shape, evaluate=partial(fvd, num_clips=12))
    (row,) = evaluations(tmp_path / "run")
    assert list(row) == ["step", "FVD-shapes", "FVD-shapes low", "FVD-shapes high"]
    request = SampleRequest(
        checkpoint=path,
        out=tmp_path / "samples",
        num_samples=12,
        options={"method": "ddim", "steps": 2, "seed": 3407},
        device="cpu",
        progress=False,
    )
    sample(request)
    done = run_cli(
        "latte-eval",
        "fvd",
        *("--dataset", "shapes", "--fake", tmp_path / "samples", "--quiet", "--workers", 0),
        *("--store", tmp_path / "store", "--out", tmp_path / "results.jsonl"),
        "--json",
    )
    result = json.loads(done.stdout)
    assert result["num_fake"] == 12
    assert result["num_real"] == 512
    # The log has eight digits.
    assert float(row["FVD-shapes"]) == pytest.approx(result["value"], rel=1e-7)
    found = [float(row[f"FVD-shapes {end}"]) for end in ("low", "high")]
    # A folder is sorted by class, not by number: other clips fall into the halves of the resamples.
    assert found == pytest.approx(result["interval"], rel=1e-2)


def test_clips_of_another_size_and_stride_meet_real_ones_like_them(run, tmp_path):
    found = []

    def look(snapshot):
        number = fvd(snapshot, num_clips=3)
        found.append(number)
        return number

    run("data.stride=10", evaluate=look)  # 8 frames of 16×16, from videos of 71 frames
    assert list(found[0]) == ["FVD-shapes"]  # too few clips for an interval
    assert found[0]["FVD-shapes"] > 0


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (["data.num_frames=4"], r"data\.num_frames = 4: .*FVD-shapes .*\b8\b"),
        (["data.dataset={}", "data.recipe=none"], r"shapes, .*videos: "),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(run, tmp_path, make_clips, settings, sentence):
    from latte.data.video import write_video

    folder = tmp_path / "videos" / "one"
    folder.mkdir(parents=True)
    write_video(folder / "a.mkv", make_clips(1, 8, 16, 16)[0], fps=8)
    given = [each.format(tmp_path / "videos") for each in settings]
    with pytest.raises(InputError, match=sentence):
        run(*given, "training.steps=2", evaluate=fvd)
    # What was trained until then is kept.
    assert list((tmp_path / "run").glob("checkpoints/0000001/state.safetensors"))
