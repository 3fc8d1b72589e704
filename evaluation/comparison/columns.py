"""Results sorted into columns, each with one way of measuring that most of its results share.

In each column it is said who is best, and whether the others differ significantly.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from evaluation.comparison.significance import DifferenceTest, Method, Verdict, holm
from evaluation.protocol.deviations import Deviation, differences
from evaluation.protocol.fields import REAL_CLIP_FIELDS
from evaluation.results.files import ResultLine
from evaluation.results.record import Result, SetRecord, frames_stored_as
from reports.cells import Cell
from reports.ranks import Rank, ranks

HASH_DIGITS = 12  # digits of a hash that are shown


class ComparedSettings(NamedTuple):
    """What has to be equal for two values of a metric to be comparable."""

    fingerprint: str
    weights: str
    real_clips: str  # digest
    generated_frames: str

    @classmethod
    def of(cls, result: Result) -> "ComparedSettings":
        """The settings that a result was measured with."""
        return cls(
            fingerprint=result.fingerprint,
            weights=result.weights_sha256,
            real_clips=result.real.digest if result.real else "",
            generated_frames=_frames(result.fake),
        )


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
        return ComparedSettings.of(self.result)


@dataclass(frozen=True, kw_only=True)
class Superseded:
    """A result that does not count because a newer one was measured in the same way."""

    entry: Entry
    newer: Entry


@dataclass(frozen=True, kw_only=True)
class ComparedCell:
    """A result in its column."""

    result: Result
    where: str
    differences: tuple[Deviation, ...] = ()  # fields that differ from the ranked results
    rank: Rank | None = None
    p_value: float | None = None  # tests against the best, corrected for the column
    significant: bool | None = None  # None: the best itself, not ranked, or not tested
    test: Method | None = None

    @property
    def comparable(self) -> bool:
        """Whether it was measured as the ranked results of its column."""
        return not self.differences

    @property
    def deviations(self) -> tuple[Deviation, ...]:
        """Deviations from the protocol that the differences do not name."""
        named = {deviation.field for deviation in self.differences}
        return tuple(x for x in self.result.deviations if x.field not in named)

    @property
    def own_weights(self) -> bool:
        """Whether its weights are not the published ones, and nothing else says so."""
        fields = {deviation.field for deviation in (*self.differences, *self.deviations)}
        return not self.result.weights_published and "weights" not in fields


@dataclass(frozen=True, kw_only=True)
class ComparedColumn:
    """A metric on a data set, measured in one way except where cells say otherwise."""

    metric: str
    dataset: str  # empty: none
    title: str
    reference: Result  # measured as all ranked results
    cells: Mapping[str, ComparedCell]  # keys are models
    # A second column of the metric: title of the first one, and differences from it.
    beside: str = ""
    differences: tuple[Deviation, ...] = ()

    @property
    def higher_is_better(self) -> bool | None:
        """None: neither; nothing is ranked."""
        return self.reference.higher_is_better


def newest(entries: Iterable[Entry]) -> tuple[list[Entry], list[Superseded]]:
    """One entry for each model, column and settings: the newest by date, then by order."""
    newest_by_key: dict[tuple[object, ...], Entry] = {}
    superseded = []
    for entry in entries:
        key = (entry.result.model, entry.place, entry.settings)
        older, newer = newest_by_key.get(key, entry), entry
        if newer.result.date < older.result.date:
            older, newer = newer, older
        newest_by_key[key] = newer
        if newer.result.value != older.result.value:
            superseded.append(Superseded(entry=older, newer=newer))
    return list(newest_by_key.values()), superseded


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
        place_columns: list[list[Entry]] = []
        # A stable sort: settings of equally many entries keep their order.
        for group in sorted(by_settings.values(), key=len, reverse=True):
            models = {entry.result.model for entry in group}
            for column in place_columns:
                if not models & {entry.result.model for entry in column}:
                    column += group
                    break
            else:
                place_columns.append(list(group))
        columns += place_columns
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


def result_differences(result: Result, reference: Result) -> tuple[Deviation, ...]:
    """Everything in which a result was measured differently from a reference; empty if nothing."""
    ours, theirs = ComparedSettings.of(result), ComparedSettings.of(reference)
    if ours == theirs:
        return ()
    fields = [
        *differences(result.protocol_fields, reference.protocol_fields),
        *differences(result.parameters, reference.parameters),
    ]
    named = {deviation.field for deviation in fields}
    if ours.weights != theirs.weights and "weights" not in named:
        fields.append(_hashes("weights", ours.weights, theirs.weights))
    if ours.real_clips != theirs.real_clips and named.isdisjoint(REAL_CLIP_FIELDS):
        fields.append(_hashes("real clips", ours.real_clips, theirs.real_clips))
    if ours.generated_frames != theirs.generated_frames:
        fields.append(
            Deviation(
                field="generated frames",
                value=ours.generated_frames,
                wanted=theirs.generated_frames,
            )
        )
    if not fields:
        fields.append(_hashes("fingerprint", ours.fingerprint, theirs.fingerprint))
    return tuple(fields)


def compared_columns(
    groups: Sequence[Sequence[Entry]], titles: Sequence[str], test: DifferenceTest, level: float
) -> Iterator[ComparedColumn]:
    """A column for each group of entries, whose first one has the settings of the ranked ones."""
    firsts: dict[tuple[str, str], tuple[Result, str]] = {}
    for entries, title in zip(groups, titles, strict=True):
        reference, place = entries[0].result, entries[0].place
        first, first_title = firsts.setdefault(place, (reference, title))
        yield ComparedColumn(
            metric=place[0],
            dataset=place[1],
            title=title,
            reference=reference,
            cells={cell.result.model: cell for cell in _compared(entries, test, level)},
            beside="" if first is reference else first_title,
            differences=result_differences(reference, first),
        )


def _compared(
    entries: Sequence[Entry], test: DifferenceTest, level: float
) -> Iterator[ComparedCell]:
    """The cells with the ranks that a table of them has, each tested against the best."""
    reference = entries[0].result
    differing = {x.result.model: result_differences(x.result, reference) for x in entries}
    comparable = {x.result.model: x.result for x in entries if not differing[x.result.model]}
    places: Mapping[str, Rank] = {}
    verdicts: dict[str, Verdict] = {}
    if reference.higher_is_better is not None:
        cells = {model: Cell.measured(x.value, x.interval) for model, x in comparable.items()}
        places = ranks(cells, higher=reference.higher_is_better)
    firsts = [model for model in comparable if places.get(model) == "best"]
    if firsts:
        best = (max if reference.higher_is_better else min)(
            firsts, key=lambda model: comparable[model].value
        )
        verdicts = {
            model: test(result, comparable[best])
            for model, result in comparable.items()
            if model != best
        }
    raw = {model: v.p_value for model, v in verdicts.items() if v.p_value is not None}
    corrected = dict(zip(raw, holm(list(raw.values())), strict=True))
    for entry in entries:
        model = entry.result.model
        yield ComparedCell(
            result=entry.result,
            where=entry.where,
            differences=differing[model],
            rank=places.get(model),
            p_value=corrected.get(model),
            significant=corrected[model] < level if model in corrected else None,
            test=verdicts[model].method if model in verdicts else None,
        )


def _hashes(field: str, ours: str, theirs: str) -> Deviation:
    return Deviation(
        field=field, value=ours[:HASH_DIGITS] or None, wanted=theirs[:HASH_DIGITS] or None
    )


def _frames(generated: SetRecord | None) -> str:
    """Size and storage of generated frames."""
    if generated is None:
        return ""
    return f"{generated.width}×{generated.height} {frames_stored_as(generated.storage)}"
