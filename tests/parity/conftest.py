"""Comparisons with other packages: `tox -e parity` installs them and prints what was measured."""

import importlib.util
from collections.abc import Callable

import numpy as np
import pytest
import scipy.linalg
from tabulate import tabulate

CheckDifference = Callable[[str, str, float, float], None]
ROWS = pytest.StashKey[list[tuple[str, str, str, str]]]()
PEERS = ("cdfvd", "cleanfid", "diffusers", "prdc", "pytorch_fid", "sklearn", "torch_fidelity")

# The default environment lacks most of them.
if any(importlib.util.find_spec(name) is None for name in PEERS):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def check_difference(request) -> CheckDifference:
    """Note a difference for the table of docs/precision.md, and fail where it is too large."""

    def note(step: str, against: str, difference: float, limit: float) -> None:
        rows = request.config.stash.setdefault(ROWS, [])
        rows.append((step, against, f"{difference:.1e}", f"{limit:.0e}"))
        assert difference <= limit, f"{step} against {against}: {difference:.3g} > {limit:.3g}"

    return note


@pytest.fixture(autouse=True)
def sqrtm_with_disp(monkeypatch) -> None:
    """The peers call `sqrtm(…, disp=False)`, which SciPy 1.18 no longer knows."""
    original = scipy.linalg.sqrtm

    def sqrtm(matrix, disp=True, **options):
        root = original(matrix, **options)
        return root if disp else (root, np.nan)

    monkeypatch.setattr(scipy.linalg, "sqrtm", sqrtm)


def pytest_terminal_summary(terminalreporter, config) -> None:
    """The differences, as a table of docs/precision.md."""
    rows = sorted(config.stash.get(ROWS, []))
    if rows:
        headers = ["step", "against", "difference", "at most"]
        table = tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)
        terminalreporter.write_line(f"\n{table}\n")
