"""`latte-eval` in this process, on small sets of the embedded data set."""

from pathlib import Path

import numpy as np
import pytest

from latte.data.shapes import shapes_clips


@pytest.fixture
def latte_eval(run_cli):
    """`latte-eval` in a folder, which has a store of features of its own."""

    def run(*arguments, cwd: Path, **environment: str):
        return run_cli(
            "latte-eval", *arguments, cwd=cwd, **({"LATTE_STORE": str(cwd / "store")} | environment)
        )

    return run


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
