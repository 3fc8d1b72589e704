import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from typer.main import get_command

from benchmarks import reproduce
from benchmarks.cli import app
from latte.data.errors import InputError


def run(codes: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the runners that were started, each ending with its code, or 0."""
    started = []

    def ended(command: list[str], **_: object) -> SimpleNamespace:
        name = next(part for part in command if part in (*KNOWN, "report"))
        started.append(name)
        return SimpleNamespace(returncode=codes.get(name, 0))

    monkeypatch.setattr(subprocess, "run", ended)
    try:
        reproduce.run(Path("results"), scale="tiny", seeds=3, workers=None, only_available=False)
    finally:
        codes["started"] = len(started)
    return started


KNOWN = (*reproduce.OF_THE_PAPER, *reproduce.OF_THE_MEASURES, *reproduce.WITHOUT_OPTIONS)


@pytest.mark.parametrize("scale", ["tiny", "small", "paper"])
def test_every_runner_takes_the_options_that_it_is_given(scale, tmp_path):
    commands = reproduce.runner_commands(
        tmp_path, scale=scale, seeds=2, workers=1, only_available=scale == "paper"
    )
    group = get_command(app)
    context = typer.Context(group)
    for name, options in commands:
        command = group.get_command(context, name)
        assert command.make_context(name, list(options)).params  # an unknown option raises


def test_the_report_comes_last_and_every_runner_once(monkeypatch):
    started = run({}, monkeypatch)
    assert started[-1] == "report"
    assert sorted(started[:-1]) == sorted(KNOWN)


@pytest.mark.parametrize(
    ("codes", "error", "names"),
    [
        ({"table3": 2, "figure7": 2}, InputError, "table3, figure7 ended early"),
        ({"table3": 2, "figure7": 1}, typer.Exit, "table3, figure7 ended early"),
        ({"figure5": -9}, typer.Exit, "figure5 ended early"),
    ],
)
def test_a_runner_that_fails_costs_no_other_and_fails_the_run_at_the_end(
    codes, error, names, monkeypatch, capsys
):
    with pytest.raises(error) as ended:
        run(codes, monkeypatch)
    assert codes["started"] == len(KNOWN) + 1
    assert names in str(ended.value) + capsys.readouterr().err


def test_scales_do_not_mix(tmp_path):
    def folders(scale):
        commands = reproduce.runner_commands(
            tmp_path, scale=scale, seeds=3, workers=None, only_available=False
        )
        return {
            options[options.index("--out") + 1]
            for name, options in commands
            if name in reproduce.OF_THE_PAPER
        }

    assert not folders("tiny") & folders("small")
