"""Processes of torchrun, by what it sets."""

import os
import signal
import subprocess
import sys

import pytest

from latte.data.errors import InputError
from latte.data.processes.rank import PARENT, Process, meeting_place, this_process


def test_without_torchrun_there_is_one_process():
    assert this_process({}) == Process(rank=0, world=1, local_rank=0)


def test_what_torchrun_sets_is_read():
    environment = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}
    assert this_process(environment) == Process(rank=5, world=8, local_rank=1)


@pytest.mark.parametrize(
    "environment", [{"RANK": "2", "WORLD_SIZE": "2"}, {"RANK": "one"}, {"WORLD_SIZE": "0"}]
)
def test_what_torchrun_does_not_set_is_refused(environment):
    with pytest.raises(InputError, match="torchrun"):
        this_process(environment)


@pytest.mark.parametrize("world", [1, 2, 3, 8])
def test_shares_are_all_samples_once(world):
    shares = [list(Process(rank=rank, world=world).share(range(3, 10))) for rank in range(world)]
    assert sorted(index for share in shares for index in share) == list(range(3, 10))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_processes_that_are_started_again_find_nothing_of_those_before(monkeypatch):
    from torch.distributed import TCPStore

    torchrun = TCPStore("localhost", 0, is_master=True)
    environment = {"RANK": 0, "WORLD_SIZE": 1, "LOCAL_WORLD_SIZE": 1, "MASTER_ADDR": "localhost"}
    environment |= {"MASTER_PORT": torchrun.port, "TORCHELASTIC_USE_AGENT_STORE": True}
    for name, value in environment.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "0")
    meeting_place(this_process()).set("address", "of a killed process")
    assert meeting_place(this_process()).check(["address"])
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert not meeting_place(this_process()).check(["address"])


BOUND = """
import threading
from latte.data.processes.rank import end_with_parent
end_with_parent()
print("begun", flush=True)
threading.Event().wait()
"""
PARENT_OF_IT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE)
child.stdout.readline()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_process_ends_with_the_one_that_started_it():
    command = [sys.executable, "-c", PARENT_OF_IT, BOUND]
    # The child has the other end of stderr: its end is awaited.
    done = subprocess.run(command, stderr=subprocess.PIPE, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_process_ends_where_the_one_that_started_it_has_ended_before():
    with subprocess.Popen([sys.executable, "-c", ""]) as parent:
        parent.wait()
    environment = {**os.environ, PARENT: str(parent.pid)}
    done = subprocess.run([sys.executable, "-c", BOUND], env=environment, check=False, timeout=60)
    assert done.returncode == -signal.SIGTERM
