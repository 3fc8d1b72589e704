"""A run whose features are stored opens no network and no video, and starts no process."""

import json
import os
import subprocess
import sys

import pytest

from latte.data.video import write_video

# Whatever opens or starts something raises.
GUARDED = """
import sys
from evaluation.cli.app import main
from evaluation.networks.extractor import Extractor
from latte.data.processes.pool import Pool
from latte.data.sources import FileVideo

def refuse(*_):
    raise AssertionError("the features are stored")

Extractor.open = Extractor.__call__ = Pool.start = FileVideo.probe = FileVideo.read = refuse
try:
    main()
finally:
    heavy = {"torch", "scipy.linalg", "scipy.spatial", "pandas", "matplotlib"} & set(sys.modules)
    assert not heavy, heavy
"""


@pytest.fixture
def arguments(tmp_path, make_clips):
    """A measurement of two folders of four videos each."""
    for side, seed in (("real", 0), ("fake", 1)):
        (tmp_path / side).mkdir()
        for number, clip in enumerate(make_clips(4, 18, 32, 48, seed)):
            write_video(tmp_path / side / f"{number}.mkv", clip, fps=25)
    sets = ["--real", tmp_path / "real", "--fake", tmp_path / "fake"]
    return ["fvd", *sets, "--network", "shapes", "--protocol", "stylegan-v", "--quiet"]


def test_stored_features_are_all_that_a_run_needs(run_cli, arguments, tmp_path):
    places = {"LATTE_STORE": str(tmp_path / "store"), "LATTE_CACHE": str(tmp_path / "cache")}
    cold = run_cli(
        "latte-eval", *arguments, "--workers", 0, "--out", tmp_path / "cold.jsonl", **places
    )
    assert cold.returncode == 0, cold.stderr
    warm = subprocess.run(
        [sys.executable, "-c", GUARDED, *arguments, "--out", tmp_path / "warm.jsonl"],
        env=os.environ | places,
        capture_output=True,
        text=True,
    )
    assert warm.returncode == 0, warm.stderr
    assert warm.stdout == cold.stdout
    first, second = (
        json.loads((tmp_path / f"{name}.jsonl").read_text(encoding="utf-8"))
        for name in ("cold", "warm")
    )
    assert (first["details"]["decoded_clips"], second["details"]["decoded_clips"]) == (8, 0)
    assert second["host"]["torch_threads"] is None
    for name in ("value", "interval", "fingerprint", "weights_sha256", "real", "fake"):
        assert second[name] == first[name]
