"""A house's day played again: nothing differs, and what is planted is called by its name."""

from collections.abc import Iterator
from fractions import Fraction

import msgspec
import pytest

from bus.errors import HouseError
from bus.house import House
from schema.forecast import Forecast
from schema.market import Bar
from schema.orders import Fill
from schema.units import MINUTE_NS, SECOND_NS
from services.backtest.parity import Report, compare
from services.rrr.parity import built
from services.rrr.parity_journals import Span, day_of
from tests.services.backtest.parity_house import (
    DATE,
    DAY_BEGIN_NS,
    FROM_NS,
    NAME,
    OTHER,
    SEER,
    SYMBOL,
    UNTIL_NS,
    Told,
    Trading,
    first,
    instead,
    keep,
    later,
    offer,
    round_trip,
    trade,
)
from tests.services.bare import bare_house

PARTS = ("signal", "latency", "fill", "fee")


@pytest.fixture
def house() -> Iterator[House]:
    with bare_house() as made:
        yield made


@pytest.fixture(scope="module")
def told() -> Told:
    """What a house says that nothing is planted in."""
    with bare_house() as made:
        return trade(made)


def report(house: House, told: Told) -> Report:
    keep(house, told)
    found = built(house, NAME, DATE, "")
    money = {name: Fraction(text) for name, text in found.money.items()}
    assert sum(money[name] for name in PARTS) == money["difference"]
    assert money["house"] - money["run"] == money["difference"]
    return found


def roots(found: Report) -> list[str]:
    """Return the causes that follow no other difference."""
    return [one.cause for one in found.differences if one.sort == "signal" and not one.follows]


def test_a_day_of_the_same_cores_is_the_same_to_the_last_unit(house: House, told: Told) -> None:
    found = report(house, told)
    assert (found.alike, found.differences) == (True, [])
    assert found.decisions["house"] == found.decisions["run"] == found.decisions["same"] > 20
    assert found.money["house"] == found.money["run"] != "0"
    (part,) = found.stretches
    assert part.start_ns >= DAY_BEGIN_NS - 1
    assert part.worth != 1000  # What it had earned before midnight counts.
    assert msgspec.json.encode(built(house, NAME, DATE, "")) == msgspec.json.encode(found)


def test_a_decision_that_was_not_said_is_a_signal(house: House, told: Told) -> None:
    gone = {id(one) for one in round_trip(told, 3)}
    found = report(house, [one for one in told if id(one) not in gone])
    assert roots(found) == ["unexplained"]
    lost = found.differences[0]
    assert (lost.sort, lost.house) == ("signal", None)
    assert lost.run is not None and lost.run["action"] == "enter"
    assert {one.follows for one in found.differences[1:] if one.sort == "signal"} <= {1}
    assert found.decisions["same"] >= found.decisions["house"] - 2
    assert found.money["signal"] != "0"


def test_another_price_of_a_fill_is_told_in_bps_and_money(house: House, told: Told) -> None:
    fill: Fill = first(Fill, round_trip(told, 3))
    worse = fill.quote_qty // 1000
    changed = msgspec.structs.replace(
        fill, px=fill.px + fill.px // 1000, quote_qty=fill.quote_qty + worse
    )
    found = report(house, instead(told, {id(fill): changed}))
    (line,) = found.differences
    assert (found.alike, line.sort) == (True, "fill")
    assert "average +10.00 bps" in line.why
    assert Fraction(found.money["fill"]) == -Fraction(worse, 10**fill.quote_exp)


def test_another_fee_is_told_with_its_rate(house: House, told: Told) -> None:
    fill: Fill = next(
        one for one in round_trip(told, 3) if isinstance(one, Fill) and one.fee_asset == "USDT"
    )
    changed = msgspec.structs.replace(fill, fee=fill.fee * 2)
    found = report(house, instead(told, {id(fill): changed}))
    (line,) = found.differences
    assert (found.alike, line.sort) == (True, "fee")
    assert "20.00 bps" in line.why
    assert Fraction(found.money["fee"]) == -Fraction(fill.fee, 10**fill.fee_exp)


def test_an_order_that_came_late_costs_what_the_price_moved(house: House, told: Told) -> None:
    late = later(round_trip(told, 3), 70 * SECOND_NS, 500)
    found = report(house, instead(told, late))
    lines = [one for one in found.differences if one.sort == "latency"]
    assert found.alike
    assert len(lines) == 1
    assert lines[0].house is not None and lines[0].run is not None
    assert lines[0].house["submitted_ms"] - lines[0].run["submitted_ms"] == 70_000
    assert "the price had moved" in lines[0].why and "the next bar" in lines[0].why
    fill: Fill = first(Fill, round_trip(told, 3))
    own, other = (Fraction(side["price"]) for side in (lines[0].house, lines[0].run))
    qty = Fraction(fill.qty, 10**fill.qty_exp)
    assert Fraction(found.money["latency"]) == qty * (other - own) != 0
    assert Fraction(found.money["difference"]) == -qty * Fraction(500, 10**fill.px_exp)


def test_a_bar_that_was_heard_otherwise_is_named(house: House) -> None:
    def bent(number: int, bar: Bar) -> Bar:
        if number != 20:
            return bar
        return msgspec.structs.replace(bar, close=bar.open, open=bar.close)

    found = report(house, trade(house, hears=bent))
    assert roots(found) == ["bar"]
    assert "as the house heard it" in found.differences[0].why
    assert found.differences[0].at_ns == DAY_BEGIN_NS + 21 * MINUTE_NS


def test_a_source_that_changes_cuts_the_day_in_two(house: House) -> None:
    text = msgspec.json.encode(offer(OTHER, params={"size": 0.1})).decode()
    found = report(house, trade(house, at={30: lambda one: one.command("offer", text, "why")}))
    assert found.alike, found.differences
    one, other = found.stretches
    assert one.until_ns == other.from_ns
    assert (one.digest == other.digest, other.params, other.by) == (False, {"size": 0.1}, "me")
    assert found.decisions["same"] > 20


def test_a_pause_is_named_as_long_as_it_lasts(house: House) -> None:
    def paused(one: Trading) -> None:
        one.command("pause", NAME, "a drill")

    def resumed(one: Trading) -> None:
        one.command("resume", NAME, "over")

    found = report(house, trade(house, at={15: paused, 35: resumed}))
    assert set(roots(found)) == {"paused"}
    assert "by me: a drill" in found.differences[0].why
    signals = [one.at_ns for one in found.differences if one.sort == "signal"]
    assert min(signals) > DAY_BEGIN_NS + 15 * MINUTE_NS
    assert found.decisions["same"] > 15


def test_a_death_of_the_engine_is_named(house: House) -> None:
    def back(one: Trading) -> None:
        one.told.append(None)

    def deaf(number: int, bar: Bar) -> Bar | None:
        return None if 20 <= number < 30 else bar

    told = trade(house, at={29: back}, hears=deaf)
    found = report(house, told)
    assert "down" in roots(found)
    downs = [one.at_ns for one in found.differences if one.cause == "down"]
    assert min(downs) > DAY_BEGIN_NS + 20 * MINUTE_NS
    assert max(downs) <= DAY_BEGIN_NS + 31 * MINUTE_NS


def test_forecasts_are_those_that_were_said(house: House) -> None:
    said = [forecast(number) for number in range(90)]
    told = trade(house, offer(SEER), forecasts=said)
    found = report(house, told)
    assert found.alike, found.differences
    assert found.decisions["same"] > 10


def test_a_shadow_is_played_as_a_shadow(house: House) -> None:
    told = trade(house, offer(role="shadow"))
    found = report(house, told)
    assert (found.alike, found.differences) == (True, [])
    assert found.money["house"] != "0"
    assert not any(isinstance(one, Fill) for one in told)


def test_of_an_exchange_there_are_only_the_minutes(house: House, told: Told) -> None:
    keep(house, told)
    day = day_of(house, NAME, Span(DAY_BEGIN_NS, UNTIL_NS), "")
    found = compare(house, msgspec.structs.replace(day, simulated=False), DATE)
    assert found.alike, found.differences
    assert found.stretches[0].tape == "made of the minutes"
    assert found.causes["fill"] > 0  # The trades within a minute are a guess there.


def test_what_cannot_be_compared_is_refused(house: House, told: Told) -> None:
    keep(house, told)
    for day, text in (("2023-05-24", "there are no bars"), ("2023-05-20", "no longer kept")):
        with pytest.raises(HouseError, match=text):
            built(house, NAME, day, "")
    with pytest.raises(HouseError, match="does not trade ETH/USDT"):
        built(house, NAME, DATE, "ETH/USDT")


def forecast(number: int) -> Forecast:
    open_ns = FROM_NS + number * MINUTE_NS
    return Forecast(
        ts_event=open_ns + MINUTE_NS, symbol=SYMBOL, timeframe="1m", bar_open_ns=open_ns,
        horizon_ns=MINUTE_NS, probability_up=0.3 + 0.4 * (number % 3 == 1), confidence=0.5,
    )  # fmt: skip
