"""Orders, fills, books and stops as the trading shard folds them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from bus.errors import ShardError
from bus.rows import average_price, decimal_text, iso_time, read_rows
from schema import orders, trading
from schema.head import Message
from schema.house import Bye
from schema.market import FeedStatus, Instrument
from tests.services.writer.trading_desk import NS, ORDER, Desk

ID = "0a" * 16


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.store.close()


def intent(**changes: Any) -> trading.OrderIntent:
    values: dict[str, Any] = {
        "ts_event": NS, "trace": 5, "client_order_id": ID, "strategy": "pulse",
        "symbol": "BTC/USDT", "side": "buy", "order_type": "limit", "qty": 300, "px_exp": 2,
        "qty_exp": 5, "limit_px": 6400010,
    }  # fmt: skip
    return trading.OrderIntent(**values | changes)


VERDICT = trading.Verdict(
    ts_event=NS, client_order_id=ID, order_hash=b"\x01\x02", approved=True, code="OK", detail="",
    epoch=1, expires_ns=NS, symbol="BTC/USDT",
)  # fmt: skip
SUBMITTED = orders.OrderSubmitted(
    ts_event=NS, client_order_id=ID, intent=intent(), verdict=VERDICT, signed_ms=1
)
ACCEPTED = orders.OrderAccepted(
    ts_event=NS, client_order_id=ID, symbol="BTC/USDT", venue_order_id="v1"
)


def fill(trade_id: str = "t1", **changes: Any) -> orders.Fill:
    values: dict[str, Any] = {
        "ts_event": NS, "client_order_id": ID, "symbol": "BTC/USDT", "side": "buy",
        "venue_order_id": "v1", "venue_trade_id": trade_id, "px": 6400000, "qty": 100,
        "quote_qty": 6400000000, "fee": 10, "fee_asset": "BNB", "maker": False, "px_exp": 2,
        "qty_exp": 5, "quote_exp": 8, "fee_exp": 8,
    }  # fmt: skip
    return orders.Fill(**values | changes)


def test_an_order_goes_from_intent_to_filled_with_all_its_events(desk: Desk) -> None:
    desk.say(intent(), VERDICT, SUBMITTED, ACCEPTED)
    assert desk.status() == "ACCEPTED"
    desk.say(fill("t1"), fill("t2"))
    assert desk.status() == "PARTIALLY_FILLED"
    desk.say(fill("t3"))
    (order,) = read_rows(desk.directory, "trading", "SELECT * FROM orders")
    assert order == {
        "client_order_id": ID, "strategy": "pulse", "symbol": "BTC/USDT", "side": "buy",
        "order_type": "limit", "leg": "entry", "parent": "", "status": "FILLED", "qty": "0.00300",
        "limit_price": "64000.10", "stop_price": None, "filled_qty": "0.00300",
        "filled_quote": "192.00000000", "venue_order_id": "v1", "reason": "",
        "created": "2026-01-01T00:00:00.000Z", "updated": "2026-01-01T00:00:00.000Z",
        "trace": 5, "created_ns": NS, "updated_ns": NS,
    }  # fmt: skip
    events = desk.rows("SELECT type, status, outcome FROM order_events ORDER BY id")
    assert events == [
        ("OrderIntent", "", "ok"),
        ("Verdict", "", "ok"),
        ("OrderSubmitted", "SUBMITTED", "ok"),
        ("OrderAccepted", "ACCEPTED", "ok"),
        ("Fill", "PARTIALLY_FILLED", "ok"),
        ("Fill", "PARTIALLY_FILLED", "ok"),
        ("Fill", "FILLED", "ok"),
    ]
    ((hash_text,),) = desk.rows(
        "SELECT detail ->> '$.verdict.order_hash' FROM order_events WHERE type = 'OrderSubmitted'"
    )
    assert hash_text == "0102"


def test_the_verdict_and_the_answer_may_come_before_the_intent(desk: Desk) -> None:
    desk.say(trading.Verdict(**{**_fields(VERDICT), "symbol": ""}), SUBMITTED, ACCEPTED, intent())
    found = desk.rows("SELECT symbol, strategy, qty, status FROM orders")
    assert found == [("BTC/USDT", "pulse", "0.00300", "ACCEPTED")]


def test_an_order_was_made_with_its_intent_whoever_is_heard_first(desk: Desk) -> None:
    late = orders.OrderAccepted(**_fields(ACCEPTED) | {"ts_event": NS + 2_000_000})
    desk.say(late, intent())
    found = desk.rows("SELECT created, updated, trace FROM orders")
    assert found == [("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.002Z", 5)]


def _fields(message: Message) -> dict[str, Any]:
    return {name: getattr(message, name) for name in message.__struct_fields__}


def test_a_fill_is_booked_once_and_its_legs_add_up_to_zero(desk: Desk) -> None:
    desk.say(SUBMITTED, fill(), fill())
    desk.say(fill())
    assert desk.rows("SELECT count(*) FROM fills") == [(1,)]
    sums = desk.rows("SELECT asset, sum(amount) FROM trading.ledger GROUP BY asset, exp")
    assert sums == [("BNB", 0), ("BTC", 0), ("USDT", 0)]
    own = desk.rows("SELECT asset, amount FROM ledger WHERE account = 'trading' ORDER BY asset")
    assert own == [("BNB", "-0.00000010"), ("BTC", "0.00100"), ("USDT", "-64.00000000")]
    assert desk.rows("SELECT filled_qty FROM orders") == [("0.00100",)]
    assert dict(desk.store.counters())["repeats"] == 2


def test_a_fill_with_the_id_of_another_goes_to_the_dead_letters(desk: Desk) -> None:
    desk.say(SUBMITTED, fill(), fill(qty=101))
    found = desk.rows("SELECT qty, strategy, leg, venue_order_id FROM fills")
    assert found == [("0.00100", "pulse", "entry", "v1")]
    ((kind, reason),) = desk.rows("SELECT type, reason FROM dead_letter")
    assert (kind, "append-only" in str(reason)) == ("Fill", True)


def test_a_fill_without_a_quote_asset_is_kept_whole_among_the_dead_letters(desk: Desk) -> None:
    desk.say(SUBMITTED, fill(symbol="BTCUSDT"), ACCEPTED)
    for table in ("fills", "ledger"):
        assert desk.rows(f"SELECT count(*) FROM {table}") == [(0,)]
    assert desk.rows("SELECT type FROM dead_letter") == [("Fill",)]
    assert desk.status() == "ACCEPTED"


def test_a_late_fill_is_booked_and_the_terminal_state_stays(desk: Desk) -> None:
    canceled = orders.OrderCanceled(ts_event=NS, client_order_id=ID, symbol="BTC/USDT")
    desk.say(SUBMITTED, ACCEPTED, canceled, fill(late=True))
    assert desk.status() == "CANCELED"
    assert desk.rows("SELECT late, qty FROM fills") == [(1, "0.00100")]
    assert desk.rows("SELECT type FROM order_events WHERE outcome = 'late_fill'") == [("Fill",)]


def test_opening_balances_are_deposits_and_a_changed_repeat_is_refused(desk: Desk) -> None:
    deposit = orders.Deposit(ts_event=NS, asset="USDT", amount=10**12, exp=8, venue_id="open")
    other = orders.Deposit(ts_event=NS, asset="USDT", amount=1, exp=8, venue_id="open")
    desk.say(deposit, deposit, other)
    assert desk.rows("SELECT account, amount FROM ledger ORDER BY account") == [
        ("outside", "-10000.00000000"),
        ("trading", "10000.00000000"),
    ]
    assert desk.rows("SELECT count(*) FROM dead_letter") == [(1,)]


def test_positions_and_portfolio_are_shown_in_decimals(desk: Desk) -> None:
    position = trading.Position(
        ts_event=NS, symbol="BTC/USDT", qty=-300, cost=-19200000000, realized=-5, fees=1,
        mark_px=6400000, px_exp=2, qty_exp=5, quote_exp=8,
    )  # fmt: skip
    desk.say(position, position)
    found = desk.rows("SELECT qty, avg_price, realized, mark_price FROM positions")
    assert found == [("-0.00300", "64000.000000", "-0.00000005", "64000.00")]


def test_limits_are_folded_and_what_people_did_is_audited(desk: Desk) -> None:
    name: dict[str, Any] = {"limit_name": "daily_loss", "scope": "*"}
    desk.say(
        trading.LimitChanged(ts_event=NS, **name, before="1", after="2", by="ann", reason="r"),
        trading.LimitBreached(ts_event=NS, **name, observed="3", limit="2", latched=True),
        orders.KillLevel(ts_event=NS, level="HALTED", by="ann", reason="storm"),
    )
    assert desk.rows("SELECT value, observed, latched FROM risk_limits") == [("2", "3", 1)]
    desk.say(trading.LimitReleased(ts_event=NS, **name, by="ann", reason="seen"))
    assert desk.rows("SELECT value, observed, latched FROM risk_limits") == [("2", "3", 0)]
    assert desk.rows("SELECT what, by, reason FROM audit ORDER BY id") == [
        ("LimitChanged", "ann", "r"),
        ("KillLevel", "ann", "storm"),
        ("LimitReleased", "ann", "seen"),
    ]
    assert desk.rows("SELECT state FROM risk_events WHERE type = 'KillLevel'") == [("HALTED",)]


@pytest.mark.parametrize("table", ["audit", "ledger", "trades", "order_events"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET ts_ns = 1"])
def test_what_happened_cannot_be_changed(tmp_path: Path, table: str, change: str) -> None:
    desk = Desk(tmp_path)
    desk.say(SUBMITTED, fill(), orders.KillLevel(ts_event=NS, level="HALTED", by="a", reason="b"))
    (shard,) = desk.store.shards()
    with pytest.raises(ShardError, match="append-only"), shard.transaction() as db:
        db.execute(change.format(table))
    desk.store.close()


def test_the_opening_of_a_day_is_an_event_of_risk(desk: Desk) -> None:
    desk.say(trading.DayOpened(ts_event=NS, quote="USDT", equity=1_000_050, quote_exp=2))
    found = desk.rows("SELECT type, scope, state, detail ->> '$.equity' FROM risk_events")
    assert found == [("DayOpened", "USDT", "10000.50", 1_000_050)]


def test_instruments_are_kept_and_feed_states_are_not(desk: Desk) -> None:
    values: dict[str, Any] = {
        "symbol": "BTC/USDT",
        "venue_symbol": "BTCUSDT",
        "base": "BTC",
        "quote": "USDT",
    }
    instrument = Instrument(ts_event=NS, **values, px_exp=2, qty_exp=5, quote_exp=8, tick=1, lot=1)
    status = FeedStatus(ts_event=NS, symbol="BTC/USDT", state="OK", reason="")
    desk.say(instrument, status, instrument)
    assert desk.rows("SELECT symbol, px_exp FROM instruments") == [("BTC/USDT", 2)]
    assert desk.store.cursors() == {ORDER: 3}


def test_every_version_of_an_instrument_is_kept_and_the_newest_stands_alone(desk: Desk) -> None:
    values: dict[str, Any] = {
        "symbol": "BTC/USDT",
        "venue_symbol": "BTCUSDT",
        "base": "BTC",
        "quote": "USDT",
    }
    first = Instrument(ts_event=NS, **values, px_exp=2, qty_exp=5, quote_exp=7, tick=0, lot=1)
    second = structs.replace(first, ts_event=NS + 9, tick=10, status="BREAK")
    desk.say(first, second, second)
    history = "SELECT valid_from_ns - {}, tick, status FROM {} ORDER BY valid_from_ns"
    expected = [(0, "0.00", "TRADING"), (9, "0.10", "BREAK")]
    assert desk.rows(history.format(NS, "instruments_history")) == expected
    assert desk.rows("SELECT tick, status FROM instruments") == [("0.10", "BREAK")]


def test_a_message_without_a_table_goes_to_the_dead_letters(desk: Desk) -> None:
    desk.say(Bye(ts_event=NS, reason="bye"))
    assert desk.rows("SELECT type, reason FROM dead_letter") == [("Bye", "no table keeps a Bye")]


def test_an_illegal_step_is_recorded_and_changes_nothing(desk: Desk) -> None:
    canceled = orders.OrderCanceled(ts_event=NS, client_order_id=ID, symbol="BTC/USDT")
    desk.say(SUBMITTED, canceled, SUBMITTED)
    assert desk.status() == "CANCELED"
    found = desk.rows("SELECT type FROM order_events WHERE outcome = 'illegal'")
    assert found == [("OrderSubmitted",)]


def test_a_refused_cancel_gives_back_the_state_underneath(desk: Desk) -> None:
    about: dict[str, Any] = {"client_order_id": ID, "symbol": "BTC/USDT"}
    asked = orders.OrderPendingCancel(ts_event=NS, reason="", **about)
    desk.say(SUBMITTED, ACCEPTED, fill(), asked)
    assert desk.status() == "PENDING_CANCEL"
    desk.say(orders.OrderCancelRejected(ts_event=NS, code="-2011", detail="", **about))
    assert desk.status() == "PARTIALLY_FILLED"


@pytest.mark.parametrize(
    ("number", "exponent", "text"),
    [
        (0, 0, "0"), (0, 2, "0.00"), (5, 0, "5"), (-5, 3, "-0.005"), (123456, 2, "1234.56"),
        (2**63 - 1, 18, "9.223372036854775807"), (None, 2, None), (5, None, None),
    ],
)  # fmt: skip
def test_decimals_are_exact(number: int | None, exponent: int | None, text: str | None) -> None:
    assert decimal_text(number, exponent) == text


def test_times_and_averages_are_for_people() -> None:
    assert iso_time(1_767_225_600_123_456_789) == "2026-01-01T00:00:00.123Z"
    assert average_price(0, 5, 0, 8, 2) is None
    assert average_price(3, 0, 100, 0, 0) == "33.3333"


def test_what_left_is_the_order_whatever_was_wanted_before(desk: Desk) -> None:
    desk.say(intent(qty=300), orders.OrderSubmitted(
        ts_event=NS, client_order_id=ID, intent=intent(qty=200), verdict=VERDICT, signed_ms=1,
        symbol="BTC/USDT",
    ))  # fmt: skip
    desk.say(intent(qty=300))
    assert desk.rows("SELECT qty FROM orders") == [("0.00200",)]
