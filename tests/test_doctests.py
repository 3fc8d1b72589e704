"""The examples in docstrings and documents are true."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for room in ("latte", "evaluation", "benchmarks", "reports")
    for path in sorted((ROOT / room).rglob("*.py"))
    if ">>>" in path.read_text(encoding="utf-8")
]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DOCUMENTS = {
    str(path.relative_to(ROOT)): blocks
    for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
    if (blocks := BLOCK.findall(path.read_text(encoding="utf-8")))
}


@pytest.mark.parametrize("module", MODULES)
def test_examples_hold(module):
    failed, tried = doctest.testmod(importlib.import_module(module))
    assert failed == 0
    assert tried > 0


@pytest.mark.parametrize("name", DOCUMENTS)
def test_python_of_documents_runs(name, tmp_path, monkeypatch):
    """Examples with prompts run one after the other; other code has to compile."""
    monkeypatch.chdir(tmp_path)
    names = {"__name__": name}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for number, block in enumerate(DOCUMENTS[name], 1):
        if ">>>" not in block:
            compile(block, f"{name}, block {number}", "exec")
            continue
        test = doctest.DocTestParser().get_doctest(block, names, f"{name} {number}", name, 0)
        runner.run(test, clear_globs=False)
        names |= test.globs
    assert runner.summarize(verbose=False).failed == 0
