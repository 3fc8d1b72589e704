import sys
from types import ModuleType

import pytest

from latte.data.processes.workers import default_workers
from latte.training.config import config_names

SMALL = (
    *("data.num_videos=4", "data.size=8", "data.num_frames=4", "model.hidden_size=16"),
    *("model.depth=2", "training.batch_size=2", "training.steps=2", "output.sample_every=0"),
)


@pytest.fixture
def run(latte, tmp_path):
    """Run `latte train` in an empty folder."""
    return lambda *arguments: latte("train", *arguments, cwd=tmp_path)


@pytest.fixture
def small():
    return [word for setting in SMALL for word in ("--set", setting)]


def test_the_configurations_are_listed(run):
    assert run("--list").stdout.splitlines() == config_names()


def test_a_configuration_is_shown_as_it_would_be_run(run, tmp_path):
    changes = ["--set", "training.steps=7", "--set", "data.flip=true"]
    shown = run("shapes-tiny", "--show", *changes).stdout
    assert "steps = 7\n" in shown
    assert "flip = true\n" in shown
    (tmp_path / "mine.toml").write_text(shown)
    assert run("mine.toml", "--show").stdout == shown
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


def test_a_run_lands_where_it_is_looked_for_and_resumes(run, small, tmp_path, monkeypatch):
    done = run("shapes-tiny", *small, "--device", "cpu", "--workers", 0)
    assert done.returncode == 0
    last = "runs/shapes-tiny/checkpoints/0000002/ema.safetensors"
    assert done.stdout == f"trained 2 steps: {last}\n"
    assert (tmp_path / last).is_file()
    assert "2/2" in done.stderr
    more = ["--set", "training.steps=3", "--set", "output.evaluate_every=3", "--quiet"]
    more += ["--device", "cpu", "--workers", 0, "--evaluate", "measuring:measure"]
    measuring = ModuleType("measuring")
    measuring.measure = lambda snapshot: {"doubled": 2 * snapshot.step}
    monkeypatch.setitem(sys.modules, "measuring", measuring)
    done = run("shapes-tiny", *small, *more)
    assert done.returncode == 0
    assert "resuming from step 2 of 3" in done.stderr
    assert "3/3" not in done.stderr
    evaluations = (tmp_path / "runs" / "shapes-tiny" / "evaluations.csv").read_text()
    assert evaluations.splitlines() == ["step,doubled", "3,6"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "give a configuration: faceforensics, faceforensics-joint, "),
        (["shapse"], "no configuration is called 'shapse': did you mean shapes"),
        (["gone.toml"], "gone.toml: no such file"),
        (["shapes", "--set", "steps=3"], "--set steps=3: write TABLE.FIELD=VALUE"),
        (
            ["shapes", "--set", "training.stesp=3"],
            "training.stesp: did you mean steps",
        ),
        (["shapes", "--set", "trainign.steps=3"], "unknown field trainign: did you mean training"),
        (["shapes", "--set", "training.steps=x"], "training.steps must be an integer"),
        (["shapes", "--set", "training.steps=-1"], "training.steps must be an integer"),
        (["shapes", "--evaluate", "json:dumps"], "output.evaluate_every is 0, so it would never"),
        (["shapes-tiny", "--device", "tpu"], "--device tpu: give auto, cpu, cuda or cuda:N"),
        (["shapes-tiny", "--workers", "-1"], "--workers"),
        (["ucf101", "--data-root", "there"], "ucf101: not found, looked for there/ucf101"),
        (["shapes-tiny", "--set", "data.dataset=nothing"], "data.dataset = 'nothing': is neither"),
        (["shapes-tiny", "--set", "model.variant=5"], "model.variant = 5: known: 1, 2, 3, 4"),
        (["shapes-tiny", "--set", "model.num_heads=3"], "[model]: hidden_size 32: give a multiple"),
        (
            ["shapes-tiny", "--set", "diffusion.schedule=squaredcos_cap_v2"],
            "diffusion.schedule = 'squaredcos_cap_v2': known: cosine, linear",
        ),
        (["shapes-tiny", "--set", "diffusion.num_steps=9"], "the linear schedule needs at least"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_two(run, tmp_path, arguments, sentence):
    done = run(*arguments, "--quiet")
    errors = done.stderr
    assert done.returncode == 2
    assert errors.startswith("error: ")
    assert sentence in errors
    assert errors.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("measure", "--evaluate measure: write MODULE:FUNCTION"),
        (
            "not_there:fvd",
            "cannot be imported (No module named 'not_there'): a module in",
        ),
        ("json:fvd", "cannot be imported (module 'json' has no attribute 'fvd')"),
        ("json:__name__", "--evaluate json:__name__: is not a function"),
    ],
)
def test_a_callback_that_cannot_be_called_is_named_before_anything_starts(
    run, tmp_path, name, sentence
):
    settings = ["--set", "output.evaluate_every=1"]
    done = run("shapes-tiny", *settings, "--evaluate", name)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_data_comes_from_the_environment(run, monkeypatch):
    monkeypatch.setenv("LATTE_DATA", "elsewhere")
    done = run("taichi-hd", "--quiet")
    assert done.returncode == 2
    assert "looked for elsewhere/taichi-hd" in done.stderr


def test_processes_of_one_machine_share_its_cores(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(12)), raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 64)  # those of the machine
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert default_workers() == 8
    for processes, workers in (("2", 6), ("4", 3), ("100", 1), ("0", 8)):
        monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)
        assert default_workers() == workers


def test_only_the_first_process_prints_the_result(run, small, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr("latte.training.run.train", lambda *arguments: "path")
    done = run("shapes-tiny", *small)
    assert (done.returncode, done.stdout) == (0, "")
