"""Log of a run: CSV files and TensorBoard."""

import csv
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latte.data.errors import InputError, named
from latte.data.files import atomic_path

logger = logging.getLogger(__name__)


class RunLog:
    """Rows of numbers by step, into `NAME.csv` and TensorBoard; only the first process has one.

    A run that is taken up at an earlier step drops the rows after it.
    """

    def __init__(self, folder: Path, *, resumed_at: int) -> None:
        self._folder = folder
        self._resumed_at = resumed_at
        self._columns: dict[str, list[str]] = {}
        for name in ("log", "evaluations"):  # refused before the first step
            self.has(name, resumed_at)
        with named(folder):
            self._writer = _tensorboard(folder / "tensorboard", resumed_at + 1)

    def add(self, name: str, step: int, row: Mapping[str, float]) -> None:
        """One row of the table `name` (`log`, `evaluations`)."""
        path = self._folder / f"{name}.csv"
        if name not in self._columns or not row.keys() <= set(self._columns[name]):
            self._begin(name, path, row)
        texts = {key: _text(value) for key, value in row.items()}
        with named(path), path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self._columns[name]).writerow(texts | {"step": str(step)})
        for key, value in row.items() if self._writer else ():
            self._writer.add_scalar(f"{name}/{key}", value, step)

    def has(self, name: str, step: int) -> bool:
        """Whether the table `name` has a row of this step."""
        path = self._folder / f"{name}.csv"
        return path.exists() and any(row["step"] == str(step) for row in _read(path)[1])

    def add_image(self, name: str, step: int, image: Any) -> None:
        """A picture, uint8 (H, W, 3)."""
        if self._writer is not None:
            self._writer.add_image(name, image, step, dataformats="HWC")

    def _begin(self, name: str, path: Path, row: Mapping[str, float]) -> None:
        """Make room for the columns of a row; what the file holds otherwise stays."""
        columns: list[str] = []
        rows: list[dict[str, str]] = []
        if path.exists():
            columns, rows = _read(path)
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
        if self._writer is not None:
            self._writer.close()


def _tensorboard(folder: Path, purge_step: int) -> Any:
    """TensorBoard's writer; None where it cannot name the folder."""
    from torch.utils.tensorboard import SummaryWriter

    try:
        str(folder.absolute()).encode()
    except UnicodeEncodeError:
        logger.warning("TensorBoard takes paths in UTF-8 alone: the log is in the .csv files")
        return None
    return SummaryWriter(str(folder), purge_step=purge_step)


def _read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """The columns of a table, and its rows that are whole.

    Raises:
        InputError: it is not a file of ours.
    """
    try:
        with named(path), path.open(newline="", encoding="utf-8") as file:
            # A kill may have cut the last line.
            reader = csv.DictReader(line for line in file if line.endswith("\n"))
            return list(reader.fieldnames or []), [row for row in reader if _is_whole(row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path}: not a table of this run ({error}): mend it, or move it away to begin another"
        ) from None


def _text(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.8g}"


def _is_whole(row: Mapping[str, str]) -> bool:
    """Whether a row has all columns, and no more."""
    return row.get("step", "").isdigit() and None not in (*row, *row.values())
