"""The loss of a day: equity at its beginning, less equity now, whatever was moved in or out.

A day begins with the first look in it at which equity is known. A limit that was reached stays so
until the next day begins, or until a person releases it: then the loss is counted anew.
"""

from schema.head import Message
from schema.ledger import equity
from schema.trading import DayOpened, LimitBreached, LimitReleased
from schema.units import DAY_NS, SECOND_NS, floor_scale
from services.risk.exposure import mid_px
from services.risk.money import MONEY_EXP, Limits, plain
from services.risk.state import Books, Windows

DAILY_LOSS = "daily_loss"
ACCOUNT = "account"


def look(books: Books, windows: Windows, limits: Limits, now_ns: int) -> list[Message]:
    """Measure the loss, once in a second at most; return what there is to say of it."""
    if now_ns - windows.looked_ns < SECOND_NS:
        return []
    value = equity_now(books, windows, limits, now_ns)
    if value is None:
        return []
    windows.looked_ns = now_ns
    anchor = books.anchor
    if anchor is None or now_ns // DAY_NS > anchor.ts_event // DAY_NS:
        windows.loss = 0
        return begin(books, limits, value, now_ns, by="risk", reason="a new day")
    windows.loss = anchor.equity + _moved(books, limits) - anchor.deposits - value
    if windows.loss < limits.daily_loss or DAILY_LOSS in books.latched:
        return []
    breach = LimitBreached(
        ts_event=now_ns,
        limit_name=DAILY_LOSS,
        scope=ACCOUNT,
        observed=plain(windows.loss),
        limit=str(limits.settings.daily_loss),
        latched=True,
    )
    return [breach]


def begin(
    books: Books, limits: Limits, value: int, now_ns: int, *, by: str, reason: str
) -> list[Message]:
    """Return what sets the anchor to an equity, and releases what the one before had led to."""
    opened = DayOpened(
        ts_event=now_ns,
        quote=limits.quote,
        equity=value,
        quote_exp=MONEY_EXP,
        deposits=_moved(books, limits),
    )
    if DAILY_LOSS not in books.latched:
        return [opened]
    released = LimitReleased(
        ts_event=now_ns, limit_name=DAILY_LOSS, scope=ACCOUNT, by=by, reason=reason
    )
    return [released, opened]


def equity_now(books: Books, windows: Windows, limits: Limits, now_ns: int) -> int | None:
    """Return the account's equity; None before its first deposit, or when a price is too old."""
    if limits.quote not in books.ledger.balances:
        return None
    marks = {
        symbol: (mid_px(quote), quote.px_exp)
        for symbol, quote in windows.quotes.items()
        if now_ns - quote.ts_event <= limits.stale_ns
    }
    return equity(books.ledger, limits.quote, MONEY_EXP, marks)


def _moved(books: Books, limits: Limits) -> int:
    money = books.ledger.deposits.get(limits.quote)
    return floor_scale(money.amount, money.exp, MONEY_EXP) if money else 0
