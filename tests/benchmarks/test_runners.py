"""The registry of runners, and what is made from it or held against it."""

import configparser
import re
import tomllib
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest
from typer.main import get_command

from benchmarks.cli.app import REPRODUCE, app
from benchmarks.cli.options import OPTIONS, field_of
from benchmarks.runners import REPRODUCED, RUNNERS, SECTIONS, runners_table

ROOT = Path(__file__).parents[2]
COMMANDS = [*RUNNERS.values(), REPRODUCE]
NOT_RUNNERS = {"lowest", "lint", "types", "parity", "reproduce", "report"}


@pytest.mark.parametrize("runner", COMMANDS, ids=lambda runner: runner.name)
def test_an_entry_names_a_function_and_a_request_with_its_options(runner) -> None:
    assert callable(import_module(runner.module).run)
    given = {field_of(key) for key in runner.options} - {"out"}
    if runner.request:
        module, _, name = runner.request.partition(":")
        assert given <= {field.name for field in fields(getattr(import_module(module), name))}
    else:
        assert given <= {"scale"}  # counts accept it, and do not depend on it


def test_every_option_is_used_and_every_name_is_one_commands() -> None:
    used = {key for runner in COMMANDS for key in runner.options}
    assert used == set(OPTIONS)
    names = [name for runner in COMMANDS for name in (runner.name, runner.alias) if name]
    assert len(set(names)) == len(names)
    commands = get_command(app).commands
    assert set(commands) == {*names, "report", "cell"}
    assert {name for name, command in commands.items() if command.hidden} == {
        "cell",
        *(runner.alias for runner in COMMANDS if runner.alias),
    }


def test_the_report_has_a_section_for_each_part_of_the_paper() -> None:
    panels = {f"figure5{letter}" for letter in "abcdef"}
    figures = panels | {f"figure{number}" for number in (6, 7, 8)}
    tables = {f"table{number}" for number in range(1, 6)}
    of_paper = {runner.name for runner in SECTIONS if runner.shows}
    assert of_paper == tables | figures | {"intext"}
    run_together = {runner.name for runner in REPRODUCED if runner.shows}
    assert run_together == of_paper - panels | {"figure5"}


def test_tox_has_an_environment_for_each_runner_and_describes_all() -> None:
    tox = configparser.RawConfigParser()
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    environments = set()
    for section in tox.sections():
        if not section.startswith("testenv:"):
            continue
        names = section.removeprefix("testenv:").strip("{}").split(",")
        environments |= set(names)
        # tox reads `word: text` as a setting of the factor `word`.
        assert not re.match(r"[\w{}-]+( [\w{}-]+)?:", tox[section]["description"])
        if names[0] in RUNNERS:
            assert tox[section]["base"] == "run"
    assert environments == {*RUNNERS, *NOT_RUNNERS} - {"training"}
    passed = tox["run"]["pass_env"].split()
    assert {"LATTE_*", "NCCL_*", "SLURM_*"} <= set(passed)


def test_the_environment_of_the_oldest_releases_has_every_lower_bound() -> None:
    tox = configparser.RawConfigParser()
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    pins = tox["testenv:lowest"]["deps"].splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for dependency in project["dependencies"]:
        bound = dependency.partition(";")[0].replace(">=", "==")
        assert any(pin.partition(";")[0] in (bound, f"{bound}.*") for pin in pins), dependency


def test_the_readme_has_the_table_of_runners() -> None:
    assert runners_table() in (ROOT / "README.md").read_text(encoding="utf-8")
