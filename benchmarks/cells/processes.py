"""Commands that a run carries out as processes of their own: how they stop, what they say."""

import os
import shlex
import signal
import subprocess
import sys
from codecs import getincrementaldecoder
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import IO

from latte.data.errors import InputError

# Time for the processes of torchrun to write what they have: the state of a large model takes a
# while, and after half a minute torchrun would end them. Seconds, as text for the environment.
PATIENCE: Mapping[str, str] = {"TORCH_ELASTIC_SHUTDOWN_TIMEOUT": "600"}
ERROR = "error: "
LAST_TIME = 3
LAST_WORDS = 10  # seconds: somebody else may hold the stream open


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    error: str | None  # its last "error:" line


def run_child(command: Sequence[str], shown: Sequence[str] | None = None) -> None:
    """Run a command to its end; see `child_ended`.

    Args:
        command: program and options.
        shown: the command for a reader, if it is another.

    Raises:
        InputError: it ended with another code than 0; the sentence has its last "error:" line.
        KeyboardInterrupt: this process was stopped; the command has ended.
    """
    ended = child_ended(command)
    if ended.code:
        raise InputError(
            f"`{shlex.join(shown or command)}` ended with code {ended.code}: "
            f"{ended.error or 'its own message is above'}"
        )


def child_ended(command: Sequence[str]) -> Ended:
    """Run a command to its end, whatever that is; what it says passes through.

    It is stopped with this process, politely, and waited for: nothing that it started is left
    working. It has a session of its own, so that Ctrl-C reaches it once and not twice. Who asks
    again has that passed on, which trainings take as "at once"; a third time ends it.

    Raises:
        KeyboardInterrupt: this process was stopped; the command has ended.
    """
    child = subprocess.Popen(
        command, stderr=subprocess.PIPE, start_new_session=True, env={**PATIENCE, **os.environ}
    )
    assert child.stderr is not None
    said: list[str] = []
    reader = Thread(target=_repeat, args=(child.stderr, said), daemon=True)
    reader.start()
    asked = 0
    while True:
        try:
            code = child.wait()
            break
        except KeyboardInterrupt:
            asked += 1
            with suppress(ProcessLookupError):
                child.terminate() if asked < LAST_TIME else os.killpg(child.pid, signal.SIGKILL)
    reader.join(LAST_WORDS)
    if asked:
        raise KeyboardInterrupt
    return Ended(code=code, error=said[-1] if said else None)


def _repeat(stream: IO[bytes], said: list[str]) -> None:
    """Pass on what a command says as it comes, progress bars included; keep its errors."""
    line = ""
    decoder = getincrementaldecoder("utf-8")(errors="replace")
    with stream:
        while chunk := os.read(stream.fileno(), 65536):
            text = decoder.decode(chunk)
            sys.stderr.write(text)
            sys.stderr.flush()
            *lines, line = (line + text).replace("\r", "\n").split("\n")
            said += [each.removeprefix(ERROR) for each in lines if each.startswith(ERROR)]
    if line.startswith(ERROR):
        said.append(line.removeprefix(ERROR))
