"""The rules, each a function that says why an order may not go; the first refusal wins.

Those of EVERY_ORDER hold for all; those of ADDED_RISK for an order that does more than shrink a
position, so that a position can always be closed.
"""

from collections.abc import Callable

from schema.instruments import LIMITS, TRIGGERS, Denial, check, leaves_an_exit
from schema.locks import side_of
from schema.trading import OrderIntent
from schema.units import MS_NS, ceil_scale, iso, to_text
from services.risk.case import Case, Desk, weigh
from services.risk.exposure import mid_px, position
from services.risk.limits_pace import is_no_duplicate, pace_is_slow
from services.risk.limits_size import (
    book_is_short,
    exposure_is_small,
    funds_suffice,
    loss_is_bounded,
    order_is_small,
    position_is_small,
)
from services.risk.losses import loss_is_bearable
from services.risk.state import Books

PATIENCE = 10
"""A price may be this many times as old when an order only shrinks a position; and so may what the
day has cost, where a position in another symbol has no fresh price."""

Rule = Callable[[Case], Denial | None]


def judge(intent: OrderIntent, desk: Desk) -> Case | Denial:
    """Return the case of an order that may go, or why it may not."""
    symbol, windows, limits = intent.symbol, desk.windows, desk.limits
    if refused := came_before(intent, desk.books) or came_late(intent, desk.now_ns):
        return refused
    instrument, quote = windows.instruments.get(symbol), windows.quotes.get(symbol)
    if instrument is None or instrument.quote != limits.quote:
        return Denial("INSTRUMENT_NOT_FOUND", f"symbol={symbol} quote={limits.quote}")
    mid = ceil_scale(mid_px(quote), quote.px_exp, instrument.px_exp) if quote else 0
    if refused := check(instrument, intent, reference_px=mid):
        return refused
    if quote is None:
        return Denial("STALE_DATA", f"symbol={symbol} quote=none")
    try:
        case = weigh(intent, instrument, quote, desk)
    except ValueError as error:
        return Denial("NOTIONAL_EXCEEDS_MAXIMUM", f"notional={error}")
    for rule in EVERY_ORDER if case.reducing else ALL:
        if refused := rule(case):
            return refused
    return case


def came_before(intent: OrderIntent, books: Books) -> Denial | None:
    """Refuse an id that was judged, or that the gateway has answered without a verdict."""
    if intent.client_order_id in books.known:
        return Denial("DUPLICATE_ORDER", f"client_order_id={intent.client_order_id}")
    return None


def came_late(intent: OrderIntent, now_ns: int) -> Denial | None:
    """Refuse an order that must not be sent any more."""
    if 0 < intent.valid_until_ns < now_ns:
        late_ms = (now_ns - intent.valid_until_ns) // MS_NS
        return Denial("COMMAND_EXPIRED", f"late_ms={late_ms}")
    return None


def reduces_as_promised(case: Case) -> Denial | None:
    """Refuse an order that is to shrink a position and is larger than what there is to close."""
    if not case.intent.reduce_only or case.reducing:
        return None
    exp = case.intent.qty_exp
    numbers = f"qty={to_text(case.intent.qty, exp)} closable={to_text(case.closable, exp)}"
    return Denial("REDUCE_ONLY_WOULD_INCREASE_POSITION", numbers)


def price_is_fresh(case: Case) -> Denial | None:
    """Refuse an order on a price that is too old."""
    limit_ns = case.limits.stale_ns * (PATIENCE if case.reducing else 1)
    if case.age_ns <= limit_ns:
        return None
    return Denial("STALE_DATA", f"age_ms={case.age_ns // MS_NS} limit_ms={limit_ns // MS_NS}")


def price_is_near(case: Case) -> Denial | None:
    """Refuse a price too far from the market; that of an order that waits, from its trigger.

    A target may rest as far on its own side as it likes: it only shrinks a position, and dearly.
    """
    intent = case.intent
    if intent.order_type in LIMITS:
        px, reference_px = intent.limit_px, intent.stop_px or case.mark_px
    elif intent.order_type == "market":
        px, reference_px = intent.ref_px, case.mark_px
    else:
        return None
    collar_bps = case.limits.collar_bps
    gains = px >= reference_px if intent.side == "sell" else px <= reference_px
    if gains and case.reducing:
        return None
    if abs(px - reference_px) * 10_000 <= collar_bps * reference_px:
        return None
    prices = f"px={to_text(px, intent.px_exp)} reference={to_text(reference_px, intent.px_exp)}"
    return Denial("PRICE_OUTSIDE_COLLAR", f"{prices} collar_bps={collar_bps}")


def trigger_is_ahead(case: Case) -> Denial | None:
    """Refuse a trigger that the market has passed: it would be a market order in disguise."""
    intent = case.intent
    if intent.order_type not in TRIGGERS:
        return None
    rising = (intent.side == "buy") == intent.order_type.startswith("stop")
    if (intent.stop_px > case.mark_px) if rising else (intent.stop_px < case.mark_px):
        return None
    exp = intent.px_exp
    prices = f"stop_px={to_text(intent.stop_px, exp)} mark={to_text(case.mark_px, exp)}"
    return Denial("PRICE_OUTSIDE_COLLAR", f"{prices} side={intent.side}")


def nothing_is_halted(case: Case) -> Denial | None:
    """Refuse new risk while the kill switch, or a person's look at this symbol, forbids all."""
    kill = case.books.kill
    if kill is not None and kill.level in {"HALTED", "FLATTEN"}:
        return Denial("TRADING_HALTED", f"level={kill.level} by={kill.by}")
    if case.intent.symbol in case.books.halted:
        return Denial("TRADING_HALTED", f"symbol={case.intent.symbol}")
    return None


def pair_is_free(case: Case) -> Denial | None:
    """Refuse new risk where a person or a protection lets nothing enter for now."""
    intent, locks = case.intent, case.books.protections.locks
    if not locks.held:
        return None
    lock = locks.against(intent.symbol, side_of(intent.side), case.now_ns)
    if lock is None:
        return None
    by = lock.name or lock.by
    where = f"symbol={lock.symbol} side={lock.side} until={iso(lock.until_ns)} by={by}"
    return Denial("PAIR_LOCKED", f"{where}: {lock.why}")


def risk_may_grow(case: Case) -> Denial | None:
    """Refuse new risk while the house only reduces."""
    kill = case.books.kill
    if kill is not None and kill.level == "REDUCING":
        return Denial("TRADING_STATE_REDUCING", f"level={kill.level} by={kill.by}")
    if case.windows.behind is not None:
        return Denial("TRADING_STATE_REDUCING", f"behind={case.windows.behind.service}")
    return None


def loss_is_known(case: Case) -> Denial | None:
    """Refuse new risk when the day's loss could not be measured for long: a price is missing."""
    age_ns = case.now_ns - case.windows.looked_ns
    limit_ns = case.limits.stale_ns * PATIENCE
    if age_ns <= limit_ns:
        return None
    ages = f"age_ms={age_ns // MS_NS} limit_ms={limit_ns // MS_NS}"
    return Denial("STALE_DATA", f"equity=unknown {ages}")


def market_is_seen(case: Case) -> Denial | None:
    """Refuse new risk where the feed cannot be trusted, or while some exposure has no price."""
    feed = case.windows.feeds.get(case.intent.symbol)
    if feed is not None and feed.state != "OK":
        return Denial("STALE_DATA", f"feed={feed.state}")
    if case.unpriced:
        return Denial("STALE_DATA", f"symbol={case.unpriced} quote=none")
    return None


def market_is_tight(case: Case) -> Denial | None:
    """Refuse a market order where the first price that it meets is too far from the middle.

    What lies deeper in the book is not told, and the collar holds its worst case for that.
    """
    intent, collar_bps = case.intent, case.limits.collar_bps
    if intent.order_type != "market":
        return None
    if abs(case.touch_px - case.mark_px) * 10_000 <= collar_bps * case.mark_px:
        return None
    touch, mark = to_text(case.touch_px, intent.px_exp), to_text(case.mark_px, intent.px_exp)
    return Denial("PRICE_OUTSIDE_COLLAR", f"px={touch} reference={mark} collar_bps={collar_bps}")


def exit_is_left(case: Case) -> Denial | None:
    """Refuse an entry that could not be sold again."""
    at_least, at_most = position(case.books, case.intent.symbol, case.intent.qty_exp)
    held = at_least if case.intent.side == "buy" else -at_most
    return leaves_an_exit(case.instrument, case.intent, held=max(0, held))


EVERY_ORDER: tuple[Rule, ...] = (
    reduces_as_promised,
    price_is_fresh,
    price_is_near,
    trigger_is_ahead,
)

ADDED_RISK: tuple[Rule, ...] = (
    nothing_is_halted,
    pair_is_free,
    risk_may_grow,
    loss_is_bearable,
    loss_is_known,
    market_is_seen,
    market_is_tight,
    loss_is_bounded,
    is_no_duplicate,
    order_is_small,
    exit_is_left,
    position_is_small,
    exposure_is_small,
    book_is_short,
    pace_is_slow,
    funds_suffice,
)

ALL = EVERY_ORDER + ADDED_RISK
