"""The kill switch: latched here, obeyed by everything that leaves, released by a person alone."""

import msgspec

from schema.exchange import KillFileSeen
from schema.house import Command, CommandDone
from schema.orders import InstrumentResumed, KillLevel
from schema.units import iso_ms
from services.gateway import arming_wish, person
from services.gateway.account import audited
from services.gateway.adopt import unexplained_of
from services.gateway.state import Waiting
from services.gateway.stops import adopt_command, stops
from services.gateway.turn import Turn

LEVELS = ("ACTIVE", "REDUCING", "HALTED", "FLATTEN")
"""From the mildest to the strictest."""

FILE = "data/run/KILL"
FILE_WAIT_MS = 800
"""A resume waits this long for word that the file, just removed, is gone."""


def command(turn: Turn, asked: Command) -> None:
    """Answer a person's command."""
    match asked.verb, asked.args:
        case "kill", args:
            _kill(turn, asked, args)
        case "resume", args:
            _resume(turn, asked, " ".join(args).strip())
        case "resume-symbol", (symbol, *words):
            _resume_symbol(turn, asked, symbol, " ".join(words).strip())
        case "stops", _:
            _answer(turn, asked.request_id, "", body=msgspec.json.encode(stops(turn)))
        case "level", _:
            _answer(turn, asked.request_id, turn.books.level, body=_level(turn))
        case "audit", _:
            _answer(turn, asked.request_id, "", body=msgspec.json.encode(audited(turn.books)))
        case verb, _ if verb in arming_wish.VERBS:
            turn.said.append(arming_wish.obey(turn, asked))
        case verb, _ if verb in person.VERBS:
            turn.said.append(person.obey(turn, asked))
        case verb, _:
            _answer(turn, asked.request_id, f"gateway knows no command {verb!r}", ok=False)


def _answer(turn: Turn, request_id: str, text: str, *, ok: bool = True, body: bytes = b"") -> None:
    turn.said.append(CommandDone(request_id=request_id, ok=ok, text=text, body=body))


def _level(turn: Turn) -> bytes:
    killed = turn.books.killed
    since = iso_ms(killed.since_ns) if killed.since_ns else ""
    found = {"level": turn.books.level, "by": killed.by, "why": killed.why, "since": since}
    return msgspec.json.encode(found)


def _kill(turn: Turn, asked: Command, args: tuple[str, ...]) -> None:
    level, why = parse(" ".join(args))
    _drop_resumes(turn)
    raise_level(turn, level, asked.by, why)
    found = turn.books
    _answer(turn, asked.request_id, f"{found.level} by {found.killed.by}: {found.killed.why}")


def parse(text: str) -> tuple[str, str]:
    """Return level and reason; without a level it is HALTED, for a kill is never refused."""
    first, _, rest = text.strip().partition(" ")
    if first.upper() in LEVELS[1:]:
        return first.upper(), rest.strip() or "by hand"
    return "HALTED", text.strip() or "by hand"


def raise_level(turn: Turn, level: str, by: str, why: str) -> None:
    """Latch a level, unless a stricter one is latched already."""
    if LEVELS.index(level) > LEVELS.index(turn.books.level):
        set_level(turn, level, by, why)


def set_level(turn: Turn, level: str, by: str, why: str) -> None:
    """Say a level, and have the edge obey it before all else."""
    turn.say(KillLevel(ts_event=turn.now_ns, level=level, by=by, reason=why))
    turn.windows.closing, turn.windows.dust = {}, {}
    turn.tell_level()


def take_file(turn: Turn, seen: KillFileSeen) -> None:
    """Obey the file; that it is gone releases nothing."""
    turn.windows.kill_file = seen.there
    if seen.there:
        _drop_resumes(turn)
        level, why = parse(seen.text)
        raise_level(turn, level, "file", why)


def _resume(turn: Turn, asked: Command, why: str) -> None:
    if not why:
        _answer(turn, asked.request_id, "say why it may trade again", ok=False)
    elif turn.windows.kill_file:
        until_ns = turn.now_ns + turn.span_ns(FILE_WAIT_MS)
        turn.windows.waiting.append(Waiting(asked.request_id, asked.by, why, until_ns))
    else:
        _release(turn, asked.request_id, asked.by, why)


def _drop_resumes(turn: Turn) -> None:
    """Refuse the resumes that still wait: they were asked for before this kill."""
    for waiting in turn.windows.waiting:
        _answer(turn, waiting.request_id, "it was killed again meanwhile", ok=False)
    turn.windows.waiting = []


def _release(turn: Turn, request_id: str, by: str, why: str) -> None:
    if turn.books.level == "ACTIVE":
        _answer(turn, request_id, "the kill level is ACTIVE already")
        return
    before = turn.books.level
    set_level(turn, "ACTIVE", by, why)
    _answer(turn, request_id, f"{before} is released: the kill level is ACTIVE")


def _resume_symbol(turn: Turn, asked: Command, symbol: str, why: str) -> None:
    if not why:
        _answer(turn, asked.request_id, f"say why {symbol} may be traded again", ok=False)
    elif symbol not in turn.books.halted:
        _answer(turn, asked.request_id, f"{symbol} is not halted")
    elif asset := unexplained_of(turn, symbol):
        text = f"the balance of {asset} is not explained: {adopt_command(turn, asset)} first"
        _answer(turn, asked.request_id, text, ok=False)
    else:
        by = asked.by
        turn.say(InstrumentResumed(ts_event=turn.now_ns, symbol=symbol, by=by, reason=why))
        turn.tell_level()
        _answer(turn, asked.request_id, f"{symbol} may be traded again")


def settle(turn: Turn) -> None:
    """Answer the resumes that wait for the file to be gone."""
    for waiting in turn.windows.waiting[:]:
        if not turn.windows.kill_file:
            turn.windows.waiting.remove(waiting)
            _release(turn, waiting.request_id, waiting.by, waiting.why)
        elif turn.due(waiting.until_ns):
            turn.windows.waiting.remove(waiting)
            text = f"the file {FILE} lies there and would stop it again; remove it first"
            _answer(turn, waiting.request_id, text, ok=False)
