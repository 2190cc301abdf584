"""Every limit with its value, how much of it is taken, who set it, and what waits or is latched."""

from collections.abc import Callable, Iterable

import msgspec

from schema.units import DAY_NS, ceil_scale, iso_ms, to_int
from services.risk.losses import DAILY, DRAWDOWN, STRATEGY, WEEKLY
from services.risk.money import MONEY, MONEY_EXP, Limits
from services.risk.pace import recent
from services.risk.state import Books, Windows
from services.risk.sums import Sums
from services.risk.terms import TERMS, Term, written

SETTINGS = "settings"


class Use(msgspec.Struct, frozen=True):
    """A limit and how much of it is taken, as decimals; `value` 0 is off."""

    name: str
    value: str
    used: str = ""  # empty where it is asked of each order, and nothing adds up
    share_pct: int = 0
    scope: str = ""  # a symbol or a strategy; empty: the whole account
    source: str = SETTINGS  # or who set it, and when
    why: str = ""
    pending: str = ""  # what it will be …
    pending_at: str = ""  # … and when
    latched: bool = False


class Sight(msgspec.Struct):
    """What uses are worked out of."""

    books: Books
    windows: Windows
    sums: Sums
    limits: Limits
    now_ns: int


def uses(sight: Sight) -> list[Use]:
    """Return all limits in their order, each followed by those of its symbols and strategies."""
    order = {name: at for at, name in enumerate(TERMS)}
    known = sight.limits.text.keys() | sight.books.changes.keys() | sight.books.latched.keys()
    parts = [key.partition(" ") for key in known]
    named = sorted((order[name], scope, name) for name, _, scope in parts if name in order)
    return [_use(sight, TERMS[name], scope) for _, scope, name in named]


def _use(sight: Sight, term: Term, scope: str) -> Use:
    key = f"{term.name} {scope}" if scope else term.name
    value = sight.limits.text.get(key, sight.limits.text.get(term.name, "0"))
    used, slot = _used(sight, term.name, scope), sight.books.changes.get(key)
    current, pending = (slot.current, slot.pending) if slot is not None else (None, None)
    return Use(
        name=term.name,
        value=value,
        used="" if used is None else written(used, _exp(term)),
        share_pct=_share_pct(term, used, value),
        scope=scope,
        source=f"set by {current.by} at {iso_ms(current.ts_event)}" if current else SETTINGS,
        why=current.reason if current else "",
        pending=pending.after if pending else "",
        pending_at=iso_ms(pending.effective_ns) if pending else "",
        latched=key in sight.books.latched,
    )


def _exp(term: Term) -> int:
    return MONEY_EXP if term.name in MONEY else term.exp


def _share_pct(term: Term, used: int | None, value: str) -> int:
    most = to_int(value, _exp(term))
    return -(-used * 100 // most) if used is not None and most else 0


def _used(sight: Sight, name: str, scope: str) -> int | None:
    books, since_ns = sight.books, sight.now_ns - sight.limits.window_ns
    today = books.pace.day == sight.now_ns // DAY_NS
    match name:
        case "order_rate":
            return recent(books.approvals, since_ns)
        case "max_cancel_rate":
            return recent(books.pace.cancels, since_ns)
        case "max_msgs_per_day":
            return books.pace.orders + books.pace.canceled if today else 0
        case "max_order_to_fill_ratio":
            return -(-books.pace.orders // max(1, books.pace.fills)) if today else 0
    found = SIZES.get(name) or LOSSES.get(name)
    return found(sight, scope) if found is not None else None


def _order_notional(sight: Sight, scope: str) -> int:
    orders = sight.books.orders.values()
    return max((one.cost for one in orders if scope in {"", one.symbol}), default=0)


def _order_qty(sight: Sight, scope: str) -> int:
    orders = [one for one in sight.books.orders.values() if one.symbol == scope]
    return max((ceil_scale(one.leaves, one.qty_exp, 8) for one in orders), default=0)


def _position(sight: Sight, scope: str) -> int:
    shares = sight.sums.shares
    found = [shares[scope]] if scope in shares else [] if scope else list(shares.values())
    return max((share.gross for share in found), default=0)


def _leverage(sight: Sight, _scope: str) -> int:
    equity = sight.windows.equity
    return -(-sight.sums.gross * 100 // equity) if equity > 0 else 0


def _strategy_loss(sight: Sight, scope: str) -> int:
    return max(0, *_of_tags(sight, scope, sight.windows.losses.items()), 0)


def _round_trips(sight: Sight, scope: str) -> int:
    since_ns = sight.now_ns - sight.limits.trip_ns
    trips = [(tag, recent(times, since_ns)) for tag, times in sight.books.pace.trips.items()]
    return max(0, *_of_tags(sight, scope, trips), 0)


def _of_tags(sight: Sight, scope: str, rows: Iterable[tuple[str, int]]) -> list[int]:
    names = sight.books.pace.names
    return [n for tag, n in rows if scope in {"", names.get(tag, tag)}]


SIZES: dict[str, Callable[[Sight, str], int]] = {
    "max_order_notional": _order_notional,
    "max_order_qty": _order_qty,
    "max_position_notional": _position,
    "max_net_exposure": lambda sight, _: max(sight.sums.high, -sight.sums.low),
    "max_gross_exposure": lambda sight, _: sight.sums.gross,
    "max_leverage": _leverage,
    "max_open_positions": lambda sight, _: sight.sums.active,
    "max_open_orders": lambda sight, _: len(sight.books.orders),
    "max_round_trips": _round_trips,
}
LOSSES: dict[str, Callable[[Sight, str], int]] = {
    DAILY: lambda sight, _: max(0, sight.windows.loss),
    WEEKLY: lambda sight, _: max(0, sight.windows.week_loss),
    DRAWDOWN: lambda sight, _: max(0, sight.windows.drawdown_bps),
    STRATEGY: _strategy_loss,
}
"""How much of each limit is taken, in the decimals of its value."""
