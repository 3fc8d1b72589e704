"""Results sorted into columns, each with one way of measuring that most of them share."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.comparison.differences import Settings, settings_of
from evaluation.measuring.checking import check_result
from evaluation.results.reading import numbered_results
from evaluation.results.record import Result
from latte.data.errors import InputError
from latte.data.schema import convert


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A result and where it was found."""

    result: Result
    where: str  # "results.jsonl, line 3"

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
    def settings(self) -> Settings:
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
        _checked(result, f"{path}, line {number}")
        for path in paths
        for number, result in numbered_results(path)
    ]
    if not entries:
        raise InputError(
            f"{', '.join(map(str, paths))}: no results to compare; `latte-eval fvd` writes some"
        )
    return entries


def given_entry(given: Result | Mapping[str, Any], where: str) -> Entry:
    """A result in memory, or a record of one.

    Raises:
        InputError: it is no sound result.
    """
    return _checked(given if isinstance(given, Result) else convert(given, Result, where), where)


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
    places: dict[tuple[str, str], dict[Settings, list[Entry]]] = {}
    homes: dict[tuple[str, Settings], tuple[str, str]] = {}
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


def _checked(result: Result, where: str) -> Entry:
    check_result(result, where)
    return Entry(result=result, where=where)
