"""Commands as processes: stopped once and waited for, with why they failed."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from latte.data.errors import FAILURE_FILE, InputError
from latte.data.processes.children import Ended, run_child, run_children


def python(code: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code)]


def test_a_command_that_ends_well_says_what_it_says(capfd: pytest.CaptureFixture[str]) -> None:
    run_child(python("import sys; print('out'); print('50%\\rdone', file=sys.stderr)"))
    captured = capfd.readouterr()
    assert captured.out == "out\n"
    assert captured.err == "50%\rdone\n"


def test_a_command_that_fails_is_named_with_the_message_that_it_left(
    capfd: pytest.CaptureFixture[str],
) -> None:
    code = """
        import typer
        from latte.data.command_line import run_app
        from latte.data.errors import InputError

        def act():
            raise InputError("no such file: gibt’s nicht\\nin any folder")

        app = typer.Typer()
        app.command()(act)
        run_app(app, "latte")
    """
    message = "no such file: gibt’s nicht\nin any folder"
    with pytest.raises(InputError) as failed:
        run_child(python(code), ["latte", "train", "my run"])
    assert str(failed.value).startswith("`latte train 'my run'` ")
    assert str(failed.value).endswith(f" 2: {message}")
    assert capfd.readouterr().err == f"error: {message}\n"


def test_a_failure_that_cannot_be_read_is_none() -> None:
    code = f"""
        import os, pathlib
        pathlib.Path(os.environ["{FAILURE_FILE}"]).write_text("[")
    """
    assert run_children([python(code)]) == [Ended(code=0, error=None)]


def test_a_command_that_says_nothing_refers_to_what_is_above() -> None:
    with pytest.raises(InputError, match=r"`x` .*\b3\b"):
        run_child(python("import sys; sys.exit(3)"), ["x"])
    assert run_children([python("import os; os.kill(os.getpid(), 9)")])[0].code == -signal.SIGKILL


STOPPED = 5  # exit code; what comes on stdout may be in the buffer of the last line
PARENT = f"""
    import signal, sys
    from latte.data.processes.children import run_child

    def stop(signum, frame):
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):  # a shell in the background ignores them
        signal.signal(number, stop)
    try:
        run_child([sys.executable, "-c", sys.argv[1]])
    except KeyboardInterrupt:
        sys.exit({STOPPED})
"""
CHILD = """
    import hashlib, pathlib, signal
    asked = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, asked)
    print("started", flush=True)
    signal.sigwait(asked)
    for _ in range(300):  # a state takes a while to write
        hashlib.sha256(bytes(1_000_000))
    pathlib.Path("written").write_text(str(1 + len(signal.sigpending())))
"""


def parent_of(child: str, folder: Path) -> "subprocess.Popen[str]":
    """A process that runs this code as its child, which has started."""
    parent = subprocess.Popen(
        [*python(PARENT), textwrap.dedent(child)],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])},
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "started\n"
    return parent


@pytest.mark.parametrize("to_all", [False, True], ids=["kill", "Ctrl-C"])
def test_a_command_is_stopped_once_and_may_finish_writing(tmp_path: Path, to_all: bool) -> None:
    parent = parent_of(CHILD, tmp_path)
    if to_all:
        os.killpg(parent.pid, signal.SIGINT)
    else:
        parent.send_signal(signal.SIGTERM)
    parent.communicate(timeout=60)
    assert parent.returncode == STOPPED
    assert (tmp_path / "written").read_text() == "1"


STUBBORN = """
    import pathlib, signal
    asked = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, asked)
    print("started", flush=True)
    for number in range(ASKED):
        signal.sigwait(asked)
        print(f"asked {number + 1}", flush=True)
    while not BY_ITSELF:
        signal.pause()
"""


@pytest.mark.parametrize("by_itself", [True, False], ids=["ends at the second", "is killed"])
def test_who_asks_again_is_heard(tmp_path: Path, by_itself: bool) -> None:
    child = STUBBORN.replace("ASKED", "2").replace("BY_ITSELF", str(by_itself))
    parent = parent_of(child, tmp_path)
    assert parent.stdout is not None
    for number in (1, 2):
        parent.send_signal(signal.SIGTERM)
        assert parent.stdout.readline() == f"asked {number}\n"
    if not by_itself:
        parent.send_signal(signal.SIGTERM)
    parent.communicate(timeout=60)
    assert parent.returncode == STOPPED


def test_as_many_commands_run_at_a_time_as_there_are_places(tmp_path: Path) -> None:
    code = """
        import json, os, pathlib, sys, time
        place, name = os.environ["PLACE"], sys.argv[1]
        pathlib.Path(f"busy-{place}").mkdir()  # fails while another command has the place
        message = f"{name} on {place}"
        print(message, file=sys.stderr)
        pathlib.Path(os.environ["LATTE_FAILURE_FILE"]).write_text(json.dumps({"message": message}))
        time.sleep(0.2)
        pathlib.Path(f"busy-{place}").rmdir()
    """
    commands = [
        [*python(f"import os; os.chdir({str(tmp_path)!r})" + textwrap.dedent(code)), name]
        for name in "abcd"
    ]
    logs = [tmp_path / f"{name}.log" for name in "abcd"]
    ended = run_children(commands, [{"PLACE": "0"}, {"PLACE": "1"}], logs)
    assert [one.code for one in ended] == [0] * 4
    for name, log, one in zip("abcd", logs, ended, strict=True):
        assert one.error in (f"{name} on 0", f"{name} on 1")
        assert one.error in log.read_text(encoding="utf-8")


def test_a_command_that_cannot_be_started_stops_the_others(tmp_path: Path) -> None:
    waited = tmp_path / "waited"
    waits = python(f"import time; time.sleep(30); open({str(waited)!r}, 'w').close()")
    with pytest.raises(OSError, match="nowhere"):
        run_children([waits, [str(tmp_path / "nowhere")]], [{}, {}])
    assert not waited.exists()
