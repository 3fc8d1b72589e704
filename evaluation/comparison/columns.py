"""Columns of comparable results: who is best, and whether the others differ significantly."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from evaluation.comparison.differences import result_differences
from evaluation.comparison.entries import Entry
from evaluation.comparison.significance import DifferenceTest, Method, holm
from evaluation.protocol.deviations import Deviation
from evaluation.results.record import Result
from reports.cells import Cell
from reports.ranks import Rank, ranks


@dataclass(frozen=True, kw_only=True)
class ComparedCell:
    """A result in its column."""

    result: Result
    where: str
    differences: tuple[Deviation, ...] = ()  # from the ranked results; any: it is not ranked
    rank: Rank | None = None
    p_value: float | None = None  # of the difference from the best, corrected for the column
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

    def as_cell(self, notes: tuple[str, ...] = ()) -> Cell:
        """The value with its interval and its test, for a table."""
        return Cell.measured(
            self.result.value,
            self.result.interval,
            notes=notes,
            comparable=self.comparable,
            p_value=self.p_value,
            significant=self.significant,
        )


@dataclass(frozen=True, kw_only=True)
class ComparedColumn:
    """A metric on a data set, measured in one way except where cells say otherwise."""

    metric: str
    dataset: str  # empty: none
    title: str
    reference: Result  # measured as all ranked results
    cells: Mapping[str, ComparedCell]  # by model
    # A second column of the metric: title of the first one, and differences from it.
    beside: str = ""
    differences: tuple[Deviation, ...] = ()

    @property
    def higher_is_better(self) -> bool | None:
        """None: neither; nothing is ranked."""
        return self.reference.higher_is_better

    @property
    def methods(self) -> tuple[Method, ...]:
        """The tests that were used, each once."""
        return tuple(dict.fromkeys(cell.test for cell in self.cells.values() if cell.test))


def compared_columns(
    groups: Sequence[Sequence[Entry]], titles: Sequence[str], test: DifferenceTest, level: float
) -> Iterator[ComparedColumn]:
    """A column for each group of entries, whose first one has the settings of the ranked ones."""
    firsts: dict[tuple[str, str], tuple[Result, str]] = {}
    for entries, title in zip(groups, titles, strict=True):
        reference, place = entries[0].result, entries[0].place
        first, first_title = firsts.setdefault(place, (reference, title))
        cells = {
            entry.result.model: ComparedCell(
                result=entry.result,
                where=entry.where,
                differences=result_differences(entry.result, reference),
            )
            for entry in entries
        }
        yield ComparedColumn(
            metric=place[0],
            dataset=place[1],
            title=title,
            reference=reference,
            cells=_tested(_ranked(cells, reference), reference, test, level),
            beside="" if first is reference else first_title,
            differences=result_differences(reference, first),
        )


def _ranked(cells: Mapping[str, ComparedCell], reference: Result) -> dict[str, ComparedCell]:
    """The cells with the ranks that a table of them has."""
    if reference.higher_is_better is None:
        return dict(cells)
    places = ranks(
        {model: cell.as_cell() for model, cell in cells.items()}, higher=reference.higher_is_better
    )
    return {model: replace(cell, rank=places.get(model)) for model, cell in cells.items()}


def _tested(
    cells: Mapping[str, ComparedCell], reference: Result, test: DifferenceTest, level: float
) -> dict[str, ComparedCell]:
    """Every comparable cell against the best one; p-values are corrected within the column."""
    firsts = [model for model, cell in cells.items() if cell.rank == "best"]
    if not firsts:
        return dict(cells)
    best = (max if reference.higher_is_better else min)(
        firsts, key=lambda model: cells[model].result.value
    )
    verdicts = {
        model: test(cell.result, cells[best].result)
        for model, cell in cells.items()
        if cell.comparable and model != best
    }
    raw = {model: v.p_value for model, v in verdicts.items() if v.p_value is not None}
    corrected = dict(zip(raw, holm(list(raw.values())), strict=True))
    return {
        model: cell
        if model not in verdicts
        else replace(
            cell,
            p_value=corrected.get(model),
            significant=corrected[model] < level if model in corrected else None,
            test=verdicts[model].method,
        )
        for model, cell in cells.items()
    }
