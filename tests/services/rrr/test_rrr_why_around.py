"""`rrr why` beside the steps: model, features, wire times, ledger, protection and round trip."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from bus.house import House
from schema.forecast import Forecast, ModelCard
from schema.identity import strategy_tag
from schema.ledger import Ledger, book
from services.predictor.features import NAMES, Window, update
from services.rrr.round_trip import trip_of
from services.rrr.why_model import features_of
from tests.services.bare import entered_house
from tests.services.rrr.money_desk import BEGIN_NS, HOUR_NS, Desk, run, told
from tests.services.rrr.store_desk import keep
from tests.services.rrr.trade_day import NOON_NS, SYMBOL, Day, bought, fill

SHA = "ab" * 32
TAG = strategy_tag("threshold")
MINE = f"0000{TAG}"
"""How the ids of orders begin that are of one strategy."""


@pytest.fixture
def house() -> Iterator[House]:
    """A house in which nothing runs, entered."""
    with entered_house() as made:
        yield made


def forecast(open_ns: int, model: str = "") -> Forecast:
    return Forecast(
        ts_event=open_ns + 60_000_000_000, symbol=SYMBOL, timeframe="1m", bar_open_ns=open_ns,
        horizon_ns=1, probability_up=0.5, confidence=0.0, model=model,
    )  # fmt: skip


def test_the_ledgers_lines_of_an_order_come_to_nothing_in_each_asset(house: House) -> None:
    day = Day(house)
    order_id = bought(day)
    day.keep()
    sums: dict[str, Decimal] = {}
    found = told("why", order_id)
    for row in found["ledger"]:
        sums[row["asset"]] = sums.get(row["asset"], Decimal(0)) + Decimal(row["amount"])
    assert set(sums.values()) == {Decimal(0)}
    assert {row["account"] for row in found["ledger"]} == {"trading", "market", "fees"}


def test_what_protects_an_entry_is_told_with_its_price(house: House) -> None:
    day = Day(house)
    order_id = bought(day)
    day.keep()
    (stop,) = told("why", order_id)["protection"]
    assert (stop["leg"], stop["stop_price"], stop["status"]) == ("stop", "59000.00", "ACCEPTED")
    assert "stop at 59000.00 for 0.00300, ACCEPTED since" in run("why", order_id).output


def test_wire_times_are_nanoseconds_of_each_step(house: House) -> None:
    day = Day(house)
    order_id = bought(day)
    day.keep()
    day.close()
    keep(house, "analytics")
    times = told("why", order_id)["times"]
    assert times["signed_ms"] == NOON_NS // 1_000_000
    assert times["steps_ns"]["submitted to answered"] == 100_000
    assert (times["answer"], times["ended"]) == ("accepted", "Fill")
    assert "submitted to answered 0.100 ms" in run("why", order_id).output


def test_a_round_trip_tells_what_it_earned_and_where_it_stands(house: House) -> None:
    day = Day(house)
    order_id = bought(day)
    day.keep()
    trip = told("why", order_id)["round_trip"]
    assert (trip["closed"], trip["left"], trip["net"]) == (None, "0.003", "-0.180003")
    assert (trip["orders"], trip["fills"]) == ([order_id], 1)
    assert "still open with 0.003" in run("why", order_id).output


def test_a_trip_ends_when_the_position_is_flat_and_the_next_is_another() -> None:
    ids = [MINE + name * 24 for name in "abcd"]
    first = fill(ids[0], "1", qty=300, quote_qty=300, fee=1)
    second = fill(ids[1], "2", side="sell", qty=300, quote_qty=500, fee=2)
    third = fill(ids[2], "3", qty=100, quote_qty=100, fee=0)
    fills = [first, second, third]
    closed = trip_of(fills, ids[0], Decimal(0), [TAG])
    assert closed is not None
    assert (closed.realized, closed.fees, closed.fills) == (
        Decimal("0.000002"),
        Decimal("3E-8"),
        2,
    )
    still = trip_of(fills, ids[2], Decimal(0), [TAG])
    assert still is not None
    assert (still.closed_ns, still.left) == (0, Decimal("0.001"))
    assert trip_of(fills, ids[3], Decimal(0), [TAG]) is None


def test_what_the_gateway_closes_ends_the_trip_of_whoever_held_it(house: House) -> None:
    desk = Desk(house)
    fills = [
        desk.fill(1, "buy", 300, 6_000_000),
        desk.fill(1.5, "buy", 200, 6_000_000, strategy="pulse"),
        desk.fill(2, "sell", 500, 6_100_000, strategy="gateway"),
    ]
    tags = [strategy_tag(name) for name in ("pulse", "threshold")]
    for entry, gain in ((fills[0], "3"), (fills[1], "2")):
        trip = trip_of(fills, entry.client_order_id, Decimal(0), tags)
        assert trip is not None
        assert (trip.closed_ns, trip.left) == (fills[2].ts_event, Decimal(0))
        assert (trip.realized, trip.fills) == (Decimal(gain), 2)


def test_what_another_strategy_trades_is_no_part_of_a_trip(house: House) -> None:
    desk = Desk(house)
    fills = [
        desk.fill(1, "buy", 300, 6_000_000),
        desk.fill(2, "sell", 300, 6_100_000, strategy="pulse"),
    ]
    tags = [strategy_tag(name) for name in ("pulse", "threshold")]
    trip = trip_of(fills, fills[0].client_order_id, Decimal(0), tags)
    assert trip is not None
    assert (trip.closed_ns, trip.fills, trip.left) == (0, 1, Decimal("0.003"))


def test_what_is_left_below_the_smallest_quantity_is_flat() -> None:
    fills = [
        fill(MINE + "a" * 24, "1", qty=300, quote_qty=300, fee=1, fee_asset="BTC", fee_exp=5),
        fill(MINE + "b" * 24, "2", side="sell", qty=298, quote_qty=500, fee=0),
    ]
    trip = trip_of(fills, MINE + "a" * 24, Decimal("0.00002"), [TAG])
    assert trip is not None
    assert (trip.closed_ns, trip.left) == (NOON_NS, Decimal("0.00001"))
    assert book(Ledger(), fills[0])


def test_features_are_computed_from_the_bars_again_to_the_last_bit(house: House) -> None:
    desk, window = Desk(house), Window()
    closes = [6_000_000 + number * number % 977 * 10 for number in range(90)]
    bars = desk.bars(1, closes)
    desk.keep("market")
    seen = [update(window, bar) for bar in bars]
    assert seen[-1] is not None
    assert features_of(house, forecast(bars[-1].open_ns)) == seen[-1]
    assert features_of(house, forecast(bars[75].open_ns)) == seen[75]


def test_where_bars_are_missing_the_features_are_told_to_be_unknown(house: House) -> None:
    desk = Desk(house)
    bars = desk.bars(1, [6_000_000] * 20)
    desk.keep("market")
    told_why = features_of(house, forecast(bars[-1].open_ns))
    assert isinstance(told_why, str)
    assert "20 of the 61 bars" in told_why
    assert "0 of the 61" in str(features_of(house, forecast(BEGIN_NS + 99 * HOUR_NS)))


def test_a_person_sees_features_and_the_models_card(house: House) -> None:
    from services.rrr.ears import Seen  # noqa: PLC0415 - one test alone
    from services.rrr.why_model import made_of, made_text  # noqa: PLC0415 - one test alone

    desk = Desk(house)
    bars = desk.bars(1, [6_000_000 + n * 10 for n in range(70)])
    desk.day.say(
        ModelCard(
            ts_event=BEGIN_NS, name="small", sha256=SHA, source="models/small", timeframe="1m",
            symbols=(SYMBOL,), features=NAMES, horizon_ns=1, data_first_ns=0, data_last_ns=1,
            data_hash="x", rows=5, metrics=(("brier", 0.2),), baselines=(),
        )
    )  # fmt: skip
    desk.keep("market", "analytics")
    said = forecast(bars[-1].open_ns, model=SHA)
    made = made_of(house, [Seen("predictor.forecast", 1, 1, said)])
    assert made.model is not None
    assert (made.model["name"], made.missing) == ("small", [])
    assert tuple(made.features) == NAMES
    text = "\n".join(made_text(made))
    assert "Model: small abababababababab, models/small" in text
    assert "  brier 0.2" in text
    assert "  return_1 +" in text
