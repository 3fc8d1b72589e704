"""How a command ends, and where its notes go."""

import errno
import json
import logging
import os
import subprocess
import sys

import pytest
import typer

from latte.data.command_line import new_app, run_app
from latte.data.errors import FAILURE_FILE, InputError


@pytest.fixture
def end(monkeypatch, capsys):
    """Run a command line whose one command does what is given: exit code, stdout, stderr."""

    def run(action):
        app = new_app("latte", "Under test.")
        app.command("act")(lambda: action())
        app.command("other")(lambda: None)
        monkeypatch.setattr(sys, "argv", ["latte", "act"])
        monkeypatch.setattr("signal.signal", lambda *_: None)
        with pytest.raises(SystemExit) as ended:
            run_app(app, "latte")
        return ended.value.code, *capsys.readouterr()

    return run


def test_notes_are_on_stderr_and_the_result_on_stdout(end):
    def act():
        logging.getLogger("latte.somewhere").warning("%d clips are missing", 3)
        logging.getLogger("evaluation.elsewhere").info("half way")
        logging.getLogger("elsewhere").info("not ours")
        typer.echo("1.5")

    assert end(act) == (0, "1.5\n", "note: 3 clips are missing\nnote: half way\n")


def test_nothing_of_the_handler_is_left_behind(end):
    logger = logging.getLogger("latte")
    before = logger.level, list(logger.handlers)
    end(lambda: None)
    assert (logger.level, logger.handlers) == before


def raising(error):
    def act():
        raise error

    return act


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (InputError("a.toml: steps = 0: give at least 1"), "a.toml: steps = 0: give at least 1"),
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "x.md"),
            "x.md: no space left on device: free some space",
        ),
        (OSError(errno.EACCES, os.strerror(errno.EACCES), "x.md"), "x.md: permission denied"),
    ],
)
def test_what_the_user_can_fix_is_one_sentence(end, error, message, tmp_path, monkeypatch):
    monkeypatch.setenv(FAILURE_FILE, str(tmp_path / "failure.json"))
    code, out, errors = end(raising(error))
    assert (code, out, errors.count("\n")) == (2, "", 1)
    assert errors.startswith(f"error: {message}")
    left = json.loads((tmp_path / "failure.json").read_text(encoding="utf-8"))
    assert errors == f"error: {left['message']}\n"


def test_an_interruption_says_how_to_resume(end):
    code, _, errors = end(raising(KeyboardInterrupt()))
    assert (code, errors.strip()) == (2, "Interrupted. Run the same command again to resume.")


@pytest.mark.parametrize("error", [ValueError("ours"), OSError(errno.EIO, "broken disk")])
def test_a_fault_of_ours_keeps_its_traceback(end, error):
    with pytest.raises(type(error)):
        end(raising(error))


def act_with_output_to(pipe, action):
    """Run a command that does `action` in a process of its own: its exit code and stderr."""
    code = (
        "from latte.data.command_line import new_app, run_app\n"
        "def act():\n"
        f"    {action}\n"
        "app = new_app('latte', 'Under test.')\n"
        "app.command('act')(act)\n"
        "app.command('other')(lambda: None)\n"
        "run_app(app, 'latte')"
    )
    command = [sys.executable, "-c", code, "act"]
    done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a closed pipe is another error there")
@pytest.mark.parametrize("length", [1, 100_000])  # written at the end, and during the command
def test_a_reader_that_goes_away_is_no_error(length):
    reading, writing = os.pipe()
    os.close(reading)
    assert act_with_output_to(writing, f"print('x' * {length})") == (0, "")
    os.close(writing)


def test_another_broken_pipe_is_a_fault():
    code, errors = act_with_output_to(subprocess.PIPE, "raise BrokenPipeError(32, 'to a worker')")
    assert code == 1
    assert "to a worker" in errors
