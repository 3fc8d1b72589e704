"""Command lines in this process, and numbers made by a formula: the same on every machine."""

import signal
import sys
import zlib
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

PROGRAMS = {"latte": "latte", "latte-eval": "evaluation", "latte-bench": "benchmarks"}


@pytest.fixture(scope="session", autouse=True)
def remembered_choices(tmp_path_factory):
    """What is remembered of networks is not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATTE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run_cli(monkeypatch, capsys):
    """Run a command line in this process: quicker than a new one for each of many cases."""
    handler = signal.getsignal(signal.SIGTERM)

    def run(program: str, *arguments: object, cwd: Path | None = None, **environment: str) -> Done:
        main = import_module(f"{PROGRAMS[program]}.cli.app").main
        if cwd is not None:
            monkeypatch.chdir(cwd)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", [program, *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    yield run
    signal.signal(signal.SIGTERM, handler)


def formula_uniform(name, shape, seed=0):
    """Numbers in [-1, 1) that depend on a name and a place alone: frac(sin(a i + s) b)."""
    start = zlib.crc32(name.encode()) % 10007 * 0.01 + seed
    waves = np.sin(np.arange(np.prod(shape, dtype=int)) * 12.9898 + start) * 43758.5453
    return ((waves % 1) * 2 - 1).reshape(shape)


def formula_weight(name, shape):
    """A tensor that keeps activations in range: He variance for matrices, near 1 for scales."""
    import torch  # tests of reports run without it

    uniform = formula_uniform(name, shape)
    if name.endswith("running_var"):
        values = 1 + 0.3 * uniform
    elif len(shape) >= 2:
        values = uniform * np.sqrt(6 / np.prod(shape[1:]))
    elif name.endswith(".weight"):
        values = 1 + 0.1 * uniform
    else:
        values = 0.1 * uniform
    return torch.from_numpy(values.astype(np.float32))


def formula_clips(count, frames, height, width, seed=0):
    """uint8 (count, frames, height, width, 3): waves that move."""
    n, t, y, x, c = np.ogrid[:count, :frames, :height, :width, :3]
    waves = np.sin(0.11 * x * (c + 1) + 0.07 * y * (1 + n) + 0.3 * t + seed + n)
    return np.floor(127.5 + 127.5 * waves).astype(np.uint8)


@pytest.fixture(scope="session")
def make_clips():
    """`formula_clips` itself, for tests that make sets of their own."""
    return formula_clips


@pytest.fixture(scope="session")
def uniform():
    """`formula_uniform` itself."""
    return formula_uniform


@pytest.fixture(scope="session")
def weight():
    """`formula_weight` itself."""
    return formula_weight
