"""The exchange's request budget: what it last told, and until when nothing may be asked."""

from schema.exchange import BudgetSeen
from schema.orders import RequestWeight
from schema.units import MS_NS
from services.gateway.turn import Turn

SAID_EVERY_MS = 60_000


def take_budget(turn: Turn, seen: BudgetSeen) -> None:
    """Say a ban at once, and the budget about once a minute; a ban is never shortened."""
    books = turn.books
    retry_ns = max(books.retry_after_ns, seen.retry_wall_ms * MS_NS)
    due = turn.now_ns - books.weight_said_ns >= turn.span_ns(SAID_EVERY_MS)
    if retry_ns != books.retry_after_ns or (due and seen.used != books.weight_used):
        turn.say(
            RequestWeight(
                ts_event=turn.now_ns,
                used=seen.used,
                limit=seen.limit,
                retry_after_ns=retry_ns,
            )
        )
