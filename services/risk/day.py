"""The loss of a day: equity at its beginning, less equity now, whatever was moved in or out.

A day begins with the first look in it at which equity is known. A limit that was reached stays so
until the next day begins, or until a person releases it: then the loss is counted anew.
"""

import msgspec

from schema.head import Message
from schema.ledger import positions
from schema.trading import DayOpened, LimitBreached, LimitReleased
from schema.units import DAY_NS, SECOND_NS, floor_scale, notional
from services.risk.exposure import mid_px
from services.risk.money import MONEY_EXP, Limits, plain
from services.risk.state import Books, Windows

DAILY_LOSS = "daily_loss"
ACCOUNT = "account"
PAUSE_NS = SECOND_NS
"""Once in so long, at most, the loss is measured."""


class Account(msgspec.Struct, frozen=True):
    """What is worked out of a ledger once between two fills; money has MONEY_EXP decimals."""

    cash: int
    moved: int  # in by deposits, less what went
    held: tuple[tuple[str, int, int], ...]  # symbol, quantity, its decimals


def look(
    account: Account | None, books: Books, windows: Windows, limits: Limits, now_ns: int
) -> list[Message]:
    """Measure the loss, and return what there is to say of it."""
    value = equity_of(account, windows, limits, now_ns)
    if account is None or value is None:
        return []
    windows.looked_ns = now_ns
    anchor = books.anchor
    if anchor is None or now_ns // DAY_NS > anchor.ts_event // DAY_NS:
        windows.loss = 0
        return begin(books, limits, value, now_ns, by="risk", reason="a new day")
    windows.loss = anchor.equity + account.moved - anchor.deposits - value
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


def account_of(books: Books, limits: Limits) -> Account | None:
    """Return the account as its ledger has it; None before its first deposit."""
    ledger, quote = books.ledger, limits.quote
    if quote not in ledger.balances:
        return None
    cash = ledger.balance(quote)
    held = tuple((symbol, h.qty, h.qty_exp) for symbol, h in positions(ledger, quote))
    return Account(floor_scale(cash.amount, cash.exp, MONEY_EXP), _moved(books, limits), held)


def equity_of(account: Account | None, windows: Windows, limits: Limits, now_ns: int) -> int | None:
    """Return the account's equity; None before its first deposit, or when a price is too old."""
    if account is None:
        return None
    total = account.cash
    for symbol, qty, qty_exp in account.held:
        quote = windows.quotes.get(symbol)
        if quote is None or now_ns - quote.ts_event > limits.stale_ns:
            return None
        total += notional(mid_px(quote), qty, quote.px_exp + qty_exp, MONEY_EXP)
    return total


def _moved(books: Books, limits: Limits) -> int:
    money = books.ledger.deposits.get(limits.quote)
    return floor_scale(money.amount, money.exp, MONEY_EXP) if money else 0
