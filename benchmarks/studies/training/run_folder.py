"""What a run of `latte train` left: its configuration, its log, checkpoints and samples."""

import csv
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from latte.data.errors import InputError, outside
from latte.data.files import read_text
from latte.training.config import TrainConfig, load_config

LOGGED = ("step", "mse", "vb", "gradient_norm", "learning_rate", "samples", "seconds")


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """A folder that `latte train` wrote."""

    folder: Path
    config: TrainConfig
    log: pd.DataFrame  # a row every `log_every` steps, columns as LOGGED
    evaluations: pd.DataFrame  # a row for each measured step; NaN where a number is missing

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name

    @cached_property
    def checkpoints(self) -> dict[int, Path]:
        """Averaged weights by step, ascending."""
        paths = self.folder.glob("checkpoints/*/ema.safetensors")
        return dict(sorted((int(x.parent.name), x) for x in paths if x.parent.name.isdigit()))

    @property
    def samples(self) -> dict[int, Path]:
        """Contact sheets by step, ascending."""
        paths = self.folder.glob("samples/*.png")
        return dict(sorted((int(x.stem), x) for x in paths if x.stem.isdigit()))


def open_run(folder: Path) -> TrainingRun:
    """Read what is in the folder of a run, which may still be going on.

    Raises:
        InputError: it is no such folder, nothing is logged yet, or a file is damaged.
    """
    if not (folder / "config.toml").is_file():
        raise InputError(
            f"{folder}: no run of `latte train`, which would have left a config.toml: give the "
            "folder that its --out named"
        )
    config = load_config(str(folder / "config.toml"))
    path = folder / "log.csv"
    log = read_numbers(path) if path.exists() else pd.DataFrame()
    if log.empty:
        raise InputError(
            f"{path}: has no rows yet, the run writes one every {config.output.log_every} steps"
        )
    if missing := [name for name in LOGGED if name not in log or log[name].isna().any()]:
        raise InputError(f"{path}: lacks {missing[0]}, so it is no log of a run of `latte train`")
    path = folder / "evaluations.csv"
    evaluations = read_numbers(path) if path.exists() else pd.DataFrame({"step": []})
    return TrainingRun(folder=folder, config=config, log=log, evaluations=evaluations)


def read_numbers(path: Path) -> pd.DataFrame:
    """A table of numbers by step; NaN where a cell is empty or no finite number.

    Raises:
        InputError: it cannot be read, or a line is not a row of it.
    """
    with outside(path, "a table"):
        text = read_text(path, "a table")
        # What follows the last line's end is a row that is being written, or never was.
        header, *rows = list(csv.reader(text[: text.rfind("\n") + 1].splitlines())) or [["step"]]
    if "step" not in header:
        raise InputError(f"{path}: has no column step, so it is not of a run of `latte train`")
    numbers: list[list[float]] = []
    place = header.index("step")
    for line, cells in enumerate(rows, 2):
        try:
            row = [float(cell or "nan") for cell in cells]
        except ValueError:
            row = []
        before = numbers[-1][place] if numbers else -1.0
        if len(row) != len(header) or not before < row[place] < math.inf:
            raise InputError(
                f"{path}, line {line}: {','.join(cells)!r} is no row of {', '.join(header)} after "
                "the one before: mend or remove that line"
            )
        numbers.append(row)
    table = pd.DataFrame(numbers, columns=header, dtype=float)
    return table.replace([math.inf, -math.inf], math.nan)
