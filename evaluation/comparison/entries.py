"""Results sorted into columns, each with one way of measuring that most of them share."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.comparison.differences import ComparedSettings, settings_of
from evaluation.measuring.checking import check_result
from evaluation.results.files import ResultLine, read_lines
from evaluation.results.record import Result
from latte.data.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Entry(ResultLine):
    """A result that is compared with others."""

    @property
    def place(self) -> tuple[str, str]:
        """The metric, and the data set it was measured on or else the name of the real videos."""
        real = self.result.real
        return self.result.metric, self.result.dataset or (Path(real.path).name if real else "")

    @property
    def title(self) -> str:
        """`FVD, ucf101`; the metric alone if there is no data set."""
        return ", ".join(filter(None, self.place))

    @property
    def settings(self) -> ComparedSettings:
        """What has to be equal for two values to be comparable."""
        return settings_of(self.result)


@dataclass(frozen=True, kw_only=True)
class Superseded:
    """A result that does not count because a newer one was measured in the same way."""

    entry: Entry
    newer: Entry


def read_entries(paths: Sequence[Path]) -> list[Entry]:
    """The results of files.

    Raises:
        InputError: no results, or a line that is no sound result, by its number.
    """
    entries = [
        checked_entry(line.result, line.where) for path in paths for line in read_lines(path)
    ]
    if not entries:
        raise InputError(
            f"{', '.join(map(str, paths))}: no results to compare: `latte-eval fvd` writes some"
        )
    return entries


def checked_entry(result: Result, where: str) -> Entry:
    """A result to compare.

    Raises:
        InputError: it is no sound result.
    """
    check_result(result, where)
    return Entry(result=result, where=where)


def newest(entries: Iterable[Entry]) -> tuple[list[Entry], list[Superseded]]:
    """One entry for each model, column and settings: the newest by date, then by order."""
    kept: dict[tuple[object, ...], Entry] = {}
    superseded = []
    for entry in entries:
        key = (entry.result.model, entry.place, entry.settings)
        before = kept.get(key)
        kept[key] = entry
        if before is None:
            continue
        older = before
        if entry.result.date < before.result.date:
            kept[key], older = before, entry
        if kept[key].result.value != older.result.value:
            superseded.append(Superseded(entry=older, newer=kept[key]))
    return list(kept.values()), superseded


def in_columns(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Entries by column; the first entry of a column has the settings of its ranked ones.

    The most common settings come first. Other settings join a column unless it has one of their
    models already.
    """
    places: dict[tuple[str, str], dict[ComparedSettings, list[Entry]]] = {}
    homes: dict[tuple[str, ComparedSettings], tuple[str, str]] = {}
    for entry in entries:
        home = entry.place
        if entry.result.dataset is None and entry.settings.real_clips:
            # The same clips by another path, such as that of their statistics: the same column.
            home = homes.setdefault((home[0], entry.settings), home)
        places.setdefault(home, {}).setdefault(entry.settings, []).append(entry)
    columns: list[list[Entry]] = []
    for by_settings in places.values():
        here: list[list[Entry]] = []
        # A stable sort: settings of equally many entries keep their order.
        for group in sorted(by_settings.values(), key=len, reverse=True):
            models = {entry.result.model for entry in group}
            for column in here:
                if not models & {entry.result.model for entry in column}:
                    column += group
                    break
            else:
                here.append(list(group))
        columns += here
    return columns


def column_titles(columns: Sequence[Sequence[Entry]]) -> list[str]:
    """Metric and data set; where that names two columns the protocol, or its fingerprint."""
    firsts = [column[0] for column in columns]
    titles = [entry.title for entry in firsts]
    for more in (
        [entry.result.protocol for entry in firsts],
        [entry.result.fingerprint[:8] for entry in firsts],
    ):
        titles = [
            f"{title} ({addition})" if titles.count(title) > 1 else title
            for title, addition in zip(titles, more, strict=True)
        ]
    return titles
