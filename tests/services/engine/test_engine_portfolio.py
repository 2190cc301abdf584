"""What the account is worth, told after fills and now and then, and never wrong."""

from schema.identity import client_order_id
from schema.orders import Deposit, Fill, KillLevel
from schema.trading import Portfolio, Position
from tests.services.engine.engine_desk import (
    PX,
    SECOND_NS,
    SYMBOL,
    TTL_NS,
    WORLD,
    Desk,
    engine,
    instrument,
    money,
    none_ordered,
    only,
    quote,
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


def test_the_peak_is_the_highest_equity_ever_said() -> None:
    desk = Desk(engine()).open()
    desk.hear(money(desk.now_ns, 50_000))
    desk.hear(
        Deposit(ts_event=desk.now_ns, asset="USDT", amount=-20_000 * E7, exp=7, venue_id="out")
    )
    assert [p.peak_equity // E7 for p in portfolios(desk)] == [100_000, 150_000, 150_000]


def test_snapshots_come_in_market_time_and_tell_the_mark() -> None:
    desk = Desk(engine()).open()
    desk.hold()
    before = len(portfolios(desk))
    desk.pass_time(180 * SECOND_NS, PX + 5_000)
    assert len(portfolios(desk)) - before == 3
    assert portfolios(desk)[-1].unrealized > 0


def test_without_money_or_a_price_no_portfolio_is_said() -> None:
    desk = Desk(engine()).open(deposit=False)
    desk.pass_time(180 * SECOND_NS, PX)
    assert portfolios(desk) == []
    strange = Desk(engine())
    strange.hear(instrument(), money(strange.now_ns, 1_000))
    entry = Desk(engine()).open().enter()
    strange.fill(entry)
    assert len(portfolios(strange)) == 1  # Of the deposit: what was bought has no price here.


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
