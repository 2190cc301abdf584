"""What stops trading here, as a person is told it: what, since when, by whom, why, and the way out.

Conditions have no verb: they clear themselves, and say what they wait for.
"""

from schema.lifecycle import State
from schema.units import iso_ms
from services.gateway.state import Stop
from services.gateway.times import skewed
from services.gateway.turn import Turn

ITSELF = "clears itself"


def stops(turn: Turn) -> list[dict[str, str]]:
    """Return every stop, the ones that a person releases first."""
    books = turn.books
    found = []
    if books.level != "ACTIVE":
        found.append(_stop(f"kill level {books.level}", "all", books.killed, 'rrr resume "why"'))
    for symbol, halt in books.halted.items():
        release = f'rrr resume {symbol} "why"'
        found.append(_stop("instrument halted", symbol, halt, release))
    for order in books.open.values():
        if order.place.state is State.UNCONFIRMED:
            why = f"order {order.id} of {order.symbol} has no answer"
            stop = Stop(order.submitted_ns, "gateway", why)
            found.append(_stop("order unconfirmed", order.symbol, stop, "evidence, asked for"))
    return found + [_stop(what, "all", Stop(0, "gateway", why), ITSELF) for what, why in _now(turn)]


def _now(turn: Turn) -> list[tuple[str, str]]:
    windows = turn.windows
    skew, banned = skewed(windows), turn.banned()
    found = [
        ("no exchange", "" if windows.armed else "none is connected in this mode"),
        ("reconciling", "" if windows.reconciled is not None else "orders are being compared"),
        ("risk silent", windows.risk),
        ("clock", skew or ""),
        ("rate limit", "the exchange forbade requests for a while" if banned else ""),
    ]
    return [(what, why) for what, why in found if why]


def _stop(what: str, scope: str, stop: Stop, release: str) -> dict[str, str]:
    since = iso_ms(stop.since_ns) if stop.since_ns else ""
    fields = {"what": what, "scope": scope, "since": since}
    return {**fields, "by": stop.by, "why": stop.why, "release": release}
