"""The exchange's request budget: what it last told, and until when nothing may be asked."""

from schema.exchange import BudgetSeen
from schema.market import FeedBudget
from schema.orders import RequestWeight
from schema.units import MS_NS
from schema.weights import Rates
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


def hear_feed(turn: Turn, told: FeedBudget) -> None:
    """Obey a ban that ingest met, and the limits that it read in the listing."""
    before, turn.windows.rates = turn.windows.rates, rates_in(turn.windows.rates, told)
    longer = told.retry_after_ns > turn.books.retry_after_ns
    if longer:
        turn.say(
            RequestWeight(
                ts_event=turn.now_ns,
                used=told.used,
                limit=told.limit,
                retry_after_ns=told.retry_after_ns,
                seen_by="ingest",
            )
        )
    if longer or turn.windows.rates != before:
        turn.tell_level()


def rates_in(known: Rates, told: FeedBudget) -> Rates:
    """Return the limits of the listing; what it does not name stays as it is known."""
    return Rates(
        weight_1m=told.limit or known.weight_1m,
        orders_10s=told.orders_10s or known.orders_10s,
        orders_1d=told.orders_1d or known.orders_1d,
    )
