"""Pair locks by hand: no entries in a symbol until a market time, or until a person clears it."""

from collections.abc import Sequence

from bus.service import Said
from schema.house import Command, CommandDone
from schema.trading import PairLocked
from schema.units import iso
from services.engine.gates import ANY
from services.engine.line import Pass
from services.engine.state import Lock

FOREVER_NS = 9_000_000_000_000_000_000
"""A lock until then is one until a person clears it: the year 2255."""

DIGITS_MAX = 19
USAGE = "expected lock SYMBOL FOR|UNTIL NANOSECONDS WHY, or unlock SYMBOL WHY; 0: until cleared"


def obey(turn: Pass, command: Command, symbol: str, words: Sequence[str]) -> list[Said]:
    """Return what a wish to lock or to unlock leads to, its answer last."""
    known = [*turn.terms.symbols, ANY]
    held = turn.books.locks.get(symbol)
    match command.verb, words:
        case _ if symbol not in known and held is None:
            return [_refused(command, f"{symbol!r} is not traded: expected {' or '.join(known)}")]
        case "lock", (("for" | "until") as kind, text, why) if _number(text) and why.strip():
            stretch_ns = int(text)
            base_ns = turn.now_ns if kind == "for" else 0
            return _lock(turn, command, symbol, base_ns + stretch_ns if stretch_ns else FOREVER_NS)
        case "unlock", (why,) if why.strip():
            return _unlock(turn, command, symbol)
    return [_refused(command, USAGE)]


def way_out(symbol: str, lock: Lock) -> str:
    """Return what lets a locked symbol be entered again."""
    command = f'rrr lock "{symbol}" --clear' if symbol == ANY else f"rrr lock {symbol} --clear"
    if lock.until_ns >= FOREVER_NS:
        return command
    return f"{command}, or it clears itself at {iso(lock.until_ns)}"


def _lock(turn: Pass, command: Command, symbol: str, until_ns: int) -> list[Said]:
    held, until_ns = turn.books.locks.get(symbol), min(until_ns, FOREVER_NS)
    if until_ns <= turn.now_ns:
        return [_refused(command, f"{iso(until_ns)} is past: it is {iso(turn.now_ns)} there")]
    if held is not None and held.until_ns >= until_ns:
        return [_done(command, f"{symbol} is locked already, by {held.by}: {held.why}")]
    until = "it is cleared" if until_ns == FOREVER_NS else iso(until_ns)
    return [
        _said(turn, command, symbol, until_ns),
        _done(command, f"no entries in {symbol} until {until}; exits and stops go on"),
    ]


def _unlock(turn: Pass, command: Command, symbol: str) -> list[Said]:
    held = turn.books.locks.get(symbol)
    if held is None or held.until_ns <= turn.now_ns:
        return [_done(command, f"{symbol} is not locked")]
    said = _said(turn, command, symbol, turn.now_ns)
    return [said, _done(command, f"{symbol} may be entered again")]


def _said(turn: Pass, command: Command, symbol: str, until_ns: int) -> PairLocked:
    why = command.args[-1]
    return PairLocked(
        ts_event=turn.now_ns, symbol=symbol, until_ns=until_ns, reason=why, by=command.by
    )


def _number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX


def _done(command: Command, text: str) -> CommandDone:
    return CommandDone(request_id=command.request_id, ok=True, text=text)


def _refused(command: Command, text: str) -> CommandDone:
    return CommandDone(request_id=command.request_id, ok=False, text=text)
