"""The shared values: frozen, and with the numbers that the contracts give them."""

import inspect
from dataclasses import FrozenInstanceError, fields, is_dataclass

import pytest

from ledger import model
from ledger.model import Area, Kind, Order


def test_every_value_is_frozen() -> None:
    values = [c for _, c in inspect.getmembers(model, inspect.isclass) if is_dataclass(c)]
    assert values
    for value in values:
        one = value(**dict.fromkeys((field.name for field in fields(value)), 0))
        with pytest.raises(FrozenInstanceError):
            setattr(one, fields(value)[0].name, 1)


def test_kinds_fit_two_bits_and_only_a_bid_buys() -> None:
    assert [kind.value for kind in Kind] == [1, 2, 3]
    assert [kind for kind in Kind if not kind.sells] == [Kind.BID]


def test_an_area_is_a_hub_when_it_has_none() -> None:
    assert Area(code=4096, hub=0, name="EU-Central").is_hub
    assert not Area(code=4097, hub=4096, name="Frankfurt").is_hub


def test_orders_compare_by_value() -> None:
    assert Order(Kind.BID, 1, 2) == Order(kind=Kind.BID, tick=1, units=2, prefix=0)
