"""What closes the way to entries now; exits and stops ask none of it but the gateway."""

from collections.abc import Iterator

from schema.locks import ANY
from schema.market import Instrument
from services.engine.hearing import mark_of
from services.engine.line import Pass
from services.engine.sizing import in_px_exp, least_lots
from services.engine.state import Health, Windows
from services.engine.worth import held_of

PEERS = ("ingest", "risk", "gateway")
ANSWERING = frozenset({"READY", "DEGRADED"})


def closed(turn: Pass, strategy: str, symbol: str, sign: int = 0) -> str | None:
    """Return the first reason why a strategy may not enter a symbol now, or None.

    `sign`: above 0 for a long, below for a short; 0: on either side.
    """
    return next(_reasons(turn, strategy, symbol, sign), None)


def opposed(turn: Pass, strategy: str, instrument: Instrument, qty: int) -> str:
    """Return who is on the other side of a symbol: of both, the account would hold neither.

    What one sells another would have bought, and an exit of either would open a position.
    """
    symbol = instrument.symbol
    least = least_lots(instrument, in_px_exp(mark_of(turn.windows, symbol), instrument.px_exp))
    for slot in turn.books.slots.values():
        if slot.symbol != symbol or slot.strategy == strategy or turn.shadows(slot.strategy):
            continue
        held = held_of(turn, slot, instrument, least)
        wanted = turn.slot(slot.strategy, symbol).qty
        if (wanted or held) * qty < 0:
            return f"{slot.strategy} is on the other side of {symbol}"
    return ""


def _reasons(turn: Pass, strategy: str, symbol: str, sign: int) -> Iterator[str]:
    books = turn.books
    if latch := books.latches.get(strategy):
        yield f"{latch.what} by {latch.by}: {latch.why}"
    yield from _levels(turn)
    for name in PEERS:
        if not peer_ready(turn.windows, name):
            yield f"{name} is not ready: {_told(turn.windows.peers.get(name))}"
    if symbol in books.halted:
        yield f"{symbol} is halted: {books.halted[symbol]}"
    side = ANY if sign == 0 else "long" if sign > 0 else "short"
    if lock := books.locks.against(symbol, side, turn.now_ns):
        yield f"{lock.symbol} is locked by {lock.by}: {lock.why}"
    yield from _market(turn, symbol)


def _levels(turn: Pass) -> Iterator[str]:
    level, why = turn.books.kill
    if level != "ACTIVE":
        yield f"kill level {level}: {why}"
    state, why = turn.books.risk
    if state != "ACTIVE":
        yield f"risk is {state}: {why}"
    if turn.now_ns < turn.windows.settled_ns:
        yield "it is still hearing what was said before"


def _market(turn: Pass, symbol: str) -> Iterator[str]:
    windows = turn.windows
    instrument = windows.instruments.get(symbol)
    if instrument is None:
        yield f"{symbol} is not known yet"
    elif instrument.status != "TRADING":
        yield f"{symbol} is {instrument.status} at the exchange"
    feed = windows.feeds.get(symbol)
    if feed is None or feed.state != "OK":
        yield f"the feed of {symbol} is not OK: {_told(feed)}"
    top = windows.tops.get(symbol)
    if top is None or min(top.bid, top.ask) <= 0:
        yield f"{symbol} has no quote"
    elif turn.now_ns - top.at_ns > turn.terms.stale_ns:
        yield f"the quote of {symbol} is stale"


def peer_ready(windows: Windows, name: str) -> bool:
    """Return whether a service was READY when it was last told of."""
    peer = windows.peers.get(name)
    return peer is not None and peer.state == "READY"


def peer_answers(windows: Windows, name: str) -> bool:
    """Return whether a service takes what it is told, even where it cannot do all of its work."""
    peer = windows.peers.get(name)
    return peer is not None and peer.state in ANSWERING


def conditions(turn: Pass) -> Iterator[tuple[str, str, Health]]:
    """Yield what keeps entries closed and clears itself: what, scope, since when and why."""
    nobody = Health("", "nothing was heard of it yet", 0)
    for name in PEERS:
        if not peer_ready(turn.windows, name):
            yield f"{name} is not ready", name, turn.windows.peers.get(name, nobody)
    for symbol in turn.terms.symbols:
        feed = turn.windows.feeds.get(symbol, nobody)
        if feed.state != "OK":
            yield "feed is not OK", symbol, feed


def _told(condition: Health | None) -> str:
    if condition is None:
        return "nothing was heard of it yet"
    return f"{condition.state} {condition.reason}".strip()
