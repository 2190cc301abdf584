"""What the account is worth, told after fills and now and then, and never wrong."""

from fractions import Fraction

import msgspec

from schema.identity import client_order_id
from schema.orders import Deposit, Fill, KillLevel
from schema.trading import OrderIntent, Portfolio, Position
from schema.units import DAY_NS
from tests.services.engine.engine_desk import Desk, none_ordered, only
from tests.services.engine.engine_made import (
    PX,
    SECOND_NS,
    SYMBOL,
    TTL_NS,
    WORLD,
    engine,
    forecast,
    instrument,
    money,
    quote,
    told,
)

E7 = 10**7


def portfolios(desk: Desk) -> list[Portfolio]:
    return [m for m in desk.said if isinstance(m, Portfolio)]


def test_a_portfolio_is_cash_and_positions_at_the_mid() -> None:
    desk = Desk(engine()).open()
    entry = desk.enter()
    desk.accept(entry)
    found = only(desk.fill(entry, px=PX + 10), Portfolio)
    worth, cost = entry.qty * PX, entry.qty * (PX + 10)
    assert found.cash == 100_000 * E7 - cost
    assert found.equity == found.cash + worth
    assert (found.gross_exposure, found.net_exposure) == (worth, worth)
    assert (found.realized, found.unrealized, found.fees) == (0, worth - cost, 0)
    assert (found.quote, found.quote_exp) == ("USDT", 7)


def test_the_peak_is_the_highest_equity_and_moves_with_deposits() -> None:
    desk = Desk(engine()).open()
    desk.hear(money(desk.now_ns, 50_000))
    desk.hear(
        Deposit(ts_event=desk.now_ns, asset="USDT", amount=-20_000 * E7, exp=7, venue_id="out")
    )
    assert [p.peak_equity // E7 for p in portfolios(desk)] == [100_000, 150_000, 130_000]
    entry = desk.enter()
    desk.accept(entry)
    desk.fill(entry)
    desk.pass_time(60 * SECOND_NS, PX + 5_000)
    high = portfolios(desk)[-1]
    assert high.peak_equity == high.equity > 130_000 * E7
    desk.pass_time(60 * SECOND_NS, PX - 5_000)
    low = portfolios(desk)[-1]
    assert low.equity < low.peak_equity == high.peak_equity


def test_every_portfolio_adds_up_to_what_was_put_in_and_earned() -> None:
    desk = Desk(engine()).open()
    desk.hold()
    desk.hear(
        Deposit(
            ts_event=desk.now_ns, asset="USDT", amount=-3, exp=8, venue_id="f1", kind="funding",
            symbol=SYMBOL,
        )
    )  # fmt: skip
    desk.pass_time(120 * SECOND_NS, PX + 3_000)
    for one in portfolios(desk):
        earned = one.realized + one.unrealized - one.fees + one.funding
        assert one.equity - one.deposits == earned
    assert (portfolios(desk)[-1].funding, portfolios(desk)[-1].quote_exp) == (-3, 8)


def test_what_has_no_price_any_more_stands_at_its_cost_and_raises_no_peak() -> None:
    desk = Desk(engine()).open()
    desk.hold()
    desk.pass_time(60 * SECOND_NS, PX + 5_000)
    peak = portfolios(desk)[-1].peak_equity
    desk.now_ns += 3_600 * SECOND_NS  # Nobody tells a price meanwhile.
    found = only(desk.hear(money(desk.now_ns, 1_000)), Portfolio)
    assert found.unpriced == (SYMBOL,)
    assert found.unrealized == 0
    assert found.peak_equity == peak + 1_000 * E7
    assert not portfolios(desk)[0].unpriced


def test_a_day_that_is_over_is_said_once_at_the_first_look_of_the_next() -> None:
    desk = Desk(engine()).open()
    desk.hold()
    day = desk.now_ns // DAY_NS
    desk.now_ns = (day + 1) * DAY_NS + SECOND_NS
    said = desk.hear(money(desk.now_ns, 7), money(desk.now_ns, 8))
    found = [m for m in said if isinstance(m, Portfolio)]
    assert [m.period for m in found] == ["day", "minute", "minute"]
    assert [m.ts_event // DAY_NS - day for m in found] == [0, 1, 1]
    assert found[0].equity == found[1].equity


def test_snapshots_come_in_market_time_and_tell_the_mark() -> None:
    desk = Desk(engine()).open()
    desk.hold()
    before = len(portfolios(desk))
    desk.pass_time(180 * SECOND_NS, PX + 5_000)
    assert len(portfolios(desk)) - before == 3
    assert portfolios(desk)[-1].unrealized > 0


def test_without_money_no_portfolio_is_said_and_without_a_price_it_is_named() -> None:
    desk = Desk(engine()).open(deposit=False)
    desk.pass_time(180 * SECOND_NS, PX)
    assert portfolios(desk) == []
    strange = Desk(engine())
    strange.hear(instrument(), money(strange.now_ns, 1_000))
    entry = Desk(engine()).open().enter()
    strange.fill(entry)
    assert [one.unpriced for one in portfolios(strange)] == [(), (SYMBOL,)]


def closing(desk: Desk, qty: int) -> Fill:
    """Return a fill of the gateway's own, as FLATTEN makes it."""
    order_id = client_order_id(WORLD, "gateway", SYMBOL, "flatten 1", 1)
    sold = desk.orders()[-1]
    return desk.filling(sold, qty=qty, client_order_id=order_id, side="sell", fee_asset="USDT")


def test_what_the_gateway_closes_is_taken_from_the_strategies_books() -> None:
    desk = Desk(engine()).open()
    entry, stop = desk.hold()
    desk.hear(KillLevel(ts_event=desk.now_ns, level="FLATTEN", by="me", reason="enough"))
    assert none_ordered(desk.cancel(stop.client_order_id))
    assert none_ordered(desk.pass_time(3 * TTL_NS, PX))
    said = desk.hear(closing(desk, entry.qty))
    found = {m.strategy: m.qty for m in said if isinstance(m, Position)}
    assert found == {"": 0, "gateway": 0, "threshold": 0}
    desk.hear(KillLevel(ts_event=desk.now_ns, level="HALTED", by="gateway", reason="closed"))
    assert none_ordered(desk.pass_time(10 * TTL_NS, PX))
    assert desk.core.state.books.slots[f"threshold {SYMBOL}"].qty == 0
    desk.hear(KillLevel(ts_event=desk.now_ns, level="ACTIVE", by="me", reason="again"))
    desk.hear(quote(desk.now_ns))
    assert desk.enter().leg == "entry"


def test_a_position_is_said_with_every_fill_and_names_its_book() -> None:
    desk = Desk(engine()).open()
    entry = desk.enter()
    desk.accept(entry)
    stranger = desk.filling(entry, client_order_id="f" * 32)
    assert isinstance(stranger, Fill)
    found = [m for m in desk.hear(stranger) if isinstance(m, Position)]
    assert [m.strategy for m in found] == ["", "unattributed"]


NAMES = ("told", "two", "gone")


def test_virtual_positions_add_up_to_the_account_to_the_last_unit() -> None:
    desk = Desk(engine(made=tuple(told(name) for name in NAMES))).open()

    def add_up() -> None:
        parts = sum(desk.held(name) for name in (*NAMES, "gateway"))
        assert parts == desk.held()

    for n, wish in enumerate(
        ("qty 0.05|two:weight 0.3|gone:qty 0.011", "qty 0.03|two:flat", "flat|two:qty 0.07")
    ):
        for intent in [m for m in desk.wants(f"told:{wish}") if isinstance(m, OrderIntent)]:
            desk.accept(intent)
            for part in (intent.qty // 3, intent.qty - intent.qty // 3):
                desk.fill(intent, part, px=PX + n, fee=part + n)  # In base, or in quote.
                add_up()
    assert desk.command("retire", "gone", "why").ok
    add_up()
    desk.hear(KillLevel(ts_event=desk.now_ns, level="FLATTEN", by="me", reason="enough"))
    whole = int(desk.held() * 10**5)
    desk.hear(closing(desk, whole // 2))
    add_up()
    desk.hear(closing(desk, whole - whole // 2))
    add_up()
    assert all(0 <= desk.held(name) < Fraction(1, 10**5) for name in NAMES)


def test_a_closing_that_is_heard_of_late_closes_nothing_that_was_bought_after_it() -> None:
    desk = Desk(engine(made=(told("told"), told("two")))).open()
    fills: list[Fill] = []
    for wish in ("flat|two:qty 0.05", "qty 0.05|two:qty 0.05"):
        for intent in [m for m in desk.wants(f"told:{wish}") if isinstance(m, OrderIntent)]:
            fills.append(desk.filling(intent, ts_event=desk.now_ns))
            desk.accept(intent)
            desk.hear(fills[-1])
        desk.pass_time(SECOND_NS, PX)
    assert [desk.held(name) for name in ("told", "two")] == [Fraction(5, 100)] * 2
    late = msgspec.structs.replace(closing(desk, 5_000), ts_event=fills[0].ts_event + 1)
    desk.hear(late)
    assert [desk.held(name) for name in ("told", "two")] == [Fraction(5, 100), 0]


def test_the_position_of_a_retired_strategy_is_said_in_its_name() -> None:
    desk = Desk(engine(made=(told(),))).open()
    desk.take(desk.wants("qty 0.05 stop=59000"))
    stop = desk.orders()[-1]
    assert desk.command("retire", "told", "why").ok
    said = desk.fill(stop, px=stop.stop_px)
    assert {m.strategy: m.qty for m in said if isinstance(m, Position)} == {"": 0, "told": 0}


BOTH = (SYMBOL, "ETH/USDT")


def test_a_budget_is_one_for_all_symbols_of_a_strategy() -> None:
    desk = Desk(engine(made=(told(symbols=BOTH), told("two", symbols=BOTH)), symbols=BOTH)).open()
    first = only(desk.wants("weight 0.7"), OrderIntent)
    second = only(desk.wants("weight 0.7", symbol=BOTH[1]), OrderIntent)  # The first is under way.
    spent = first.qty * first.ref_px + second.qty * second.ref_px
    assert 9_800 * E7 < spent <= 10_000 * E7
    other = only(desk.wants("two:weight 0.7"), OrderIntent)
    assert other.qty == first.qty
    desk.take([first])
    desk.take([second])
    assert none_ordered(desk.wants("weight 0.7 why=again"))


def test_what_others_lost_leaves_a_position_as_it_is() -> None:
    desk = Desk(engine(made=(told(symbols=BOTH),), symbols=BOTH)).open()
    for symbol in BOTH:
        desk.take(desk.wants("weight 0.49", symbol=symbol))
    desk.hear(quote(desk.now_ns, PX, BOTH[0]), quote(desk.now_ns, PX * 7 // 10, BOTH[1]))
    said = desk.hear(forecast(desk.now_ns, 0.5, source="told:weight 0.49", bar_open_ns=1))
    assert none_ordered(said)
