"""How a command ends, and where its notes go."""

import errno
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

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


def command_that(action, first="pass"):
    """A command that does `action` in a process of its own."""
    code = (
        "import os, signal, sys, threading\n"
        "from latte.data import command_line\n"
        f"{first}\n"
        "def act():\n"
        f"    {action}\n"
        "app = command_line.new_app('latte', 'Under test.')\n"
        "app.command('act')(act)\n"
        "app.command('other')(lambda: None)\n"
        "command_line.run_app(app, 'latte')"
    )
    return [sys.executable, "-c", code, "act"]


def act_with_output_to(pipe, action):
    """Its exit code and stderr."""
    command = command_that(action)
    done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a closed pipe is another error there")
@pytest.mark.parametrize("length", [1, 100_000])  # written at the end, and during the command
def test_a_reader_that_goes_away_is_no_error(length):
    reading, writing = os.pipe()
    os.close(reading)
    assert act_with_output_to(writing, f"print('x' * {length})") == (0, "")
    os.close(writing)


@pytest.mark.skipif(sys.platform == "win32", reason="a closed pipe is another error there")
def test_a_command_whose_notes_nobody_reads_is_interrupted():
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        command_that("print('note', file=sys.stderr, flush=True); print('result')"),
        stdout=subprocess.PIPE,
        stderr=writing,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stdout) == (2, b"")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell of POSIX")
@pytest.mark.parametrize(
    ("closed", "out", "err"),
    [("2>&-", "result\n", ""), (">&-", "", "note\n"), ("<&- >&- 2>&-", "", "")],
)
def test_closed_streams_are_as_good_as_none(closed, out, err, tmp_path):
    # A file that is opened meanwhile gets nothing of what goes to the stream.
    action = (
        "file = open('results', 'w'); print('result'); print('note', file=sys.stderr); "
        "os.write(2, b''); file.write('kept')"
    )
    done = subprocess.run(
        ["sh", "-c", f'"$@" {closed}', "sh", *command_that(action)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, out, err)
    assert (tmp_path / "results").read_text() == "kept"


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="a device of Linux")
def test_output_on_a_full_disk_is_one_sentence():
    with FULL.open("w") as full:
        code, errors = act_with_output_to(full, "print('result')")
    assert code == 2
    assert errors.count("\n") == 1
    assert "no space left" in errors


INTERRUPTED = "Interrupted. Run the same command again to resume.\n"
# The signals of a terminal, of torchrun and of the end of a connection may come together.
IN_A_FINALLY = (
    "try: signal.raise_signal(signal.{0})\n"
    "    finally: signal.raise_signal(signal.{0}); open('tidy', 'w').close()"
)
IN_A_LIBRARY = (
    "threading.Timer(0, lambda: os.kill(os.getpid(), signal.{0})).start(); "
    # It handles no signal before it is done, which it never is.
    "import ctypes; ctypes.CDLL(None).sem_wait(ctypes.create_string_buffer(64))"
)
IN_A_THREAD = (
    "from concurrent.futures import ThreadPoolExecutor as Pool\n"
    "    with Pool(1) as pool: pool.submit(threading.Event().wait); "
    "signal.raise_signal(signal.{0})"
)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("action", [IN_A_FINALLY, IN_A_LIBRARY, IN_A_THREAD])
def test_a_signal_ends_a_command_wherever_it_is(name, action, tmp_path):
    # Who starts the tests by nohup, or in the background of a shell, has them ignore some.
    first = (
        f"signal.signal(signal.{name}, signal.default_int_handler); "
        f"command_line.PATIENCE = {60 if action == IN_A_FINALLY else 0.1}"
    )
    done = subprocess.run(
        command_that(action.format(name), first),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", INTERRUPTED)
    assert (tmp_path / "tidy").exists() == (action == IN_A_FINALLY)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_signal_at_the_end_of_a_command_is_too_late():
    action = (
        "threading.Thread(target=lambda: (threading.main_thread().join(), "
        "os.kill(os.getpid(), signal.SIGTERM))).start()"
    )
    done = subprocess.run(command_that(action), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_end_of_a_command_looks_for_no_garbage():
    frozen = "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 0))"
    done = subprocess.run(command_that("pass", frozen), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "True\n")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_process_of_torchrun_ends_with_it():
    starter = (
        "import subprocess, sys\n"
        "child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()"
    )
    command = command_that("print('begun', flush=True); threading.Event().wait()")
    done = subprocess.run(
        [sys.executable, "-c", starter, *command],
        env={**os.environ, "TORCHELASTIC_RUN_ID": "1"},
        stderr=subprocess.PIPE,  # the child has it, too: its end is awaited
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, INTERRUPTED)


def test_another_broken_pipe_is_a_fault():
    code, errors = act_with_output_to(subprocess.PIPE, "raise BrokenPipeError(32, 'to a worker')")
    assert code == 1
    assert "to a worker" in errors
