"""The rules, each a function that says why an order may not go; the first refusal wins.

Those of EVERY_ORDER hold for all; those of ADDED_RISK for an order that does more than shrink a
position, so that a position can always be closed.
"""

from collections.abc import Callable

from schema.instruments import LIMITS, TRIGGERS, Denial, check, leaves_an_exit
from schema.trading import OrderIntent
from schema.units import MS_NS, ceil_scale, floor_scale, to_text
from services.risk.case import Case, weigh
from services.risk.exposure import mid_px, position, selling
from services.risk.money import MONEY_EXP, Limits, plain
from services.risk.state import Books, Windows

PATIENCE = 10
"""A price may be this many times as old when an order only shrinks a position; and so may what the
day has cost, where a position in another symbol has no fresh price."""

Rule = Callable[[Case], Denial | None]


def judge(
    intent: OrderIntent, books: Books, windows: Windows, limits: Limits, now_ns: int
) -> Case | Denial:
    """Return the case of an order that may go, or why it may not."""
    symbol = intent.symbol
    if refused := came_before(intent, books) or came_late(intent, now_ns):
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
        case = weigh(intent, instrument, quote, books, windows, limits, now_ns)
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
    collar_bps = case.limits.settings.price_collar_bps
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


def risk_may_grow(case: Case) -> Denial | None:
    """Refuse new risk while the house only reduces."""
    kill = case.books.kill
    if kill is not None and kill.level == "REDUCING":
        return Denial("TRADING_STATE_REDUCING", f"level={kill.level} by={kill.by}")
    if case.windows.behind is not None:
        return Denial("TRADING_STATE_REDUCING", f"behind={case.windows.behind.service}")
    return None


def loss_is_bearable(case: Case) -> Denial | None:
    """Refuse new risk on a day that has cost enough."""
    lost = case.windows.loss
    if lost < case.limits.daily_loss and "daily_loss" not in case.books.latched:
        return None
    return Denial(
        "DAILY_LOSS_LIMIT", f"loss={plain(lost)} daily_loss={case.limits.settings.daily_loss}"
    )


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


def exit_is_left(case: Case) -> Denial | None:
    """Refuse an entry that could not be sold again."""
    at_least, at_most = position(case.books, case.intent.symbol, case.intent.qty_exp)
    held = at_least if case.intent.side == "buy" else -at_most
    return leaves_an_exit(case.instrument, case.intent, held=max(0, held))


def order_is_small(case: Case) -> Denial | None:
    """Refuse an order that is worth too much."""
    if case.notional <= case.limits.order_notional:
        return None
    return Denial("NOTIONAL_EXCEEDS_MAX_PER_ORDER", case.figures())


def position_is_small(case: Case) -> Denial | None:
    """Refuse an order with which its symbol could come to be worth too much."""
    if case.position <= case.limits.position_notional:
        return None
    return Denial("MAX_POSITION_EXCEEDED", case.figures())


def exposure_is_small(case: Case) -> Denial | None:
    """Refuse an order with which all symbols together could come to be worth too much."""
    if case.gross <= case.limits.gross_exposure:
        return None
    return Denial("MAX_GROSS_EXPOSURE_EXCEEDED", case.figures())


def pace_is_slow(case: Case) -> Denial | None:
    """Refuse an order when the last ones that added risk were approved too shortly ago."""
    most, approvals = case.limits.settings.order_rate, case.books.approvals
    if len(approvals) < most or approvals[-most] <= case.now_ns - case.limits.window_ns:
        return None
    window_ms = case.limits.window_ns // MS_NS
    return Denial("RATE_LIMIT_EXCEEDED", f"order_rate={most} window_ms={window_ms}")


def funds_suffice(case: Case) -> Denial | None:
    """Refuse an order that what is neither spent nor held for others does not pay for."""
    intent, books = case.intent, case.books
    if intent.side == "buy":
        money = books.ledger.balance(case.limits.quote)
        free = floor_scale(money.amount, money.exp, MONEY_EXP) - books.held
        if case.cost <= free:
            return None
        return Denial(
            "CUM_NOTIONAL_EXCEEDS_FREE_BALANCE", f"cost={plain(case.cost)} free={plain(free)}"
        )
    exp = intent.qty_exp
    money = books.ledger.balance(case.instrument.base)
    free = floor_scale(money.amount, money.exp, exp) - selling(books, intent.symbol, exp)
    if intent.qty <= free:
        return None
    numbers = f"qty={to_text(intent.qty, exp)} free={to_text(free, exp)}"
    return Denial("CUM_NOTIONAL_EXCEEDS_FREE_BALANCE", numbers)


EVERY_ORDER: tuple[Rule, ...] = (
    reduces_as_promised,
    price_is_fresh,
    price_is_near,
    trigger_is_ahead,
)

ADDED_RISK: tuple[Rule, ...] = (
    nothing_is_halted,
    risk_may_grow,
    loss_is_bearable,
    loss_is_known,
    market_is_seen,
    order_is_small,
    exit_is_left,
    position_is_small,
    exposure_is_small,
    pace_is_slow,
    funds_suffice,
)

ALL = EVERY_ORDER + ADDED_RISK
