"""Which values of a column are best and second."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Literal, TypeVar

from reports.cells import Cell

Rank = Literal["best", "second"]
Key = TypeVar("Key")


def ranks(cells: Mapping[Key, Cell], *, higher: bool) -> dict[Key, Rank]:
    """Best and second among the comparable cells with a value; none where there are fewer than two.

    From the best value on, a cell shares the rank of the one before it if they `print_alike`. So no
    rank depends on digits that are not shown, and none contradicts the order of the values,
    whatever decimals each is printed with.

    >>> values = {"a": 1.241, "b": 1.239, "c": 1.3}
    >>> ranks({name: Cell(value=value) for name, value in values.items()}, higher=False)
    {'b': 'best', 'a': 'best', 'c': 'second'}
    """
    values = {
        key: cell.value for key, cell in cells.items() if cell.value is not None and cell.comparable
    }
    if len(values) < 2:
        return {}
    towards = -1 if higher else 1
    # The one of equal values with the most decimals comes first, whatever order they are given in.
    order = sorted(values, key=lambda key: (towards * values[key], -cells[key].printed_decimals))
    place, places = 0, {order[0]: 0}
    for before, key in pairwise(order):
        place += not print_alike(cells[before], cells[key])
        places[key] = place
    names: tuple[Rank, ...] = ("best", "second")
    return {key: names[place] for key, place in places.items() if place < len(names)}


def print_alike(first: Cell, second: Cell) -> bool:
    """Whether two values are the same when they are rounded to the fewer of their printed decimals.

    >>> print_alike(Cell(value=123.449), Cell(value=123.44, low=123.4, high=123.48))
    True
    """
    if first.value is None or second.value is None:
        return False
    decimals = min(first.printed_decimals, second.printed_decimals)
    return round(first.value, decimals) == round(second.value, decimals)
