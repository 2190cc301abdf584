"""What stops trading here, and the state of trading that follows from all stops together."""

from collections.abc import Mapping

import msgspec

from schema.head import Message
from schema.house import PeerSeen
from schema.orders import InstrumentHalted, InstrumentResumed, KillLevel
from schema.trading import LimitBreached, LimitReleased, RiskState
from services.risk.state import Books, Windows

ACCOUNT = "account"
WHOLE = frozenset({ACCOUNT, "house"})
"""Scopes of what stops all trading, and not that of one strategy alone."""

NO_STOP = "nothing stops trading"
STATE_OF = {"REDUCING": "REDUCING", "HALTED": "HALTED", "FLATTEN": "HALTED"}


class Stop(msgspec.Struct, frozen=True):
    """One reason not to trade, and what ends it."""

    what: str
    scope: str
    since_ns: int
    by: str
    why: str
    release: str
    state: str = "REDUCING"


def stops(
    kill: KillLevel | None,
    latched: Mapping[str, LimitBreached],
    windows: Windows,
    hard: frozenset[str] = frozenset(),
) -> list[Stop]:
    """Return all that stops trading, that of the kill switch first; `hard` limits halt it all."""
    found = [_of_limit(breach, hard) for breach in latched.values()]
    if windows.behind is not None:
        found.append(_of_writer(windows.behind, windows.behind_since_ns))
    if kill is not None and kill.level in STATE_OF:
        found.insert(0, _of_kill(kill))
    return found


def state_after(
    books: Books,
    windows: Windows,
    said: list[Message],
    now_ns: int,
    hard: frozenset[str] = frozenset(),
) -> list[RiskState]:
    """Return the state of trading once all of `said` is booked, where it is another."""
    latched = dict(books.latched)
    for message in said:
        latch(latched, message)
    found = [stop for stop in stops(books.kill, latched, windows, hard) if stop.scope in WHOLE]
    state = max((stop.state for stop in found), key=["REDUCING", "HALTED"].index, default="ACTIVE")
    reason = "; ".join(f"{stop.what}: {stop.why}" for stop in found) or NO_STOP
    before = books.standing
    if before is not None and (before.state, before.reason) == (state, reason):
        return []
    return [RiskState(ts_event=now_ns, state=state, reason=reason)]


def latch(latched: dict[str, LimitBreached], message: Message) -> None:
    """Keep a limit that was reached, until it is released."""
    match message:
        case LimitBreached(latched=True):
            latched[key_of(message.limit_name, message.scope)] = message
        case LimitReleased():
            latched.pop(key_of(message.limit_name, message.scope), None)


def key_of(name: str, scope: str) -> str:
    """Return the key that a limit which was reached is kept by."""
    return name if scope == ACCOUNT else f"{name} {scope}"


def fold_stop(books: Books, message: KillLevel | InstrumentHalted | InstrumentResumed) -> None:
    """Book what the gateway has said of where it lets nothing new leave."""
    match message:
        case KillLevel():
            books.kill = message
        case InstrumentHalted():
            books.halted[message.symbol] = message
        case InstrumentResumed():
            books.halted.pop(message.symbol, None)


def _of_kill(kill: KillLevel) -> Stop:
    return Stop(
        what=f"kill level {kill.level}",
        scope="house",
        since_ns=kill.ts_event,
        by=kill.by,
        why=kill.reason,
        release='rrr resume "why"',
        state=STATE_OF[kill.level],
    )


def _of_limit(breach: LimitBreached, hard: frozenset[str]) -> Stop:
    key = key_of(breach.limit_name, breach.scope)
    return Stop(
        what=breach.limit_name.replace("_", " "),
        scope=breach.scope,
        since_ns=breach.ts_event,
        by="risk",
        why=f"{breach.observed} of {breach.limit} at most",
        release=f'rrr resume --limit {key if key == breach.limit_name else repr(key)} "why"',
        state="HALTED" if breach.limit_name in hard else "REDUCING",
    )


def _of_writer(behind: PeerSeen, since_ns: int) -> Stop:
    return Stop(
        what=f"{behind.service} behind",
        scope="house",
        since_ns=since_ns,
        by="risk",
        why=behind.reason,
        release="clears itself",
    )
