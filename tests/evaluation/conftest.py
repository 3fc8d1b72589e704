"""`latte-eval` in this process, on small sets of the embedded data set."""

import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from evaluation.cli.app import main
from latte.data.shapes import shapes_clips


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def latte_eval(monkeypatch, capsys):
    """Run the command line in this process: quicker than a new one for each of many cases."""
    handler = signal.getsignal(signal.SIGTERM)

    def run(*arguments, cwd: Path, **environment: str) -> Done:
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", ["latte-eval", *map(str, arguments)])
        for name, value in ({"LATTE_STORE": str(cwd / "store")} | environment).items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    yield run
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture(scope="module")
def sets(tmp_path_factory) -> Path:
    """Two draws of 24 clips of the embedded data set, and one that is frozen, as arrays."""
    folder = tmp_path_factory.mktemp("sets")
    clips = shapes_clips("test", range(48))
    np.save(folder / "real.npy", clips[:24])
    np.save(folder / "good.npy", clips[24:])
    np.save(folder / "frozen.npy", np.repeat(clips[24:, :1], 16, axis=1))
    return folder


@pytest.fixture
def fvd(sets, latte_eval):
    def run(*arguments, **environment):
        command = ["fvd", "--real", "real.npy", "--network", "shapes", "--workers", 0]
        return latte_eval(*command, *arguments, cwd=sets, **environment)

    return run
