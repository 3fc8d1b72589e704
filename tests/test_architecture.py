"""The architecture: who may import whom, no circles, and limits that keep files easy to read."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("latte", "evaluation", "benchmarks", "reports")
MAY_IMPORT = {
    "latte": {"latte"},
    "evaluation": {"evaluation", "latte", "reports"},
    "reports": {"reports"},
    "benchmarks": {"benchmarks", "latte", "evaluation", "reports"},
}
# Rooms from the lowest to the highest: a room imports itself and lower ones.
ROOMS = {
    "latte": (
        *("data", "config", "diffusion", "model", "autoencoder"),
        *("sampling", "training", "cli"),
    ),
    "evaluation": (
        *("protocol", "metrics", "networks", "results", "statistics", "features", "uncertainty"),
        *("similarity", "catalogue", "measuring", "comparison", "cli"),
    ),
    "benchmarks": (
        *("cells", "runners", "documents", "shapes", "demo", "studies", "figures", "tables"),
        *("reproduce", "cli"),
    ),
    "reports": (),
}
# With `--checkpoint`, one module samples before it measures, and one looks into a model.
REACH_THE_GENERATOR = ("evaluation.generated", "evaluation.similarity.hidden_states.checkpoint")
OF_THE_GENERATOR = ("latte.data", "latte.sampling", "latte.model")
HEAVY = {"torch", "numpy", "scipy", "pandas", "matplotlib", "av", "PIL", "safetensors"}
MAX_LINES = 350
MAX_PARAMETERS = 8
PUBLIC_API = ("evaluation", "measure")  # the signature that users type


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the packages by its dotted name, parsed."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imported_names(tree: ast.AST) -> Iterator[str]:
    """What a module imports, inside functions as well; not what type checkers alone see."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            yield from imported_names(node)


def module_of(name: str) -> str | None:
    """The module of ours that a dotted name leads to: itself, or the one that defines it."""
    while name:
        if name in modules():
            return name
        name = name.rpartition(".")[0]
    return None


@cache
def graph() -> dict[str, set[str]]:
    """The modules of ours that each module imports."""
    edges = {}
    for name, tree in modules().items():
        targets = {module_of(imported) for imported in imported_names(tree)}
        edges[name] = {target for target in targets if target is not None} - {name}
    return edges


def test_there_is_no_circle_of_imports():
    circle = []
    try:
        TopologicalSorter(graph()).prepare()
    except CycleError as error:
        circle = error.args[1]
    assert circle == []


def imports_in(package: str) -> list[tuple[str, str]]:
    """(module, a module of ours that it imports) for each module of a package."""
    return [
        (name, target)
        for name, targets in graph().items()
        if name.split(".")[0] == package
        for target in targets
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_imports_only_what_it_may(package):
    for name, target in imports_in(package):
        assert target.split(".")[0] in MAY_IMPORT[package], f"{name} imports {target}"
        if package == "evaluation" and target.split(".")[0] == "latte":
            allowed = OF_THE_GENERATOR if name in REACH_THE_GENERATOR else ("latte.data",)
            assert target.startswith(allowed), f"{name} imports {target}"


@pytest.mark.parametrize("package", [package for package in PACKAGES if ROOMS[package]])
def test_each_room_imports_only_lower_rooms(package):
    place = {f"{package}.{room}": number for number, room in enumerate(ROOMS[package])}
    for name, target in imports_in(package):
        here, there = (".".join(module.split(".")[:2]) for module in (name, target))
        if here in place and there in place:
            assert place[there] <= place[here], (
                f"{name} imports {target}, which is of a higher room"
            )


@pytest.mark.parametrize(
    "module", ["evaluation", "latte.cli.app", "evaluation.cli.app", "benchmarks.cli.app"]
)
def test_the_public_api_and_command_lines_start_without_anything_heavy(module):
    code = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    loaded = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert HEAVY & set(loaded.stdout.split()) == set()


def test_tests_of_reports_do_without_torch():
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['torch', 'torchvision', 'av'])); "
        "import pytest; sys.exit(pytest.main(['--collect-only', '-qq', 'tests/reports']))"
    )
    collected = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert collected.returncode == 0, collected.stdout


def test_only_command_lines_know_typer():
    knowing = [
        name
        for name, tree in modules().items()
        if any(imported.split(".")[0] == "typer" for imported in imported_names(tree))
    ]
    assert [name for name in knowing if name.split(".")[1] != "cli"] == [
        "latte.data.command_line"  # what the command lines share
    ]


def test_the_benchmarks_have_few_entries_at_their_top():
    entries = {path.name for path in (ROOT / "benchmarks").iterdir()} - {"__pycache__"}
    assert len(entries) <= 12, sorted(entries)


def test_no_file_is_long():
    for folder in (*PACKAGES, "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            lines = len(path.read_text(encoding="utf-8").splitlines())
            assert lines <= MAX_LINES, f"{path.relative_to(ROOT)} has {lines} lines"


def test_no_function_takes_many_parameters():
    for name, tree in modules().items():
        if name.split(".")[1:2] == ["cli"]:
            continue  # the signature of a command is its list of options
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                count = len(node.args.posonlyargs + node.args.args + node.args.kwonlyargs)
                public_api = (name.split(".")[0], node.name) == PUBLIC_API
                assert count <= MAX_PARAMETERS or public_api, f"{name}.{node.name}: {count}"


def private(name: str) -> bool:
    """Whether a part of a dotted name is private."""
    return any(x.startswith("_") and not x.startswith("__") for x in name.split("."))


def test_tests_use_no_private_names():
    for path in (ROOT / "tests").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        ours = [name for name in imported_names(tree) if name.split(".")[0] in PACKAGES]
        names = {name.rpartition(".")[2] for name in ours}
        used = [
            f"{node.value.id}.{node.attr}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in names
        ]
        for name in (*ours, *used):
            assert not private(name), f"{path.relative_to(ROOT)} uses {name}"
