"""What a run says of itself: a line for a person, a CSV file, TensorBoard."""

import csv
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from latte.data.errors import named


class RunLog:
    """Rows of numbers by step, into `NAME.csv` and TensorBoard; only the first process has one.

    A run that is taken up at an earlier step drops the rows after it.
    """

    def __init__(self, folder: Path, *, resumed_at: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._folder = folder
        self._resumed_at = resumed_at
        self._columns: dict[str, list[str]] = {}
        with named(folder):
            self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=resumed_at + 1)

    def add(self, name: str, step: int, row: Mapping[str, float]) -> None:
        """One row of the table `name` (`log`, `evaluations`)."""
        path = self._folder / f"{name}.csv"
        if name not in self._columns:
            self._begin(name, path, ["step", *row])
        with named(path), path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow([step, *(f"{value:.8g}" for value in row.values())])
        for key, value in row.items():
            self._writer.add_scalar(f"{name}/{key}", value, step)

    def add_image(self, name: str, step: int, image: Any) -> None:
        """A picture, uint8 (H, W, 3)."""
        self._writer.add_image(name, image, step, dataformats="HWC")

    def _begin(self, name: str, path: Path, columns: list[str]) -> None:
        kept: list[list[str]] = []
        if path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                kept = [row for row in csv.reader(file) if row and row[0].isdigit()]
        with named(path), path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(row for row in kept if int(row[0]) <= self._resumed_at)
        self._columns[name] = columns

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()
