"""Pair locks by hand: no entries in a symbol until a market time, or until a person clears it."""

from collections.abc import Sequence

import msgspec

from bus.service import Said
from schema.house import Command, CommandDone
from schema.locks import ANY, FOREVER_NS, SIDES, Lock
from schema.trading import PairLocked
from schema.units import iso
from services.engine.line import Pass

DIGITS_MAX = 19
USAGE = (
    "expected lock SYMBOL [long|short] FOR|UNTIL NANOSECONDS WHY, or unlock SYMBOL [long|short] "
    "WHY; 0: until cleared"
)


class Row(msgspec.Struct):
    """A lock as a person reads it."""

    symbol: str
    side: str
    since: str
    until: str  # empty: until it is cleared
    by: str
    protection: str
    why: str
    release: str


def obey(turn: Pass, command: Command, symbol: str, words: Sequence[str]) -> list[Said]:
    """Return what a wish to lock or to unlock leads to, its answer last."""
    known = [*turn.terms.symbols, ANY]
    if symbol not in known and symbol not in turn.books.locks.held:
        return [_refused(command, f"{symbol!r} is not traded: expected {' or '.join(known)}")]
    side, words = (words[0], words[1:]) if words and words[0] in SIDES else (ANY, words)
    match command.verb, words:
        case "lock", (("for" | "until") as kind, text, why) if _number(text) and why.strip():
            stretch_ns = int(text)
            base_ns = turn.now_ns if kind == "for" else 0
            until_ns = min(base_ns + stretch_ns if stretch_ns else FOREVER_NS, FOREVER_NS)
            return _lock(turn, command, _wish(turn, command, symbol, side, until_ns))
        case "unlock", (why,) if why.strip():
            return _unlock(turn, command, _wish(turn, command, symbol, side, turn.now_ns))
    return [_refused(command, USAGE)]


def told(turn: Pass, command: Command) -> CommandDone:
    """Answer with every lock that holds: who locked what, why, until when, and its release."""
    rows = [row_of(lock) for lock in turn.books.locks.now(turn.now_ns)]
    text = f"{len(rows)} locks; entries stopped, exits go on" if rows else "nothing is locked"
    body = msgspec.json.encode(rows)
    return CommandDone(request_id=command.request_id, ok=True, text=text, body=body)


def row_of(lock: Lock) -> Row:
    """Return a lock as a person reads it."""
    return Row(
        symbol=lock.symbol,
        side=lock.side,
        since=iso(lock.since_ns),
        until=iso(lock.until_ns) if lock.until_ns < FOREVER_NS else "",
        by=lock.by,
        protection=lock.name,
        why=lock.why,
        release=clearing(lock),
    )


def told_what(lock: Lock) -> str:
    """Return what a lock is, as a stop of trading is named."""
    return "locked" if lock.side == ANY else f"locked {lock.side}"


def told_why(lock: Lock) -> str:
    """Return why a lock stands, and that it holds entries alone."""
    return f"{lock.why}; entries stopped, exits go on"


def clearing(lock: Lock) -> str:
    """Return the command that clears a lock."""
    symbol = f'"{lock.symbol}"' if lock.symbol == ANY else lock.symbol
    side = f" --side {lock.side}" if lock.side != ANY else ""
    return f"rrr lock {symbol}{side} --clear"


def way_out(lock: Lock) -> str:
    """Return what lets a locked symbol be entered again: a command, or time."""
    if lock.until_ns >= FOREVER_NS:
        return clearing(lock)
    return f"{clearing(lock)}, or it clears itself at {iso(lock.until_ns)}"


def where(symbol: str, side: str) -> str:
    """Return a symbol, and the side of it where it is one."""
    return symbol if side == ANY else f"{symbol} {side}"


def _wish(turn: Pass, command: Command, symbol: str, side: str, until_ns: int) -> PairLocked:
    return PairLocked(
        ts_event=turn.now_ns,
        symbol=symbol,
        until_ns=until_ns,
        reason=command.args[-1],
        side=side,
        by=command.by,
    )


def _lock(turn: Pass, command: Command, wish: PairLocked) -> list[Said]:
    held = turn.books.locks.by_hand(wish.symbol, wish.side, turn.now_ns)
    if wish.until_ns <= turn.now_ns:
        past = f"{iso(wish.until_ns)} is past: it is {iso(turn.now_ns)} there"
        return [_refused(command, past)]
    place = where(wish.symbol, wish.side)
    if held is not None and held.until_ns >= wish.until_ns:
        return [_done(command, f"{place} is locked already, by {held.by}: {held.why}")]
    until = "it is cleared" if wish.until_ns == FOREVER_NS else iso(wish.until_ns)
    return [wish, _done(command, f"no entries in {place} until {until}; exits and stops go on")]


def _unlock(turn: Pass, command: Command, wish: PairLocked) -> list[Said]:
    place = where(wish.symbol, wish.side)
    over = [
        lock
        for lock in turn.books.locks.now(turn.now_ns)
        if lock.symbol == wish.symbol and wish.side in {ANY, lock.side}
    ]
    if not over:
        return [_done(command, f"{place} is not locked")]
    left = turn.books.locks.against(ANY, ANY, turn.now_ns) if wish.symbol != ANY else None
    rest = f'; but "{ANY}" is locked, by {left.by}: {left.why}' if left is not None else ""
    return [wish, _done(command, f"{place} may be entered again{rest}")]


def _number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX


def _done(command: Command, text: str) -> CommandDone:
    return CommandDone(request_id=command.request_id, ok=True, text=text)


def _refused(command: Command, text: str) -> CommandDone:
    return CommandDone(request_id=command.request_id, ok=False, text=text)
