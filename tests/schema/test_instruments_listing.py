"""Listings as exchanges write them, and as they should not: read whole, or refused with a name."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.instruments import at
from schema.listing import IGNORED, READ, instrument_of
from schema.market import Instrument
from schema.messages import encode
from schema.units import at_least, at_most
from tests.schema.test_instruments import BTC, LOT, MARKET_LOT, NOTIONAL, PRICE, listed

PERCENT: dict[str, Any] = {
    "filterType": "PERCENT_PRICE",
    "multiplierUp": "5",
    "multiplierDown": "0.2",
    "avgPriceMins": 5,
}
SIDED: dict[str, Any] = {
    "filterType": "PERCENT_PRICE_BY_SIDE",
    "bidMultiplierUp": "1.2",
    "bidMultiplierDown": "0.2",
    "askMultiplierUp": "5",
    "askMultiplierDown": "0.85",
    "avgPriceMins": "1",
}
COUNTS: list[dict[str, Any]] = [
    {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
    {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": "5"},
    {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 20},
    {"filterType": "MAX_POSITION", "maxPosition": "10.000015"},
]
NAMED = [{"filterType": name} for name in sorted(IGNORED)]


def test_every_filter_of_the_exchange_has_its_place() -> None:
    found = instrument_of(listed(PRICE, LOT, MARKET_LOT, NOTIONAL, SIDED, *COUNTS, *NAMED), 1)
    assert (found.band_exp, found.average_mins) == (2, 1)
    assert (found.bid_up, found.bid_down, found.ask_up, found.ask_down) == (120, 20, 500, 85)
    assert (found.max_orders, found.max_algo_orders, found.max_order_lists) == (200, 5, 20)
    assert found.max_position == 1_000_001
    assert (found.ignored_filters, found.unknown_filters) == (tuple(sorted(IGNORED)), ())


def test_a_listing_without_them_names_none() -> None:
    bare = instrument_of(listed(PRICE, LOT), 1)
    defaults = {
        field.name: field.default
        for field in msgspec.structs.fields(Instrument)
        if field.name in Instrument.__struct_fields__[Instrument.__struct_fields__.index("oco") :]
    }
    assert {name: getattr(bare, name) for name in defaults} == defaults


def test_a_filter_that_nobody_knows_is_named() -> None:
    strange = {"filterType": "FIVE_FIGURES", "figures": 5}
    assert instrument_of(listed(PRICE, LOT, strange), 1).unknown_filters == ("FIVE_FIGURES",)


def test_of_two_filters_that_say_the_same_the_tighter_one_holds() -> None:
    old = {"filterType": "MIN_NOTIONAL", "minNotional": "10", "applyToMarket": False}
    new = NOTIONAL | {"applyMinToMarket": False}
    found = instrument_of(listed(PRICE, LOT, old, new, PERCENT, SIDED), 1)
    assert (found.min_notional, found.min_spares_market) == (100_000_000, True)
    assert (found.bid_up, found.bid_down, found.ask_up, found.ask_down) == (120, 20, 500, 85)
    both = instrument_of(listed(PRICE, LOT, old, NOTIONAL), 1)
    assert not both.min_spares_market


def test_a_market_order_may_have_a_step_and_a_minimum_of_its_own() -> None:
    own = MARKET_LOT | {"minQty": "0.00100000", "stepSize": "0.00050000"}
    found = instrument_of(listed(PRICE, LOT, own), 1)
    assert (found.market_min_qty, found.market_lot) == (100, 50)


@pytest.mark.parametrize(
    ("filters", "says"),
    [
        ([PRICE | {"minPrice": "-1"}, LOT], "minPrice is '-1': expected no number below zero"),
        ([PRICE, LOT | {"minQty": "9" * 30}], "does not fit"),
        ([PRICE, LOT, PERCENT | {"multiplierUp": "1e3"}], "'1e3': expected a plain decimal"),
        ([PRICE, LOT, PERCENT | {"multiplierUp": 5}], "multiplierUp is 5: expected decimal text"),
        ([PRICE, LOT, PERCENT | {"multiplierUp": "0"}], "expected a multiple above zero"),
        ([PRICE, LOT, PERCENT | {"avgPriceMins": "five"}], "avgPriceMins is 'five'"),
        ([PRICE, LOT, COUNTS[0] | {"maxNumOrders": -1}], "maxNumOrders is '-1'"),
        ([PRICE, LOT, NOTIONAL | {"applyMinToMarket": "yes"}], "not true or false"),
        ([PRICE, LOT, LOT], "filter 'LOT_SIZE' is named twice"),
        ([PRICE, LOT, {"filterType": 7}], "filter 7 is named twice, or not by a word"),
    ],
)
def test_a_filter_that_cannot_be_read_is_refused(filters: list[Any], says: str) -> None:
    with pytest.raises(ValueError, match=f"BTC/USDT: .*{says}"):
        instrument_of(listed(*filters), 1)


def test_an_entry_that_names_no_symbol_is_refused() -> None:
    for fields in ({"symbol": None}, {"status": 7}, {"orderTypes": [1]}, {"baseAsset": ""}):
        with pytest.raises(ValueError, match="expected a word"):
            instrument_of(listed(PRICE, LOT, **fields), 1)
    with pytest.raises(ValueError, match="expected an entry"):
        instrument_of([1], 1)  # type: ignore[arg-type]


def read(entry: Any) -> Instrument | str:
    try:
        return instrument_of(entry, 1)
    except ValueError as error:
        return str(error)


NUMBERS = st.one_of(
    st.sampled_from(["0", "", "-0", "-1", "NaN", "inf", "1e400", "1e-8", "0x10", " 1", "1.", "٣"]),
    st.integers(-(10**30), 10**30).map(str),
    st.decimals(-1000, 10**22, allow_nan=False, places=12).map(str),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
)
FIELDS = [
    (row["filterType"], name)
    for row in (PRICE, LOT, MARKET_LOT, NOTIONAL, PERCENT, SIDED, *COUNTS)
    for name in row
    if name != "filterType"
]


@given(st.lists(st.tuples(st.sampled_from(FIELDS), NUMBERS), min_size=1, max_size=4))
def test_garbage_in_a_listing_is_refused_or_becomes_an_instrument_that_can_be_said(
    spoiled: list[tuple[tuple[str, str], Any]],
) -> None:
    rows: list[dict[str, Any]] = [PRICE, LOT, MARKET_LOT, NOTIONAL, PERCENT, SIDED, *COUNTS]
    for (kind, name), value in spoiled:
        rows = [row | {name: value} if row["filterType"] == kind else row for row in rows]
    found = read(listed(*rows))
    if isinstance(found, str):
        assert found.startswith("BTC/USDT: ")
        return
    assert encode([found])
    numbers = [value for value in msgspec.structs.astuple(found) if isinstance(value, int)]
    assert min(numbers) >= 0


NAMES = st.sampled_from(["filterType", "filters"])
JSON = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(NAMES, each),
)


@given(JSON)
def test_any_json_for_an_entry_is_refused_in_words(found: Any) -> None:
    for entry in (found, listed() | {"filters": found}, listed(PRICE, LOT) | {"orderTypes": found}):
        assert read(entry)


@given(st.integers(0, 10**25), st.integers(0, 18), st.integers(0, 18))
def test_a_bound_is_rounded_inwards_and_exactly(n: int, decimals: int, exp: int) -> None:
    text = f"{n // 10**decimals}.{n % 10**decimals:0{decimals}d}" if decimals else str(n)
    most = at_most(text, exp)
    assert most * 10**decimals <= n * 10**exp
    assert most == 0 or (most + 1) * 10**decimals > n * 10**exp
    try:
        least = at_least(text, exp)
    except ValueError:
        assert n * 10**exp // 10**decimals >= 2**62
        return
    assert (least - 1) * 10**decimals < n * 10**exp <= least * 10**decimals


def version(ts_ns: int) -> Instrument:
    return msgspec.structs.replace(BTC, ts_event=ts_ns)


def test_the_rule_of_the_day_is_the_newest_one_by_then() -> None:
    versions = [version(10), version(20), version(30)]
    found = [at(versions, ns) for ns in (5, 10, 19, 20, 99)]
    assert [one.ts_event for one in found if one] == [10, 10, 10, 20, 30]
    assert at([], 5) is None


def test_what_is_read_and_what_is_ignored_are_apart() -> None:
    assert not READ & IGNORED
