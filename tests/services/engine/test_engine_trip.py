"""A whole trade, with the gateway played by hand: from a forecast to an order, a stop, and out."""

from schema.house import PeerSeen, Started
from schema.orders import (
    InstrumentHalted,
    KillLevel,
    OrderCanceled,
    OrderCancelRejected,
    OrderExpired,
    OrderRejected,
    OrderUnconfirmed,
)
from schema.streams import STREAMS
from schema.trading import CancelIntent, Decision, OrderIntent, Portfolio, Position
from tests.services.engine.engine_desk import Desk, decisions, none_ordered, only, restarted
from tests.services.engine.engine_made import (
    MINUTE_NS,
    PX,
    SECOND_NS,
    SYMBOL,
    TTL_NS,
    engine,
    forecast,
    instrument,
    quote,
    submitted,
)


def test_a_forecast_becomes_a_decision_and_an_order_with_its_reasons() -> None:
    desk = Desk(engine()).open()
    said = desk.forecast(0.6)
    decision, entry = only(said, Decision), only(said, OrderIntent)
    assert decision.action == "enter"
    assert decision.client_order_id == entry.client_order_id
    assert dict(decision.notes)["probability"] == "0.6"
    assert (entry.side, entry.order_type, entry.leg) == ("buy", "market", "entry")
    assert entry.qty == decision.qty > 0
    assert entry.qty * entry.ref_px <= 10_000 * 10**7
    assert 0 < decision.stop_px < PX
    assert entry.valid_until_ns == desk.now_ns + TTL_NS
    assert entry.trace == decision.trace == 77
    assert entry.cause[0] == STREAMS["predictor.forecast"].number


def test_a_round_trip_ends_flat_with_the_books_exact() -> None:
    desk = Desk(engine()).open()
    entry = desk.enter()
    desk.accept(entry)
    fee = entry.qty  # A thousandth of it, in base, with three decimals more.
    said = desk.fill(entry, fee=fee)
    assert [m.strategy for m in said if isinstance(m, Position)] == ["", "threshold"]
    assert only(said, Portfolio).equity < 100_000 * 10**7
    stop = only(said, OrderIntent)
    held = entry.qty - 1 - fee // 1000
    assert (stop.side, stop.order_type, stop.leg, stop.qty) == ("sell", "stop", "stop", held)
    assert stop.reduce_only
    assert stop.parent == entry.client_order_id
    assert stop.trace == entry.trace
    desk.accept(stop)

    said = desk.forecast(0.40)
    assert decisions(said)[0].action == "exit"
    assert only(said, CancelIntent).client_order_id == stop.client_order_id
    assert none_ordered(desk.pass_time(SECOND_NS, PX))
    exit_ = only(desk.cancel(stop.client_order_id), OrderIntent)
    assert (exit_.leg, exit_.qty, exit_.order_type) == ("exit", held, "market")
    desk.accept(exit_)
    said = desk.fill(exit_, px=PX + 10_000)
    assert none_ordered(said)
    assert none_ordered(desk.pass_time(10 * MINUTE_NS, PX))
    ledger = desk.core.state.books.ledger
    holding = ledger.holding(SYMBOL)
    assert holding is not None
    assert 0 < holding.qty < 1000  # Dust: less than one lot.
    cash = 100_000 * 10**7 - entry.qty * PX + held * (PX + 10_000)
    assert ledger.balance("USDT").amount * 10 ** (7 - ledger.balance("USDT").exp) == cash


def test_a_forecast_that_says_little_holds_and_says_why_once() -> None:
    desk = Desk(engine()).open()
    first = only(desk.forecast(0.50), Decision)
    assert (first.action, first.reason) == ("hold", "probability below enter")
    repeats = [decisions(desk.forecast(0.50 + n / 1000)) for n in range(1, 20)]
    assert [len(found) for found in repeats].count(1) == 1


def test_history_is_no_reason_to_trade_or_to_speak() -> None:
    desk = Desk(engine()).open()
    old = forecast(desk.now_ns - 5 * MINUTE_NS, 0.9)
    assert desk.hear(old) == []


def test_the_stop_that_fills_ends_the_target() -> None:
    desk = Desk(engine()).open()
    _, stop = desk.hold()
    said = desk.fill(stop, px=stop.stop_px)
    assert only(said, Decision).reason == "stop"
    assert none_ordered(desk.pass_time(5 * MINUTE_NS, PX))


def test_a_price_that_fell_through_the_stop_sells_at_the_market() -> None:
    desk = Desk(engine()).open()
    entry = desk.enter()
    desk.accept(entry)
    desk.hear(quote(desk.now_ns, PX // 2))
    said = desk.fill(entry)
    assert only(said, Decision).reason == "stop"
    assert only(said, OrderIntent).order_type == "market"


def test_the_hold_time_ends_without_a_forecast() -> None:
    desk = Desk(engine()).open()
    _, stop = desk.hold()
    said = desk.pass_time(61 * MINUTE_NS, PX)
    assert only(said, Decision).reason == "the time is over"
    assert only(said, CancelIntent).client_order_id == stop.client_order_id


def test_partial_fills_are_protected_once_the_entry_ends() -> None:
    desk = Desk(engine()).open()
    entry = desk.enter()
    desk.accept(entry)
    assert none_ordered(desk.fill(entry, qty=entry.qty // 2))
    stop = only(desk.fill(entry, qty=entry.qty - entry.qty // 2), OrderIntent)
    assert stop.qty == entry.qty


def test_an_entry_that_stays_partly_open_is_protected_after_a_while() -> None:
    desk = Desk(engine()).open()
    entry = desk.enter()
    desk.accept(entry)
    desk.fill(entry, qty=entry.qty // 2)
    stop = only(desk.pass_time(3 * TTL_NS, PX), OrderIntent)
    assert (stop.leg, stop.qty) == ("stop", entry.qty // 2)
    desk.accept(stop)
    said = desk.fill(entry, qty=entry.qty - entry.qty // 2)
    assert only(said, CancelIntent).client_order_id == stop.client_order_id
    assert only(desk.cancel(stop.client_order_id), OrderIntent).qty == entry.qty


def test_a_denied_entry_waits_for_a_fresh_signal() -> None:
    desk = Desk(engine()).open()
    entry = desk.enter()
    assert none_ordered(desk.deny(entry.client_order_id))
    assert none_ordered(desk.pass_time(20 * SECOND_NS, PX))
    again = desk.enter()
    assert again.client_order_id != entry.client_order_id


def test_an_entry_that_expires_unfilled_is_over() -> None:
    desk = Desk(engine()).open()
    entry = desk.enter()
    desk.accept(entry)
    assert none_ordered(desk.tell(OrderExpired, entry.client_order_id))
    assert desk.core.state.books.slots[f"threshold {SYMBOL}"].qty == 0


def test_an_unconfirmed_entry_blocks_until_evidence_comes() -> None:
    desk = Desk(engine()).open()
    entry = desk.enter()
    desk.hear(submitted(entry, desk.now_ns))
    desk.tell(OrderUnconfirmed, entry.client_order_id)
    for _ in range(5):
        assert none_ordered(desk.forecast(0.7))
    desk.tell(OrderRejected, entry.client_order_id, code="NEVER_ARRIVED")
    assert not none_ordered(desk.forecast(0.7))


def test_a_late_fill_of_a_dead_entry_is_sold() -> None:
    desk = Desk(engine()).open()
    entry = desk.enter()
    desk.hear(submitted(entry, desk.now_ns))
    desk.tell(OrderRejected, entry.client_order_id)
    sold = only(desk.fill(entry, late=True), OrderIntent)
    assert (sold.leg, sold.qty) == ("exit", entry.qty)


def test_a_refused_exit_is_said_again_after_a_rest_and_never_sooner() -> None:
    desk = Desk(engine()).open()
    _, stop = desk.hold()
    desk.forecast(0.40)
    exit_ = only(desk.cancel(stop.client_order_id), OrderIntent)
    assert none_ordered(desk.deny(exit_.client_order_id))
    for _ in range(9):
        assert none_ordered(desk.pass_time(TTL_NS // 10, PX))
    again = only(desk.pass_time(TTL_NS // 5, PX), OrderIntent)
    assert (again.leg, again.qty) == ("exit", exit_.qty)
    assert again.client_order_id != exit_.client_order_id


def test_a_stop_that_overtook_its_fill_on_the_way_to_risk_is_said_again_at_once() -> None:
    desk = Desk(engine()).open()
    entry = desk.enter()
    desk.accept(entry)
    stop = only(desk.fill(entry), OrderIntent)
    for tries in range(1, 4):
        assert none_ordered(desk.deny(stop.client_order_id, "REDUCE_ONLY_WOULD_INCREASE_POSITION"))
        assert none_ordered(desk.pass_time(tries * TTL_NS // 30 - 1))
        again = only(desk.pass_time(1), OrderIntent)
        assert (again.leg, again.qty, again.stop_px) == ("stop", stop.qty, stop.stop_px)
        stop = again


def test_a_stop_that_somebody_cancelled_comes_back() -> None:
    desk = Desk(engine()).open()
    _, stop = desk.hold()
    desk.tell(OrderCanceled, stop.client_order_id)
    again = only(desk.pass_time(2 * TTL_NS, PX), OrderIntent)
    assert (again.leg, again.qty, again.stop_px) == ("stop", stop.qty, stop.stop_px)


def test_a_cancel_that_was_refused_is_tried_again_after_a_rest() -> None:
    desk = Desk(engine()).open()
    _, stop = desk.hold()
    desk.forecast(0.40)
    assert none_ordered(desk.tell(OrderCancelRejected, stop.client_order_id))
    said = desk.pass_time(2 * TTL_NS, PX)
    assert only(said, CancelIntent).client_order_id == stop.client_order_id


def test_exits_wait_for_a_gateway_that_is_away() -> None:
    desk = Desk(engine()).open()
    _, stop = desk.hold()
    desk.peers("SILENT", "gateway")
    said = desk.forecast(0.40)
    assert decisions(said)[0].action == "exit"
    assert none_ordered(said)
    said = desk.hear(PeerSeen(service="gateway", state="READY"))
    assert only(said, CancelIntent).client_order_id == stop.client_order_id


def test_exits_go_out_while_entries_are_closed() -> None:
    desk = Desk(engine()).open()
    _, stop = desk.hold()
    desk.hear(KillLevel(ts_event=desk.now_ns, level="HALTED", by="me", reason="a drill"))
    desk.hear(InstrumentHalted(ts_event=desk.now_ns, symbol=SYMBOL, reason="late fill"))
    desk.peers("SILENT", "risk", "ingest")
    assert only(desk.forecast(0.40), CancelIntent)
    assert only(desk.cancel(stop.client_order_id), OrderIntent).leg == "exit"


def test_the_same_decision_has_the_same_ids_after_a_restart() -> None:
    desk, other = Desk(engine()).open(), Desk(engine()).open()
    entry = desk.enter()
    other.core = restarted(other.core, engine())
    again = other.enter()
    assert again == entry
    desk.accept(entry)
    other.accept(again)
    other.core = restarted(other.core, engine())
    assert only(other.fill(again), OrderIntent) == only(desk.fill(entry), OrderIntent)


def test_an_order_that_only_the_gateway_remembers_is_sold_again() -> None:
    desk = Desk(engine()).open()
    entry = desk.enter()
    lost = Desk(engine(), desk.now_ns).open()
    lost.hear(submitted(entry, lost.now_ns))
    lost.fill(entry)
    sold = only(lost.pass_time(TTL_NS, PX) + lost.said, OrderIntent)
    assert (sold.leg, sold.qty) == ("exit", entry.qty)
    assert sold.client_order_id != entry.client_order_id


def test_a_fill_that_is_told_twice_is_booked_once() -> None:
    desk = Desk(engine()).open()
    entry = desk.enter()
    desk.accept(entry)
    fill = desk.filling(entry)
    desk.hear(fill)
    before = desk.core.state.books.ledger.balance("USDT").amount
    desk.hear(fill)
    assert desk.core.state.books.ledger.balance("USDT").amount == before
    assert desk.core.state.books.ledger.fills == 1


def test_nothing_is_ordered_before_what_was_missed_is_heard() -> None:
    desk = Desk(engine()).open()
    entry, stop = desk.hold()
    desk.now_ns += 10 * MINUTE_NS
    fill = desk.filling(stop, px=stop.stop_px)
    desk.hear(Started(epoch=2, grade="exact"))
    desk.peers()
    assert none_ordered(desk.hear(quote(desk.now_ns)))
    assert none_ordered(desk.hear(fill))
    assert none_ordered(desk.pass_time(TTL_NS, PX))
    assert entry.qty == stop.qty


def test_dust_is_left_and_no_reason_to_sell() -> None:
    desk = Desk(engine()).open()
    entry = desk.enter()
    desk.accept(entry)
    desk.hear(instrument(min_notional=20_000 * 10**7))
    said = desk.fill(entry)
    assert none_ordered(said)
    assert only(said, Decision).reason == "the position is gone"
