"""What a person may ask of risk, and what it answers."""

import msgspec

from schema.head import Message
from schema.house import Command, CommandDone
from schema.ledger import decimals, holdings
from schema.soundness import flaws
from schema.trading import LimitChanged
from schema.units import iso_ms, to_text
from services.risk.losses import CODES, DAILY, anew, forgive, released
from services.risk.money import Limits
from services.risk.stakes import Stakes
from services.risk.standing import ACCOUNT, key_of, stops
from services.risk.state import Books, Windows
from services.risk.terms import TERMS
from services.risk.uses import Sight, uses

KNOWN = (
    "stops, limits, balances, audit, release NAME WHY, set, unset, cancel, status, snapshot "
    "and drain"
)
USAGE = f"risk releases what was reached, by its name: release {DAILY} WHY"


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


def limited(command: Command, sight: Sight) -> CommandDone:
    """Answer how much of each limit is taken."""
    rows = uses(sight)
    return done(command, f"{len(rows)} limits", msgspec.json.encode(rows))


def changed(command: Command, said: LimitChanged) -> CommandDone:
    """Answer what a limit is from now on, or from when."""
    key, term = key_of(said.limit_name, said.scope), TERMS[said.limit_name]
    # Where there is none for one alone, that for all holds.
    none = "off" if term.alone or said.scope == ACCOUNT else "as for all"
    before, after = said.before or none, said.after or none
    if not said.effective_ns:
        return done(command, f"{key} is {after}; it was {before}")
    scope = "" if said.scope == ACCOUNT else f" --{term.scope} {said.scope}"
    keeps = f'`rrr risk cancel {said.limit_name}{scope} --why "why"` keeps it'
    when = f"from {iso_ms(said.effective_ns)} on; {keeps}"
    return done(command, f"{key} is {before}, and will be {after} {when}")


def release(
    command: Command,
    books: Books,
    windows: Windows,
    stakes: Stakes,
    limits: Limits,
    now_ns: int,
) -> tuple[list[Message], CommandDone]:
    """Release a limit that was reached: from here on the loss is counted anew."""
    key, why = command.args[0] if command.args else "", " ".join(command.args[1:])
    if not why or key.partition(" ")[0] not in CODES:
        return [], refusal(command, USAGE)
    breach, worth = books.latched.get(key), stakes.account(limits, now_ns)
    if breach is None:
        return [], refusal(command, f"{key} has not been reached")
    if worth is None:
        return [], refusal(command, "equity is not known: a position has no fresh price")
    said = [
        released(breach, now_ns, by=command.by, reason=why),
        *anew(breach, worth, stakes, books, limits, now_ns),
    ]
    forgive(windows, breach, worth, books)
    return said, done(command, f"{key} is released; the loss is counted from here")


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
        "flaws": flaws(books.ledger),
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
