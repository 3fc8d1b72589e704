"""Commands in processes of torchrun and as jobs of Slurm."""

import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

from latte.data.errors import InputError
from latte.data.processes.cluster import Resources, SubmittedCommand, run_command, torchrun


def test_a_submitted_command_is_stopped_and_queued_again(tmp_path: Path) -> None:
    code = """
        import pathlib, signal, sys
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        pathlib.Path(sys.argv[1]).touch()
        signal.sigwait({signal.SIGTERM})
        pathlib.Path(sys.argv[1]).write_text("written")
    """
    state = tmp_path / "state"
    command = [sys.executable, "-c", textwrap.dedent(code), str(state)]
    submitted = SubmittedCommand(command)
    running = threading.Thread(target=submitted)
    running.start()
    while submitted.child is None or not state.exists():
        pass
    again = submitted.checkpoint()
    running.join()
    assert state.read_text(encoding="utf-8") == "written"
    assert again.function == SubmittedCommand(command)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_signal_at_the_start_of_a_submitted_command_stops_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    popen, started = subprocess.Popen, []

    def interrupted(*arguments: Any, **options: Any) -> Any:
        started.append(popen(*arguments, **options))
        signal.raise_signal(signal.SIGTERM)
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            SubmittedCommand([sys.executable, "-c", "import signal; signal.pause()"])()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert started[0].poll() == -signal.SIGTERM


def test_processes_of_several_nodes_meet_on_the_first_one(monkeypatch: pytest.MonkeyPatch) -> None:
    one = torchrun(Resources(gpus=4))
    assert one == ["torchrun", "--standalone", "--nproc_per_node=4", "-m", "latte"]
    several = Resources(executor="slurm", nodes=2, gpus=4)
    assert "--rdzv-endpoint=FIRST_NODE:PORT" in torchrun(several)  # outside of a job
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    monkeypatch.setenv("SLURM_JOB_ID", "1234")
    monkeypatch.setenv("SLURM_JOB_NODELIST", "node[07-08]")
    command = torchrun(several)
    assert command[0] == "srun"
    assert {"--nodes=2", "--ntasks-per-node=1", "--nnodes=2", "--nproc_per_node=4"} < set(command)
    assert "--standalone" not in command
    (endpoint,) = (part for part in command if part.startswith("--rdzv-endpoint="))
    assert endpoint.startswith("--rdzv-endpoint=node07:")
    assert torchrun(several) == command  # the same port in each of them
    monkeypatch.setenv("SLURM_JOB_ID", "1235")
    assert endpoint not in torchrun(several)


def test_commands_are_run_by_this_interpreter(tmp_path: Path) -> None:
    out = tmp_path / "python"
    code = "import sys; open(sys.argv[1], 'w').write(sys.executable)"
    run_command(["python", "-c", code, str(out)])
    assert out.read_text(encoding="utf-8") == sys.executable
    with pytest.raises(InputError, match=r"`python -c 'raise SystemExit\(3\)'` .*\b3\b"):
        run_command(["python", "-c", "raise SystemExit(3)"])


@pytest.mark.parametrize(
    "settings",
    [
        {"executor": "sge"},
        {"nodes": 2},
        {"slurm": ("partition=gpu",)},
        {"executor": "slurm", "slurm": ("partition",)},
    ],
)
def test_resources_that_make_no_sense_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(InputError, match="--"):
        Resources(**settings)
