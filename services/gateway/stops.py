"""What stops trading here, as a person is told it: what, since when, by whom, why, and the way out.

What was latched names the command that releases it; conditions have no verb: they clear themselves,
and say what they wait for.
"""

from schema.lifecycle import State
from schema.units import MS_NS, iso_ms, to_text
from services.gateway import arming, guard
from services.gateway.adopt import unexplained_of
from services.gateway.state import Amount, Order, Stop
from services.gateway.times import skewed
from services.gateway.turn import Turn

ITSELF = "clears itself"
SHORT_CHARS = 12
SAYS = '--evidence "..."'
PLACES: dict[str, str] = {
    "no exchange": "`rrr down`, set `mode` to one that trades, `rrr up`",
    "exchange key": "give it a key with exactly the right to trade, then: rrr restart gateway",
}
"""Conditions that a person has to do something about elsewhere."""


def stops(turn: Turn) -> list[dict[str, str]]:
    """Return every stop, the ones that a person releases first."""
    books = turn.books
    found = []
    if books.level != "ACTIVE":
        found.append(_stop(f"kill level {books.level}", "all", books.killed, 'rrr resume "why"'))
    found += _unarmed(turn)
    for symbol, halt in books.halted.items():
        found.append(_stop("instrument halted", symbol, halt, _way_out(turn, symbol)))
    for asset, amount in books.differences.items():
        if amount.n:
            why = f"{to_text(amount.n, amount.exp)} {asset} off the books, and nothing explains it"
            stop = Stop(0, "gateway", why)
            found.append(_stop("unexplained balance", asset, stop, adopt_command(turn, asset)))
    return [*found, *_orders(turn), *_conditions(turn)]


def _unarmed(turn: Turn) -> list[dict[str, str]]:
    why, told = arming.hindrance(turn), turn.books.arm.told
    if not why:
        return []
    if arming.is_armed(turn):
        return [_stop("live conditions", "all", Stop(0, "gateway", why), "rrr live check")]
    what = "arm expired" if told.why == arming.EXPIRED else "not armed"
    stop = Stop(told.since_ns, told.by or "gateway", told.why or arming.UNARMED)
    return [_stop(what, "all", stop, f'{arming.COMMAND} --for 7d --why "..."')]


def _way_out(turn: Turn, symbol: str) -> str:
    """Return what lets a symbol trade again; whatever has to be said before that comes first."""
    for name in turn.books.strangers:
        of, _, venue_id = name.partition(" ")
        if of == symbol:
            return f'rrr adopt {symbol} {venue_id} "why"'
    for order_id in turn.windows.vanished:
        order = turn.books.open.get(order_id)
        if order is not None and order.symbol == symbol:
            return resolve_command(order)
    asset = unexplained_of(turn, symbol)
    return adopt_command(turn, asset) if asset else f'rrr resume {symbol} "why"'


def resolve_command(order: Order) -> str:
    """Return what a person types to tell the fate of an order."""
    return f"rrr resolve {order.id[:SHORT_CHARS]} absent|present|filled {SAYS}"


def adopt_command(turn: Turn, asset: str) -> str:
    """Return what a person types to explain a difference of an asset.

    What came is not the house's to trade with unless its owner says so; what went is not there.
    """
    amount = turn.books.differences.get(asset, Amount())
    book = "external" if amount.n > 0 else "trading"
    return f'rrr adopt {asset} {to_text(amount.n, amount.exp)} --book {book} "why"'


def _orders(turn: Turn) -> list[dict[str, str]]:
    found = []
    for order in turn.books.open.values():
        if order.place.state is State.UNCONFIRMED:
            why = f"order {order.id} of {order.symbol} has no answer; it is asked for"
            stop = Stop(order.submitted_ns, "gateway", why)
            release = f"evidence, which {ITSELF}; else: {resolve_command(order)}"
            found.append(_stop("order unconfirmed", order.symbol, stop, release))
        elif order.id in turn.windows.vanished:
            why = f"order {order.id} of {order.symbol} is open here, and the exchange has none"
            since_ns = turn.windows.vanished[order.id].absent_ms[0] * MS_NS
            stop = Stop(since_ns, "gateway", why)
            found.append(_stop("order missing", order.id, stop, resolve_command(order)))
    return found


def _conditions(turn: Turn) -> list[dict[str, str]]:
    since = turn.windows.since
    return [
        _stop(what, "all", Stop(since.get(what, 0), "gateway", why), PLACES.get(what, ITSELF))
        for what, why in _now(turn)
    ]


def note(turn: Turn) -> None:
    """Note since when each condition has been stopping trade."""
    before = turn.windows.since
    now = {what: before.get(what, turn.now_ns) for what, _ in _now(turn)}
    if now != before:
        turn.windows.since = now


def _now(turn: Turn) -> list[tuple[str, str]]:
    windows = turn.windows
    skew, banned = skewed(windows), turn.banned()
    may = "" if windows.can_trade else "it may not trade"
    found = [
        ("no exchange", "" if windows.armed else "none is connected in this mode"),
        ("exchange key", "it may withdraw money" if windows.can_withdraw else may),
        ("no instrument", "" if windows.instruments else "it waits for ingest to tell them"),
        ("reconciling", "" if windows.reconciled is not None else "orders are being compared"),
        ("risk silent", windows.risk),
        ("engine silent", guard.told(turn).removeprefix("engine silent: ")),
        ("clock", skew or ""),
        ("rate limit", "the exchange forbade requests for a while" if banned else ""),
    ]
    return [(what, why) for what, why in found if why]


def _stop(what: str, scope: str, stop: Stop, release: str) -> dict[str, str]:
    since = iso_ms(stop.since_ns) if stop.since_ns else ""
    fields = {"what": what, "scope": scope, "since": since}
    return {**fields, "by": stop.by, "why": stop.why, "release": release}
