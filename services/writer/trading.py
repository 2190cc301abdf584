"""Which trading messages are kept, and the statements that fold the plain ones into tables.

What becomes of an order is folded in orders.py, because it depends on the order's state.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from schema import lifecycle, market, orders, strategy, trading
from schema.head import Message
from schema.units import to_text
from services.writer.effects import Keep
from services.writer.entries import Statement, of_deposit

AUDITED = (
    "INSERT INTO audit SELECT tail.id + 1, ?1, ?2, ?3, ?4, ?5, ?6, "
    "audit_hash(tail.hash, tail.id + 1, ?1, ?2, ?3, ?4, ?5, ?6) FROM "
    "(SELECT id, hash FROM audit UNION ALL SELECT 0, zeroblob(32) ORDER BY id DESC LIMIT 1) AS tail"
)
"""Adds a row to the audit with the hash that chains it to the one before."""

IGNORED: frozenset[type[Message]] = frozenset(
    {
        market.FeedStatus,  # a condition, not a fact of trading
        market.FeedGap,  # kept in the market shard
        market.FeedBudget,  # of use until a ban is over
        market.Quarantined,  # for a person to look at, in the journal
        trading.Decision,  # read from the journal by time; far more of them than orders
        strategy.StrategyState,  # of use to its strategy alone
        strategy.ShadowFill,  # never happened
        orders.RequestWeight,  # of use for a minute
        orders.AccountSnapshot,  # for late joiners; followers pass over it
    }
)


def keep(message: Message, _now_ns: int) -> Keep | None:
    """Return what is kept of a trading message; None for what is ignored by name."""
    kind = type(message)
    if kind in IGNORED:
        return None
    if kind in ORDER_EVENTS or kind in TABLES:
        return Keep(message=message)
    return Keep(message=message, refused=f"no table keeps a {kind.__name__}")


def statements(message: Message) -> list[Statement]:
    """Return the statements that fold a message which is no order event."""
    return TABLES[type(message)](message)


def detail(message: Message) -> str:
    """Return all fields of a message as a JSON object."""
    return msgspec.json.encode(_plain(message)).decode()


def _plain(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        return {name: _plain(part) for name, part in msgspec.structs.asdict(value).items()}
    return value.hex() if isinstance(value, bytes) else value


def _instrument(message: Any) -> list[Statement]:
    m: market.Instrument = message
    sql = (
        "INSERT INTO instruments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (symbol) DO UPDATE SET venue_symbol = excluded.venue_symbol, "
        "base = excluded.base, quote = excluded.quote, px_exp = excluded.px_exp, "
        "qty_exp = excluded.qty_exp, quote_exp = excluded.quote_exp, tick = excluded.tick, "
        "lot = excluded.lot, status = excluded.status, detail = excluded.detail, "
        "ts_ns = excluded.ts_ns"
    )
    names = (m.symbol, m.venue_symbol, m.base, m.quote)
    numbers = (m.px_exp, m.qty_exp, m.quote_exp, m.tick, m.lot)
    whole = detail(m)
    kept = (
        "INSERT INTO instrument_versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (symbol, valid_from_ns) DO UPDATE SET venue_symbol = excluded.venue_symbol, "
        "base = excluded.base, quote = excluded.quote, px_exp = excluded.px_exp, "
        "qty_exp = excluded.qty_exp, quote_exp = excluded.quote_exp, tick = excluded.tick, "
        "lot = excluded.lot, status = excluded.status, detail = excluded.detail"
    )
    version = (m.symbol, m.ts_event, *names[1:], *numbers, m.status, whole)
    return [(kept, version), (sql, (*names, *numbers, m.status, whole, m.ts_event))]


def _position(message: Any) -> list[Statement]:
    m: trading.Position = message
    sql = (
        "INSERT INTO positions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (symbol, strategy) DO UPDATE SET qty = excluded.qty, cost = excluded.cost, "
        "realized = excluded.realized, fees = excluded.fees, mark_px = excluded.mark_px, "
        "px_exp = excluded.px_exp, qty_exp = excluded.qty_exp, quote_exp = excluded.quote_exp, "
        "ts_ns = excluded.ts_ns, funding = excluded.funding, mark = excluded.mark"
    )
    books = (m.qty, m.cost, m.realized, m.fees, m.mark_px, m.px_exp, m.qty_exp, m.quote_exp)
    return [(sql, (m.symbol, m.strategy, *books, m.ts_event, m.funding, m.mark))]


def _portfolio(message: Any) -> list[Statement]:
    m: trading.Portfolio = message
    sql = (
        "INSERT INTO portfolio_snapshots VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    )
    money = (m.cash, m.equity, m.gross_exposure, m.net_exposure, m.realized, m.unrealized)
    more = (m.funding, m.deposits, " ".join(m.unpriced), m.period)
    return [(sql, (m.ts_event, m.quote, *money, m.fees, m.peak_equity, m.quote_exp, *more))]


def _limit(message: Any) -> list[Statement]:
    m: trading.LimitBreached | trading.LimitChanged | trading.LimitReleased = message
    match m:
        case trading.LimitBreached():
            row = (m.limit, m.observed, m.latched, "risk", "reached")
        case trading.LimitChanged():  # What waits for its time holds when it is said anew.
            value = m.before if m.effective_ns > m.ts_event else m.after
            row = (value, "", False, m.by, m.reason)
        case trading.LimitReleased():
            row = ("", "", False, m.by, m.reason)
    sql = (
        "INSERT INTO risk_limits VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name, scope) "
        "DO UPDATE SET value = coalesce(nullif(excluded.value, ''), value), "
        "observed = coalesce(nullif(excluded.observed, ''), observed), "
        "latched = iif(?, latched, excluded.latched), by = excluded.by, "
        "reason = excluded.reason, ts_ns = excluded.ts_ns"
    )
    same_latch = isinstance(m, trading.LimitChanged)
    fold = (sql, (m.limit_name, m.scope, *row, m.ts_event, same_latch))
    event = _risk_event(m, m.scope, m.limit_name, row[4])
    person = [] if isinstance(m, trading.LimitBreached) else [_audited(m, m.by, m.scope, m.reason)]
    return [fold, event, *person]


def _stop(message: Any) -> list[Statement]:
    scope = ""
    for name in ("strategy", "symbol"):
        scope = scope or getattr(message, name, "")
    named = (getattr(message, name, "") for name in ("state", "level", "name"))
    state = next((text for text in named if text), "")
    event = _risk_event(message, scope, state, message.reason)
    by = getattr(message, "by", "")
    return [event, _audited(message, by, scope, message.reason)] if by else [event]


def _day(message: Any) -> list[Statement]:
    m: trading.DayOpened = message
    equity = to_text(m.equity, m.quote_exp)
    reason = f"a day opens with an equity of {equity} {m.quote}"
    return [_risk_event(m, m.quote, equity, reason)]


def _mark(message: Any) -> list[Statement]:
    m: trading.EquityMarked = message
    equity = to_text(m.equity, m.quote_exp)
    return [_risk_event(m, m.scope, equity, m.reason or m.kind)]


def _balance(message: Any) -> list[Statement]:
    m: orders.BalanceSeen = message
    reason = f"the venue's figure differs by {m.difference}" if m.difference else "as expected"
    return [_audited(m, "gateway", m.asset, reason)]


def _reconciled(message: Any) -> list[Statement]:
    m: orders.Reconciled = message
    return [_audited(m, "gateway", "", m.detail or f"{m.differences} differences")]


def _person(message: Any) -> list[Statement]:
    m: orders.OrderResolved | orders.OrderAdopted | orders.LiveArmed | orders.LiveDisarmed = message
    match m:
        case orders.OrderResolved():
            return [_audited(m, m.by, m.client_order_id, f"{m.fate}: {m.evidence}")]
        case orders.OrderAdopted():
            return [_audited(m, m.by, f"{m.symbol} {m.venue_order_id}", m.reason)]
        case orders.LiveArmed() | orders.LiveDisarmed():
            return [_audited(m, m.by, "live", m.reason)]


def _risk_event(message: Message, scope: str, state: str, reason: str) -> Statement:
    sql = "INSERT INTO risk_events VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)"
    name = type(message).__name__
    return sql, (message.ts_event, name, scope, state, reason, message.trace, detail(message))


def _audited(message: Message, by: str, scope: str, reason: str) -> Statement:
    return AUDITED, (message.ts_event, by, type(message).__name__, scope, reason, detail(message))


def _loaded(message: Any) -> list[Statement]:
    m: strategy.StrategyLoaded = message
    named = msgspec.structs.replace(m, offer=msgspec.structs.replace(m.offer, files=()))
    return [_audited(named, m.by, m.strategy, m.reason)]  # The source stands in the journal.


def _retired(message: Any) -> list[Statement]:
    m: strategy.StrategyRetired = message
    return [_audited(m, "engine", m.strategy, m.reason)]


TABLES: Mapping[type[Message], Callable[[Message], list[Statement]]] = {
    market.Instrument: _instrument,
    trading.Position: _position,
    trading.Portfolio: _portfolio,
    trading.LimitBreached: _limit,
    trading.LimitChanged: _limit,
    trading.LimitReleased: _limit,
    trading.DayOpened: _day,
    trading.EquityMarked: _mark,
    trading.RiskState: _stop,
    trading.Protection: _stop,
    trading.StrategyFailed: _stop,
    trading.StrategyPaused: _stop,
    trading.StrategyResumed: _stop,
    trading.PairLocked: _stop,
    strategy.StrategyLoaded: _loaded,
    strategy.StrategyRetired: _retired,
    orders.KillLevel: _stop,
    orders.InstrumentHalted: _stop,
    orders.InstrumentResumed: _stop,
    orders.Deposit: of_deposit,
    orders.BalanceSeen: _balance,
    orders.Reconciled: _reconciled,
    orders.OrderResolved: _person,
    orders.OrderAdopted: _person,
    orders.LiveArmed: _person,
    orders.LiveDisarmed: _person,
}

ORDER_EVENTS: frozenset[type[Message]] = frozenset(
    {trading.OrderIntent, trading.CancelIntent, trading.Verdict, *lifecycle.EVENTS}
)
