"""Commands as processes: stopped once and waited for, with what they said."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from benchmarks.cells.processes import child_ended, run_child
from latte.data.errors import InputError


def python(code: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code)]


def test_a_command_that_ends_well_says_what_it_says(capfd: pytest.CaptureFixture[str]) -> None:
    run_child(python("import sys; print('out'); print('50%\\rdone', file=sys.stderr)"))
    captured = capfd.readouterr()
    assert captured.out == "out\n"
    assert captured.err == "50%\rdone\n"


def test_a_command_that_fails_is_named_with_its_last_error() -> None:
    code = """
        import sys
        print("error: the first thing", file=sys.stderr)
        print(" 10%|#\\rerror: no such file: gibt’s nicht", file=sys.stderr)
        print("Traceback of a launcher", file=sys.stderr)
        sys.exit(2)
    """
    with pytest.raises(InputError) as failed:
        run_child(python(code), ["latte", "train", "my run"])
    assert str(failed.value) == (
        "`latte train 'my run'` ended with code 2: no such file: gibt’s nicht"
    )


def test_a_command_that_says_nothing_refers_to_what_is_above() -> None:
    with pytest.raises(InputError, match="ended with code 3: its own message is above"):
        run_child(python("import sys; sys.exit(3)"), ["x"])
    assert child_ended(python("import os; os.kill(os.getpid(), 9)")).code == -signal.SIGKILL


PARENT = """
    import signal, sys
    from benchmarks.cells.processes import run_child

    def stop(signum, frame):
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):  # which a shell in the background ignores
        signal.signal(number, stop)
    try:
        run_child([sys.executable, "-c", sys.argv[1]])
    except KeyboardInterrupt:
        print("stopped", flush=True)
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
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
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
    assert parent.communicate(timeout=60)[0] == "stopped\n"
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
    assert parent.communicate(timeout=60)[0] == "stopped\n"
