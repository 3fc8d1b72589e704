"""Log of a run: CSV files and TensorBoard."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latte.data.errors import named
from latte.data.files import atomic_path


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
        if name not in self._columns or not row.keys() <= set(self._columns[name]):
            self._begin(name, path, row)
        texts = {key: _text(value) for key, value in row.items()}
        with named(path), path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self._columns[name]).writerow(texts | {"step": str(step)})
        for key, value in row.items():
            self._writer.add_scalar(f"{name}/{key}", value, step)

    def add_image(self, name: str, step: int, image: Any) -> None:
        """A picture, uint8 (H, W, 3)."""
        self._writer.add_image(name, image, step, dataformats="HWC")

    def _begin(self, name: str, path: Path, row: Mapping[str, float]) -> None:
        """Make room for the columns of a row; what the file holds otherwise stays."""
        columns: list[str] = []
        rows: list[dict[str, str]] = []
        if path.exists():
            with named(path), path.open(newline="", encoding="utf-8") as file:
                reader = csv.DictReader(file)
                columns = list(reader.fieldnames or [])
                rows = [old_row for old_row in reader if _is_whole(old_row)]
        if name not in self._columns:
            rows = [old_row for old_row in rows if int(old_row["step"]) <= self._resumed_at]
        columns += [key for key in ("step", *row) if key not in columns]
        with atomic_path(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
        self._columns[name] = columns

    def close(self) -> None:
        """Flush what TensorBoard has not written."""
        self._writer.close()


def _text(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.8g}"


def _is_whole(row: Mapping[str, str]) -> bool:
    """Whether a row is one that was written to its end: a kill may cut the last one."""
    return row.get("step", "").isdigit() and None not in (*row, *row.values())
