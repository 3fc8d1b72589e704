"""A run that was left and taken up again is, bit for bit, the run that was not."""

import json
import shutil

import pytest
import torch
from safetensors import safe_open

from latte.data.errors import InputError
from latte.data.video import write_video
from latte.training import state as state_module
from latte.training.data import TrainingSet

EVERY = "output.evaluate_every=1"  # the callbacks below are called


def assert_same(found, expected):
    tensors, rows = found
    expected_tensors, expected_rows = expected
    assert tensors.keys() == expected_tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, expected_tensors[name]), name
    assert rows == expected_rows


@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["training.precision=bf16"],
        ["training.accumulate=2", "data.flip=true", "training.warmup_steps=4"],
        ["data.images_per_clip=2", "data.flip=true", "training.decay=cosine"],
        ["output.log_every=4"],  # left in the middle of a window of the log
        ["output.log_every=6"],  # it stops twice in the same window
    ],
    ids=lambda settings: " ".join(settings) or "fp32",
)
def test_a_run_that_was_stopped_goes_on_bit_for_bit(run, left_by, stop_after, settings):
    run(*settings, out="whole")
    for step in (2, 5):
        with pytest.raises(KeyboardInterrupt):
            run(*settings, EVERY, evaluate=stop_after(step))
    run(*settings)
    assert_same(left_by(), left_by("whole"))


@pytest.mark.parametrize("checkpoint_every", [2, 3, 4])
def test_a_run_that_was_killed_goes_on_from_its_last_checkpoint(
    run, left_by, checkpoint_every, tmp_path
):
    class Killed(BaseException):
        pass

    def kill(snapshot):
        if snapshot.step == 5:
            raise Killed
        return {"value": 1.0}

    every = f"output.checkpoint_every={checkpoint_every}"
    with pytest.raises(Killed):
        run(every, EVERY, evaluate=kill)
    last = max(path.parent.name for path in tmp_path.glob("run/checkpoints/*/state.safetensors"))
    assert int(last) == 5 // checkpoint_every * checkpoint_every
    run(every)
    run(out="whole")
    assert_same(left_by(), left_by("whole"))


def test_a_longer_run_begins_as_the_shorter_one(run, left_by, tmp_path):
    run("training.steps=4")
    run("training.steps=6", "training.checkpoint_activations=true", "output.num_samples=3")
    run(out="whole")
    assert_same(left_by(), left_by("whole"))
    assert "steps = 6" in (tmp_path / "run" / "config.toml").read_text()


def test_a_finished_run_is_left_as_it_is(run, tmp_path):
    first = run()
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "run/checkpoints").rglob("*")}
    assert run() == first
    assert files == {
        path: path.stat().st_mtime_ns for path in (tmp_path / "run/checkpoints").rglob("*")
    }


def test_the_sentence_names_the_checkpoint_and_every_field(run, tmp_path):
    run("training.steps=1")
    with pytest.raises(InputError) as refused:
        run("training.ema=0.5", "data.flip=true")
    assert str(refused.value) == (
        f"{tmp_path / 'run/checkpoints/0000001'}: the run began otherwise (data.flip was False, is "
        "True, training.ema was 0.98, is 0.5): give what it began with, or another --out"
    )
    assert "flip = false" in (tmp_path / "run" / "config.toml").read_text()


def test_the_same_batch_may_come_in_other_pieces(run, left_by, stop_after):
    run("training.batch_size=4", out="whole")
    with pytest.raises(KeyboardInterrupt):
        run("training.batch_size=4", EVERY, evaluate=stop_after(3))
    run("training.batch_size=2", "training.accumulate=2")
    (tensors, rows), (expected, expected_rows) = left_by(), left_by("whole")
    for name, tensor in tensors.items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-3, atol=1e-5)
    assert [row["samples"] for row in rows] == [row["samples"] for row in expected_rows]


def test_old_states_go_and_weights_stay(run, tmp_path):
    run("output.checkpoint_every=1", "output.keep_states=2", "training.steps=4")
    found = sorted(
        str(path.relative_to(tmp_path / "run/checkpoints"))
        for path in (tmp_path / "run/checkpoints").rglob("*.safetensors")
    )
    assert found == [
        "0000001/ema.safetensors",
        "0000002/ema.safetensors",
        "0000003/ema.safetensors",
        "0000003/state.safetensors",
        "0000004/ema.safetensors",
        "0000004/state.safetensors",
    ]


def test_a_state_holds_what_the_next_step_needs_and_nothing_else(run, tmp_path):
    weights = run("training.steps=3")
    with safe_open(weights.with_name("state.safetensors"), framework="pt") as file:
        names = set(file.keys())
        metadata = file.metadata()
        steps = {file.get_tensor(name).item() for name in names if name.startswith("step/")}
    parameters = {name.removeprefix("model/") for name in names if name.startswith("model/")}
    kinds = ("model", "ema", "exp_avg", "exp_avg_sq", "step")
    assert names == {f"{kind}/{name}" for kind in kinds for name in parameters}
    assert "pos_embed" not in parameters
    assert steps == {3.0}
    stored = json.loads(metadata["run"])
    assert (stored["counters"]["step"], stored["counters"]["samples"]) == (3, 6)
    assert stored["counters"]["window"][0] == 1  # one step since the last line of the log
    assert stored["inputs"]["processes"] == 1


def test_fewer_steps_than_are_done_are_refused(run, tmp_path):
    run("training.steps=3")
    with pytest.raises(InputError) as refused:
        run("training.steps=2")
    assert str(refused.value) == (
        f"{tmp_path / 'run/checkpoints/0000003'}: the run has done 3 steps, more than "
        "training.steps = 2: give at least 3, or another --out"
    )
    assert "steps = 3" in (tmp_path / "run" / "config.toml").read_text()


def test_a_damaged_state_says_what_to_do(run, tmp_path):
    path = run("training.steps=2", "output.keep_states=2", "output.checkpoint_every=1")
    path = path.with_name("state.safetensors")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"0000002.*: cannot be read .*delete.*step 1$"):
        run()
    shutil.rmtree(path.parent)
    run()


def test_without_another_state_the_weights_can_begin_another_run(run, tmp_path):
    weights = run("training.steps=2", "output.checkpoint_every=1")
    path = weights.with_name("state.safetensors")
    path.write_bytes(path.read_bytes()[:1000])
    advice = f"begin another run with --out and model.initialise_from={weights}"
    with pytest.raises(InputError) as refused:
        run()
    assert str(refused.value).endswith(advice)
    path.unlink()
    with pytest.raises(InputError) as refused:
        run()
    assert str(refused.value) == (
        f"{tmp_path / 'run/checkpoints'}: the run has weights of step 2, but no state.safetensors "
        f"to resume from, so {advice}"
    )
    with pytest.raises(InputError, match=r"step 2\b.*state\.safetensors"):
        run("model.conditioning=all-tokens")  # cannot begin with a file
    run(f"model.initialise_from={weights}", "training.steps=1", out="another")


@pytest.fixture
def videos(tmp_path, make_clips):
    """Writer of videos of 8×8 pixels by class and name, into `tmp_path / videos`."""

    def write(*names, length=4):
        for seed, name in enumerate(names):
            path = tmp_path / "videos" / f"{name}.mkv"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_video(path, make_clips(1, length, 8, 8, seed)[0], fps=8)

    write("ape/0", "bee/0")
    return write


def of_videos(path):
    return [f"data.dataset={path}", "data.recipe=none", "data.num_videos=0"]


@pytest.mark.usefixtures("videos")
def test_a_run_goes_on_where_its_videos_have_been_moved_to(run, left_by, tmp_path):
    run(*of_videos(tmp_path / "videos"), out="whole")
    run(*of_videos(tmp_path / "videos"), "training.steps=2")
    (tmp_path / "videos").rename(tmp_path / "moved")
    run(*of_videos(tmp_path / "moved"))
    assert_same(left_by(), left_by("whole"))


def test_other_videos_are_noticed(run, tmp_path, videos):
    settings = of_videos(tmp_path / "videos")
    run(*settings, "training.steps=1")
    sentence = r"checkpoints/000000[12]: .*digest of the videos"
    videos("cat/0")  # one more
    with pytest.raises(InputError, match=sentence):
        run(*settings)
    shutil.rmtree(tmp_path / "videos" / "cat")
    run(*settings, "training.steps=2")
    videos("ape/0", length=5)
    with pytest.raises(InputError, match=sentence):
        run(*settings)


def test_an_autoencoder_may_move_but_not_change(run, left_by, patches, tmp_path):
    def of_patches(name, seed=0):
        patches(name, seed)
        path = f"autoencoder.path={tmp_path / name}"
        return ["autoencoder.name=patches", "model.patch_size=1", path]

    run(*of_patches("a.safetensors"), out="whole")
    run(*of_patches("a.safetensors"), "training.steps=2")
    (tmp_path / "a.safetensors").unlink()
    run(*of_patches("b.safetensors"), "training.steps=3")
    with pytest.raises(InputError, match=r"checkpoints/0000003: .*digest of the autoencoder"):
        run(*of_patches("b.safetensors", seed=1))
    run(*of_patches("b.safetensors"))
    assert_same(left_by(), left_by("whole"))


def test_data_with_other_classes_are_noticed(run, tmp_path, videos, monkeypatch):
    monkeypatch.setattr(TrainingSet, "digest", None)
    settings = of_videos(tmp_path / "videos")
    run(*settings, "training.steps=1")
    videos("cat/0")
    with pytest.raises(InputError, match=r"state.*ema/y_embedder"):
        run(*settings)


def test_what_a_killed_writer_left_is_cleared_away(run, tmp_path, stop_after):
    with pytest.raises(KeyboardInterrupt):
        run(EVERY, evaluate=stop_after(1))
    left_over = tmp_path / "run" / "checkpoints" / ".partial-1"
    left_over.mkdir()
    (left_over / "ema.safetensors").write_bytes(b"half")
    run()
    assert sorted(path.name for path in left_over.parent.iterdir()) == ["0000001", "0000006"]


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one(run, tmp_path, monkeypatch):
    write, written = state_module.write_safetensors, []

    def full(path, tensors, metadata):
        written.append(path)
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        write(path, tensors, metadata)

    monkeypatch.setattr(state_module, "write_safetensors", full)
    with pytest.raises(OSError, match="No space left on device") as failed:
        run("output.checkpoint_every=2")
    assert failed.value.filename.startswith(str(tmp_path / "run" / "checkpoints"))
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["0000002"]
