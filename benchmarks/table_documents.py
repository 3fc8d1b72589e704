"""Tables as documents: one set of files for a table with its parts, and what stands under them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.tables import Table, write_texts


@dataclass(frozen=True, kw_only=True)
class Statement:
    """Something that the paper says about its table, beside what was found here."""

    text: str
    paper: str  # "yes" or "no", and by which numbers
    here: str

    @property
    def sentence(self) -> str:
        """One line under the table."""
        return f"{self.text}: paper {self.paper}; here {self.here}."


def yes(holds: bool, seen: str) -> str:
    """ "yes (numbers)", or "no (numbers)".

    >>> yes(1.0 < 2.0, "1.0 < 2.0")
    'yes (1.0 < 2.0)'
    """
    return f"{'yes' if holds else 'no'} ({seen})"


def cut_off(value: float) -> str:
    """A number as the paper's tables print parameters: not rounded, but cut off after two decimals.

    >>> cut_off(129.54704)
    '129.54'
    """
    return f"{math.floor(value * 100) / 100:.2f}"


def publish(
    tables: Sequence[Table], folder: Path, name: str, *, data: Sequence[Table] | None = None
) -> None:
    """Write `name.md`, `name.csv` and `name.tex` into a folder; print the tables and the paths.

    Args:
        tables: one below the other in each document.
        data: for the CSV, where the shown tables are parts of wider ones.
    """
    paths = write_tables(tables, folder, name, data=data)
    print("\n".join(table.markdown() for table in tables))
    print("\n".join(f"wrote {path}" for path in paths))


def write_tables(
    tables: Sequence[Table], folder: Path, name: str, *, data: Sequence[Table] | None = None
) -> list[Path]:
    """`reports.tables.write_table` for several tables in one document.

    All texts exist before the first file is touched.
    """
    first, *others = [table.csv() for table in data or tables]
    texts = {
        "md": "\n".join(table.markdown() for table in tables),
        "csv": first + "".join(text.partition("\n")[2] for text in others),  # one heading
        "tex": "\n".join(table.latex() for table in tables),
    }
    return write_texts(texts, folder, name)
