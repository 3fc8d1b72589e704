import shlex
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from benchmarks.cells.requirements import Requirement
from benchmarks.cli.app import app
from benchmarks.figures.designs import VARIANTS
from benchmarks.figures.paper.training import PaperTraining
from benchmarks.figures.requests import TrainingRequest
from benchmarks.reproduce import paper_scale
from benchmarks.reproduce import run as reproduce
from benchmarks.reproduce.paper_scale import requirements_of_runners, training_request
from benchmarks.reproduce.request import ReproduceRequest
from benchmarks.reproduce.run import runner_commands
from benchmarks.runners import REPRODUCED, RUNNERS
from latte.data.errors import FailedRunError, InputError
from latte.data.processes.children import Ended


def run(
    codes: dict[str, int], monkeypatch: pytest.MonkeyPatch, request: ReproduceRequest | None = None
) -> list[str]:
    """Names of the runners that were started, each ending with its code, or 0."""
    started = []

    def ended(commands: list[list[str]]) -> list[Ended]:
        (command,) = commands
        name = next(part for part in command if part in (*KNOWN, "report"))
        started.append(name)
        return [Ended(code=codes.get(name, 0), error=None)]

    monkeypatch.setattr(reproduce, "run_children", ended)
    try:
        reproduce.run(Path("results"), request or ReproduceRequest(scale="tiny"))
    finally:
        codes["started"] = len(started)
    return started


KNOWN = [runner.name for runner in REPRODUCED]


ALL_OPTIONS = ReproduceRequest(
    scale="paper",
    seeds=2,
    workers=1,
    only_available=True,
    data_root=Path("sets"),
    checkpoints=Path("models"),
    vae="some/vae",
    initialise_from=Path("dit.pt"),
    executor="slurm",
    nodes=2,
    gpus=4,
    slurm=("partition=gpu", "time=2-0"),
    vbench=("a=a.json", "b.json"),
)


@pytest.mark.parametrize(
    "request_",
    [
        ReproduceRequest(scale="tiny", seeds=2, workers=1),
        ReproduceRequest(scale="small", seeds=2, workers=1),
        ReproduceRequest(scale="paper", seeds=2, workers=1),
        ALL_OPTIONS,
    ],
)
def test_every_runner_takes_the_options_that_it_is_given(request_, tmp_path):
    commands = runner_commands(tmp_path, request_)
    group = get_command(app)
    context = typer.Context(group)
    for name, options in commands:
        command = group.get_command(context, name)
        assert command.make_context(name, list(options)).params  # an unknown option raises


def test_every_runner_is_handed_what_it_takes(tmp_path):
    given = {name: shlex.join(options) for name, options in runner_commands(tmp_path, ALL_OPTIONS)}
    for name in ("table3", "table5"):
        assert "--checkpoints models --data-root sets --vae some/vae" in given[name]
        assert "--executor slurm --slurm partition=gpu --slurm time=2-0 --only" in given[name]
    for name in ("figure5", "figure7", "intext"):
        options = "--vae some/vae --executor slurm --nodes 2 --gpus 4 --slurm partition=gpu "
        assert "--data-root sets --initialise-from dit.pt" in given[name]
        assert f"{options}--slurm time=2-0 --only-available" in given[name]
    for name in ("figure6", "figure8"):
        assert given[name].endswith("--data-root sets --vae some/vae")
    assert given["table4"].endswith("--results a=a.json --results b.json")


@pytest.fixture
def nothing_here(tmp_path, monkeypatch):
    """A machine without data sets, weights and GPUs."""
    monkeypatch.setenv("LATTE_WEIGHTS", str(tmp_path))
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    return ReproduceRequest(
        scale="paper", data_root=tmp_path, checkpoints=tmp_path, vae=str(tmp_path)
    )


def test_all_that_any_runner_lacks_is_said_before_anything_starts(nothing_here, monkeypatch):
    codes = {}
    with pytest.raises(InputError) as refused:
        run(codes, monkeypatch, nothing_here)
    assert codes["started"] == 0
    message = str(refused.value)
    assert "--only-available" in message
    for name in (
        "data set ucf101",  # tables 3 and 5 need it
        "data set faceforensics",  # both tables and figures need it
        "weights of Latte for taichi-hd",
        "weights of the network c3d",
        "weights of the network inception",
        "a results file of VBench",
        "DiT-XL/2's weights",
        "8 GPUs",
    ):
        assert message.count(f"\n  - {name}: ") == 1


def test_what_is_here_is_run_and_what_is_left_out_is_said(
    nothing_here, tmp_path, monkeypatch, caplog
):
    caplog.set_level("INFO")
    some = {"only_available": True, "vbench": (str(tmp_path / "m_eval_results.json"),)}
    (tmp_path / "m_eval_results.json").write_text(
        '{"scene": [0.5, [{"video_path": "a-0.mp4", "video_results": 0.5}]]}', encoding="utf-8"
    )
    request = ReproduceRequest(**{**vars(nothing_here), **some})
    figures = {"figure5", "figure6", "figure7", "figure8", "intext"}
    started = run({}, monkeypatch, request)
    assert set(KNOWN) - set(started) == {"table3", "table5", *figures}
    cost, left_out, *progress = caplog.messages
    assert len(progress) == len(started)
    assert "3,200,000 steps in 16 of 16 trainings" in cost
    assert all(name in left_out for name in ("table3", "table5", *figures))
    assert "\n  - data set faceforensics: " in left_out
    # What trains figures is here: they are run, each for what it can show.
    here = Requirement(name="all", met=True, advice="")
    monkeypatch.setattr(
        paper_scale,
        "requirements_of_designs",
        lambda designs, _: {each: [here] for each in designs},
    )
    assert figures < set(run({}, monkeypatch, request))


def test_trained_networks_are_looked_into_where_none_could_be_trained(nothing_here, tmp_path):
    def names(figure: str) -> set[str]:
        request = training_request(tmp_path / "results", nothing_here)
        needed = requirements_of_runners(request, nothing_here)
        (part,) = needed[figure]
        return {each.name for each in part}

    to_train = {"8 GPUs", "weights of the network i3d"}
    assert to_train < names("figure6")
    trainings = TrainingRequest(
        scale="paper", cells=tmp_path / "results" / "trainings-paper", vae=str(tmp_path)
    )
    for seed in range(trainings.num_seeds):
        assert to_train < names("figure6")
        weights = PaperTraining(design=VARIANTS[2], seed=seed, request=trainings).weights
        weights.parent.mkdir(parents=True)
        weights.touch()
    assert names("figure6") == {
        *(f"a trained network of variant 2, seed {seed}" for seed in range(trainings.num_seeds)),
        "data set faceforensics",
        "the package diffusers",
        f"the autoencoder {tmp_path}",
        "a GPU",
    }
    assert to_train < names("figure8")  # its networks are of another variant


def test_the_report_comes_last_and_every_runner_once(monkeypatch):
    started = run({}, monkeypatch)
    assert started[-1] == "report"
    assert sorted(started[:-1]) == sorted(KNOWN)


@pytest.mark.parametrize(
    ("codes", "fixable", "names"),
    [
        ({"table3": 2, "figure7": 2}, True, "table3, figure7 failed"),
        ({"table3": 2, "figure7": 1}, False, "table3, figure7 failed"),
        ({"figure5": -9}, False, "figure5 failed"),
    ],
)
def test_a_runner_that_fails_costs_no_other_and_fails_the_run_at_the_end(
    codes, fixable, names, monkeypatch
):
    with pytest.raises(FailedRunError, match=names) as ended:
        run(codes, monkeypatch)
    assert codes["started"] == len(KNOWN) + 1
    assert ended.value.fixable == fixable


def test_scales_do_not_mix(tmp_path):
    def folders(scale):
        commands = runner_commands(tmp_path, ReproduceRequest(scale=scale))
        return {
            options[options.index("--out") + 1]
            for name, options in commands
            if name in RUNNERS and RUNNERS[name].scales
        }

    assert not folders("tiny") & folders("small")
