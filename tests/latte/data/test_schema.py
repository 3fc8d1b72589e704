"""Files and tables become records, or one sentence says why not."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

import msgspec
import pytest

from latte.data.errors import InputError
from latte.data.schema import convert, decode_json, read_toml


@dataclass(frozen=True, kw_only=True)
class Cup:
    size: int
    price: float = 1.5
    hot: bool = True
    kind: Literal["espresso", "latte"] = "latte"
    name: str | None = None

    def __post_init__(self):
        if self.size < 1:
            raise InputError(f"size = {self.size}: give at least 1")


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    cup: Cup
    number: Annotated[int, msgspec.Meta(ge=1)]
    others: tuple[Cup, ...] = ()
    prices: dict[str, float] = msgspec.field(default_factory=dict)


@dataclass(frozen=True)
class Shelf:
    cups: list[Cup] = field(default_factory=list)
    best: Cup | None = None


def test_values_reach_their_fields():
    table = {
        "cup": {"size": 3, "price": 2, "hot": False, "kind": "espresso", "name": "x"},
        "number": 7,
        "others": [{"size": 1}],
        "prices": {"milk": 1},
    }
    order = convert(table, Order, "order.toml")
    assert order == Order(
        cup=Cup(size=3, price=2.0, hot=False, kind="espresso", name="x"),
        number=7,
        others=(Cup(size=1),),
        prices={"milk": 1.0},
    )
    assert type(order.cup.price) is float
    assert decode_json(msgspec.json.encode(order), Order, "order.json") == order
    assert decode_json('{"best": null, "cups": [{"size": 2}]}', Shelf, "s") == Shelf([Cup(size=2)])


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('{"number": 7}', ["cup"]),
        ('{"cup": 3, "number": 1}', ["cup"]),
        ('{"cup": {"size": 1}, "number": 0}', ["number must be an integer of at least 1, got 0"]),
        ('{"cup": {"size": 1, "pirce": 2}, "number": 1}', ["cup.pirce", "did you mean price?"]),
        ('{"cup": {"size": 1}, "number": 1, "other": []}', ["other:", "did you mean others?"]),
        ('{"cup": {"size": 1}, "number": 1, "others": [{"siez": 1}]}', ["others[0].siez", "size?"]),
        ('{"cup": {"size": 1.0}, "number": 1}', ["cup.size"]),
        ('{"cup": {"size": 1}, "number": 1, "others": [{}]}', ["json: others[0]: ", "`size`"]),
        ('{"cup": {"size": true}, "number": 1}', ["cup.size"]),
        ('{"cup": {"size": "1"}, "number": 1}', ["cup.size"]),
        ('{"cup": {"size": 1, "kind": "late"}, "number": 1}', ["cup.kind", "did you mean latte?"]),
        ('{"cup": {"size": 0}, "number": 1}', ["size = 0: give at least 1"]),
        ('{"cup": {"size": 1, "price": 1e999}, "number": 1}', ["out of range"]),
        ('{"cup": {"size": 99999999999999999999}, "number": 1}', ["cup.size", "64 bits"]),
        ('{"cup": {"size": NaN}}', ["cannot be read as JSON"]),
        ('{"cup": ', ["cannot be read as JSON"]),
        ("[" * 100_000, ["cannot be read as JSON"]),
        (b"\xff", ["cannot be read as JSON"]),
    ],
)
def test_what_does_not_fit_is_one_sentence(text, parts):
    with pytest.raises(InputError, match=r"^order\.json: ") as refused:
        decode_json(text, Order, "order.json")
    for part in parts:
        assert part in str(refused.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a = 1\n" + "a." * 20_000 + "a = 1\n", "line 2 has 40005 characters"),
        ("a = 1\n" * 200_000, "it has 1200000 characters"),
    ],
)
def test_a_toml_file_that_would_take_minutes_to_parse_is_refused(tmp_path, text, complaint):
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"a\.toml: .* a configuration \({complaint}"):
        read_toml(path, "a configuration")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**63, -(2**63) - 1])
def test_numbers_that_other_readers_could_not_take_are_refused(value):
    with pytest.raises(InputError, match=r"s: cups\[0\]\.price "):
        convert({"cups": [{"size": 1, "price": value}]}, Shelf, "s")


def test_a_struct_that_allows_unknown_fields_gets_them():
    class Open(msgspec.Struct):
        size: int

    assert convert({"size": 1, "more": 2}, Open, "o") == Open(1)
