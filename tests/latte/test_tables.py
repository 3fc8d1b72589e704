"""TOML tables become dataclasses, or one sentence says why not."""

from dataclasses import dataclass, field
from typing import Literal

import pytest

from latte.data.errors import InputError
from latte.tables import from_table, with_settings


@dataclass(frozen=True, kw_only=True)
class Cup:
    """A small table."""

    size: int
    price: float = 1.5
    hot: bool = True
    kind: Literal["espresso", "latte"] = "latte"
    name: str | None = None

    def __post_init__(self):
        if self.size < 1:
            raise InputError(f"size = {self.size}: give at least 1")


@dataclass(frozen=True, kw_only=True)
class Order:
    """A table of tables."""

    cup: Cup
    number: int
    second: Cup = field(default_factory=lambda: Cup(size=2))


def test_values_reach_their_fields():
    table = {"cup": {"size": 3, "price": 2, "hot": False, "kind": "espresso", "name": "x"}}
    order = from_table(Order, table | {"number": 7}, "order.toml")
    assert order == Order(
        cup=Cup(size=3, price=2.0, hot=False, kind="espresso", name="x"), number=7
    )
    assert type(order.cup.price) is float


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"cup": {"size": 1}}, "o.toml: give number as well"),
        ({}, "o.toml: give cup and number as well"),
        ({"cup": {}, "number": 1}, "o.toml [cup]: give size as well"),
        ({"cup": 3, "number": 1}, "o.toml: cup = 3: wanted is a table, [cup]"),
        ({"cups": {}}, "o.toml: no field is called 'cups': did you mean cup?"),
        (
            {"cup": {"size": 1, "pirce": 2}},
            "o.toml [cup]: no field is called 'pirce': did you mean price?",
        ),
        ({"cup": {"size": 1.0}}, "o.toml [cup]: size = 1.0: wanted is a whole number"),
        ({"cup": {"size": True}}, "o.toml [cup]: size = True: wanted is a whole number"),
        ({"cup": {"size": "1"}}, "o.toml [cup]: size = '1': wanted is a whole number"),
        ({"cup": {"size": 1, "price": "2"}}, "o.toml [cup]: price = '2': wanted is a number"),
        (
            {"cup": {"size": 1, "price": float("nan")}},
            "o.toml [cup]: price = nan: wanted is a number",
        ),
        (
            {"cup": {"size": 1, "price": float("inf")}},
            "o.toml [cup]: price = inf: wanted is a number",
        ),
        ({"cup": {"size": 1, "hot": 1}}, "o.toml [cup]: hot = 1: wanted is true or false"),
        (
            {"cup": {"size": 1, "kind": "tea"}},
            "o.toml [cup]: kind = 'tea': wanted is 'espresso' or 'latte'",
        ),
        ({"cup": {"size": 1, "name": 5}}, "o.toml [cup]: name = 5: wanted is a text"),
        ({"cup": {"size": 1, "name": ["a"]}}, "o.toml [cup]: name = ['a']: wanted is a text"),
        ({"cup": {"size": 0}}, "o.toml [cup]: size = 0: give at least 1"),
    ],
)
def test_what_does_not_fit_is_one_sentence(table, sentence):
    with pytest.raises(InputError) as refused:
        from_table(Order, table, "o.toml")
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("cup.size=3", 3),
        ("cup.size = 3", 3),
        ("cup.size=-1e-3", -1e-3),
        ("cup.size=1_000", 1000),
        ("cup.size=true", True),
        ('cup.size="true"', "true"),
        ("cup.size=Latte-XL/2", "Latte-XL/2"),
        ("cup.size=C:\\videos", "C:\\videos"),
        ("cup.size=a=b", "a=b"),
        ("cup.size=", ""),
    ],
)
def test_settings_are_read_as_toml_else_as_text(setting, value):
    table = {"cup": {"size": 0, "hot": True}}
    changed = with_settings(table, [setting])
    assert changed == {"cup": {"size": value, "hot": True}}
    assert type(changed["cup"]["size"]) is type(value)
    assert table == {"cup": {"size": 0, "hot": True}}


def test_the_last_of_two_settings_counts_and_tables_are_made():
    assert with_settings({}, ["cup.size=1", "cup.size=2", "second.hot=false"]) == {
        "cup": {"size": 2},
        "second": {"hot": False},
    }


@pytest.mark.parametrize("setting", ["size=3", "cup.size", "=3", "cup.=3", ".size=3", ""])
def test_settings_of_another_form_are_refused(setting):
    with pytest.raises(InputError, match=r"--set .*: write TABLE\.FIELD=VALUE, as in"):
        with_settings({}, [setting])


def test_a_setting_of_what_is_no_table_is_refused():
    with pytest.raises(InputError, match=r"--set number\.x=1: number is not a table"):
        with_settings({"number": 7}, ["number.x=1"])
