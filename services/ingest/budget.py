"""A ban of the exchange's: whoever of the house earned it, it is said here, kept, and obeyed."""

import msgspec

from bus.service import Said
from schema.house import Command, CommandDone
from schema.market import FeedBudget
from schema.orders import AccountSnapshot, RequestWeight
from schema.units import MS_NS
from services.ingest.effects import BudgetMet, Obey
from services.ingest.state import Spent

UNTIL_DIGITS = 13
"""Of a time in ms, up to the year 2286."""


def apply(spent: Spent, told: FeedBudget) -> None:
    """Change the books by what ingest said of the budget."""
    spent.limit, spent.retry_after_ns = told.limit, told.retry_after_ns
    spent.orders_10s, spent.orders_1d = told.orders_10s, told.orders_1d


def obeying(spent: Spent) -> Obey:
    """Return what tells the edge until when nothing may be asked."""
    until_ms = -(-spent.retry_after_ns // MS_NS)
    return Obey(effect_id=f"budget {until_ms}", retry_wall_ms=until_ms)


def meet(spent: Spent, met: BudgetMet, now_ns: int) -> list[Said]:
    """Say what the edge met, where it is news; a ban is never shortened."""
    told = FeedBudget(
        ts_event=now_ns,
        used=met.used,
        limit=met.weight_1m or spent.limit,
        retry_after_ns=max(spent.retry_after_ns, met.retry_wall_ms * MS_NS),
        orders_10s=met.orders_10s or spent.orders_10s,
        orders_1d=met.orders_1d or spent.orders_1d,
    )
    now = Spent(told.limit, told.retry_after_ns, told.orders_10s, told.orders_1d)
    return [] if now == spent else [told]


def hear(spent: Spent, told: RequestWeight | AccountSnapshot, now_ns: int) -> list[Said]:
    """Obey a ban that the gateway met, and keep it as one's own."""
    if told.retry_after_ns <= spent.retry_after_ns:
        return []
    used = told.used if isinstance(told, RequestWeight) else 0
    said = meet(spent, BudgetMet(used=used, retry_wall_ms=-(-told.retry_after_ns // MS_NS)), now_ns)
    return [*said, obeying(Spent(retry_after_ns=told.retry_after_ns))]


def told(spent: Spent, command: Command, now_ns: int) -> list[Said]:
    """Answer whoever asks the exchange by hand: the ban that he must obey, or take his as one's."""
    match command.args:
        case ():
            until_ms = -(-spent.retry_after_ns // MS_NS)
            body = msgspec.json.encode({"limit": spent.limit, "retry_wall_ms": until_ms})
            done = CommandDone(request_id=command.request_id, ok=True, text="", body=body)
            return [done]
        case (until,) if until.isascii() and until.isdecimal() and len(until) <= UNTIL_DIGITS:
            met = BudgetMet(used=0, retry_wall_ms=int(until))
            said = meet(spent, met, now_ns)
            until_ns = max(spent.retry_after_ns, int(until) * MS_NS)
            done = CommandDone(request_id=command.request_id, ok=True, text="it is obeyed")
            return [*said, obeying(Spent(retry_after_ns=until_ns)), done]
    text = "expected `budget`, or `budget UNTIL` in ms of wall time"
    return [CommandDone(request_id=command.request_id, ok=False, text=text)]
