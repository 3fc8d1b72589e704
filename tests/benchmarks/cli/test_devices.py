"""What --device auto means, before anything is known by it."""

import sys

import pytest
import torch

from benchmarks.cli import app as cli
from benchmarks.figures import figure5 as figure5_ablations
from benchmarks.tables import table3 as table3_fvd


@pytest.mark.parametrize(
    ("module", "command"), [(figure5_ablations, "figure5a"), (table3_fvd, "table3")]
)
def test_runners_see_what_auto_means(
    module: object, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(module, "run", lambda *arguments: seen.append(arguments[-1].device))
    monkeypatch.setattr(
        sys, "argv", ["latte-bench", command, "--scale", "tiny", "--device", "auto"]
    )
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    assert seen == ["cpu"]
