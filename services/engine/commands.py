"""What a person may ask of the engine: what is stopped, what runs, and to change either."""

import msgspec

from bus.service import Said
from schema.house import Command, CommandDone
from schema.ledger import decimals
from schema.strategy import StrategyRetired
from schema.trading import StrategyPaused, StrategyResumed
from schema.units import iso
from services.engine import hands, locks
from services.engine.acting import steer_slot
from services.engine.boundary import Guard
from services.engine.decisions import exit_of
from services.engine.gates import conditions
from services.engine.line import Pass
from services.engine.offers import ARM, take
from services.engine.orders import slots_of
from services.engine.roster import Roster
from services.engine.telling import audited, told_of

WORDS_MAX = 200

KNOWN = (
    "stops, balances, audit, strategies, pause NAME WHY, resume NAME WHY, close NAME WHY, "
    "offer JSON WHY, retire NAME WHY, locks, lock SYMBOL FOR|UNTIL NS WHY, unlock SYMBOL WHY, "
    "order WISH WHY, close-symbol SYMBOL WHY, cancel ORDER WHY"
)
CLEARS_ITSELF = "clears itself"


def obey(turn: Pass, roster: Roster, guard: Guard, command: Command) -> list[Said]:
    """Return what a command leads to, its answer last."""
    if command.verb in hands.VERBS:
        return hands.obey(turn, command)
    match command.verb, command.args:
        case "stops", ():
            return [_done(command, body=msgspec.json.encode(_stops(turn)))]
        case "locks", ():
            return [locks.told(turn, command)]
        case "balances", ():
            body = msgspec.json.encode(decimals(turn.books.ledger))
            return [_done(command, body=body)]
        case "audit", ():
            return [_done(command, body=msgspec.json.encode(audited(turn.books)))]
        case "strategies", ():
            return [_done(command, body=msgspec.json.encode(told_of(turn, roster)))]
        case "offer", (text, why):
            said, why_not = take(turn, guard, text, command.by, why)
            return [*said, _refused(command, why_not) if why_not else _done(command, "loaded")]
        case (("lock" | "unlock"), (symbol, *words)):
            return locks.obey(turn, command, symbol, words)
        case (("pause" | "resume" | "close" | "retire"), (name, why)):
            return _switch(turn, command, name, why)
        case _:
            asked = " ".join((command.verb, *command.args))[:WORDS_MAX]
            return [_refused(command, f"engine knows no command {asked!r}; it knows {KNOWN}")]


def _switch(turn: Pass, command: Command, name: str, why: str) -> list[Said]:
    left = [slot.strategy for slot in turn.books.slots.values() if slot.qty]
    known = {*turn.books.loaded, *turn.books.latches, *left}
    if name not in known:
        return [_refused(command, f"no strategy is named {name!r}: expected {_words(known)}")]
    match command.verb:
        case "resume":
            return _resume(turn, command, name, why)
        case "retire":
            gone = StrategyRetired(ts_event=turn.now_ns, strategy=name, reason=why)
            return [gone, _done(command, f"{name} runs no more; what it holds stays protected")]
        case "close":
            return [*_pause(turn, command, name, why), *_closed(turn, command, name, why)]
    if latch := turn.books.latches.get(name):
        return [_done(command, f"{latch.what} already, by {latch.by}: {latch.why}")]
    told = f"{name} enters no more; its stops and exits stay"
    return [*_pause(turn, command, name, why), _done(command, told)]


def _pause(turn: Pass, command: Command, name: str, why: str) -> list[Said]:
    if name in turn.books.latches:
        return []
    return [StrategyPaused(ts_event=turn.now_ns, strategy=name, by=command.by, reason=why)]


def _resume(turn: Pass, command: Command, name: str, why: str) -> list[Said]:
    if name not in turn.books.latches:
        return [_done(command, f"{name} is not stopped")]
    resumed = StrategyResumed(ts_event=turn.now_ns, strategy=name, by=command.by, reason=why)
    turn.wake(ARM, turn.now_ns)
    return [*turn.said, resumed, _done(command, f"{name} may trade again")]


def _closed(turn: Pass, command: Command, name: str, why: str) -> list[Said]:
    held = [slot.symbol for slot in slots_of(turn.books, name) if slot.qty]
    for symbol in held:
        turn.decide(exit_of(turn, turn.slot(name, symbol), why))
        steer_slot(turn, name, symbol)
    told = f"{name} closes {' '.join(held)}" if held else f"{name} holds nothing"
    return [*turn.said, _done(command, f"{told}; it enters no more until it is resumed")]


def _stops(turn: Pass) -> list[dict[str, str]]:
    found = [
        _stop(latch.what, name, latch.since_ns, latch.by, latch.why)
        | {"release": f'rrr strategy resume {name} "why"'}
        for name, latch in sorted(turn.books.latches.items())
        if name in turn.books.loaded or name in turn.windows.unloaded
    ]
    for lock in turn.books.locks.now(turn.now_ns):
        what, why = locks.told_what(lock), locks.told_why(lock)
        told = _stop(what, lock.symbol, lock.since_ns, lock.by, why)
        found.append(told | {"release": locks.way_out(lock)})
    for what, scope, condition in conditions(turn):
        why = f"{condition.state} {condition.reason}".strip()
        told = _stop(what, scope, condition.since_ns, "engine", why)
        found.append(told | {"release": CLEARS_ITSELF})
    return found


def _stop(what: str, scope: str, since_ns: int, by: str, why: str) -> dict[str, str]:
    since = iso(since_ns) if since_ns else ""
    return {"what": what, "scope": scope, "since": since, "by": by, "why": why}


def _done(command: Command, text: str = "", body: bytes = b"") -> CommandDone:
    return CommandDone(request_id=command.request_id, ok=True, text=text, body=body)


def _refused(command: Command, text: str) -> CommandDone:
    return CommandDone(request_id=command.request_id, ok=False, text=text)


def _words(names: set[str]) -> str:
    return " or ".join(sorted(names)) or "none: no strategy runs"
