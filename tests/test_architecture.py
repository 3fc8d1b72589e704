"""Data flows one way: latte.data ← evaluation ← benchmarks → latte; reports imports none."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "latte": {"latte"},
    "evaluation": {"evaluation", "latte"},
    "reports": {"reports"},
    "benchmarks": {"benchmarks", "latte", "evaluation", "reports"},
}
# `--checkpoint` alone samples before it measures, or looks into a model.
REACHES_THE_GENERATOR = ("latte.data", "latte.sampling", "latte.model")
DRAWS = ROOT / "evaluation" / "similarity" / "plots.py"  # `latte-eval similarity --plots`
HEAVY = {"torch", "numpy", "scipy", "pandas", "matplotlib", "decord", "av", "PIL", "safetensors"}


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_each_room_imports_only_what_it_may(room):
    files = list((ROOT / room).rglob("*.py"))
    assert files
    for path in files:
        for name in imports(path):
            other = name.split(".")[0]
            if other in MAY_IMPORT and not (path == DRAWS and other == "reports"):
                assert other in MAY_IMPORT[room], f"{path} imports {name}"
            if room == "evaluation" and other == "latte":
                allowed = REACHES_THE_GENERATOR if path.stem == "generated" else ("latte.data",)
                assert name.startswith(allowed), f"{path} imports {name}"


@pytest.mark.parametrize("module", ["latte.cli.app", "evaluation.cli.app", "benchmarks.cli.app"])
def test_a_command_line_starts_without_anything_heavy(module):
    code = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    loaded = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert HEAVY & set(loaded.stdout.split()) == set()
