"""What a person may ask of risk, and what it answers."""

import msgspec

from schema.head import Message
from schema.house import Command, CommandDone
from schema.ledger import decimals, holdings
from schema.units import iso_ms, to_text
from services.risk.day import DAILY_LOSS, account_of, begin, equity_of
from services.risk.exposure import elsewhere, worst
from services.risk.money import Limits, plain
from services.risk.standing import stops
from services.risk.state import Books, Windows

KNOWN = "stops, limits, balances, audit, release NAME WHY, status, snapshot and drain"
USAGE = f"risk releases {DAILY_LOSS}: release {DAILY_LOSS} WHY"


class Use(msgspec.Struct, frozen=True):
    """A limit and how much of it is taken, as decimals."""

    name: str
    value: str
    used: str


def stopped(command: Command, books: Books, windows: Windows) -> CommandDone:
    """Answer what stops trading here; the kill switch is for the gateway to tell."""
    rows = [
        {
            "what": stop.what,
            "scope": stop.scope,
            "since": iso_ms(stop.since_ns),
            "by": stop.by,
            "why": stop.why,
            "release": stop.release,
        }
        for stop in stops(None, books.latched, windows)
    ]
    return done(command, f"{len(rows)} stops", msgspec.json.encode(rows))


def limited(
    command: Command, books: Books, windows: Windows, limits: Limits, now_ns: int
) -> CommandDone:
    """Answer how much of each limit is taken."""
    own, quotes = limits.settings, windows.quotes
    largest = max((order.cost for order in books.orders.values()), default=0)
    position = max((worst(books, quotes, symbol) or 0 for symbol in books.lines), default=0)
    gross, _ = elsewhere(books, quotes, but="")
    recent = sum(at_ns > now_ns - limits.window_ns for at_ns in books.approvals)
    rows = [
        Use("max_order_notional", str(own.max_order_notional), plain(largest)),
        Use("max_position_notional", str(own.max_position_notional), plain(position)),
        Use("max_gross_exposure", str(own.max_gross_exposure), plain(gross)),
        Use("daily_loss", str(own.daily_loss), plain(max(0, windows.loss))),
        Use("order_rate", str(own.order_rate), str(recent)),
    ]
    return done(command, f"{len(rows)} limits", msgspec.json.encode(rows))


def release(
    command: Command, books: Books, windows: Windows, limits: Limits, now_ns: int
) -> tuple[list[Message], CommandDone]:
    """Release a limit that was reached: from here on the loss is counted anew."""
    if len(command.args) < 2 or command.args[0] != DAILY_LOSS:
        return [], refusal(command, USAGE)
    if DAILY_LOSS not in books.latched:
        return [], refusal(command, f"{DAILY_LOSS} has not been reached")
    value = equity_of(account_of(books, limits), windows, limits, now_ns)
    if value is None:
        return [], refusal(command, "equity is not known: a position has no fresh price")
    windows.loss = 0
    why = " ".join(command.args[1:])
    said = begin(books, limits, value, now_ns, by=command.by, reason=why)
    return said, done(command, f"{DAILY_LOSS} is released; the loss is counted from here")


def balanced(command: Command, books: Books) -> CommandDone:
    """Answer what the account holds by risk's own books."""
    rows = decimals(books.ledger)
    return done(command, f"{len(rows)} assets", msgspec.json.encode(rows))


def audited(command: Command, books: Books) -> CommandDone:
    """Answer with the account as these books have it, for whoever holds it against others."""
    orders = {
        key: {"left": to_text(order.leaves, order.qty_exp)}
        for key, order in books.orders.items()
        if order.submitted
    }
    told = {
        "balances": decimals(books.ledger),
        "positions": holdings(books.ledger),
        "orders": orders,
        "level": books.kill.level if books.kill is not None else "ACTIVE",
    }
    return done(command, f"{len(orders)} open orders", msgspec.json.encode(told))


def unknown(command: Command) -> CommandDone:
    """Answer a command that risk does not know."""
    return refusal(command, f"risk knows no command {command.verb}; it knows {KNOWN}")


def done(command: Command, text: str, body: bytes = b"") -> CommandDone:
    """Answer that it was done."""
    return CommandDone(request_id=command.request_id, ok=True, text=text, body=body)


def refusal(command: Command, text: str) -> CommandDone:
    """Answer that it was not done, and why."""
    return CommandDone(request_id=command.request_id, ok=False, text=text)
