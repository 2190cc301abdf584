"""What a person may ask of the engine: what is stopped, and to stop or resume a strategy."""

import msgspec

from bus.service import Said
from schema.house import Command, CommandDone
from schema.ledger import decimals
from schema.trading import StrategyPaused, StrategyResumed
from schema.units import iso
from services.engine.gates import conditions
from services.engine.line import Terms
from services.engine.state import State

KNOWN = "stops, balances, pause NAME WHY, resume NAME WHY"
CLEARS_ITSELF = "clears itself"


def obey(state: State, terms: Terms, command: Command, now_ns: int) -> list[Said]:
    """Return what a command leads to, its answer last."""
    match command.verb, command.args:
        case "stops", ():
            return [_done(command, body=msgspec.json.encode(_stops(state, terms, now_ns)))]
        case "balances", ():
            return [_done(command, body=msgspec.json.encode(decimals(state.books.ledger)))]
        case (("pause" | "resume"), (name, why)):
            return _switch(state, terms, command, (name, why), now_ns)
        case _:
            asked = " ".join((command.verb, *command.args))
            return [_refused(command, f"engine knows no command {asked!r}; it knows {KNOWN}")]


def _switch(
    state: State, terms: Terms, command: Command, args: tuple[str, str], now_ns: int
) -> list[Said]:
    name, why = args
    known = {*terms.names, *state.books.latches}
    latch = state.books.latches.get(name)
    if name not in known:
        return [_refused(command, f"no strategy is named {name!r}: expected {_words(known)}")]
    if command.verb == "pause" and latch is None:
        paused = StrategyPaused(ts_event=now_ns, strategy=name, by=command.by, reason=why)
        return [paused, _done(command, f"{name} enters no more; its stops and exits stay")]
    if command.verb == "resume" and latch is not None:
        resumed = StrategyResumed(ts_event=now_ns, strategy=name, by=command.by, reason=why)
        return [resumed, _done(command, f"{name} may trade again")]
    if latch is not None:
        return [_done(command, f"{latch.what} already, by {latch.by}: {latch.why}")]
    return [_done(command, f"{name} is not stopped")]


def _stops(state: State, terms: Terms, now_ns: int) -> list[dict[str, str]]:
    found = [
        _stop(latch.what, name, latch.since_ns, latch.by, latch.why)
        | {"release": f'rrr strategy resume {name} "why"'}
        for name, latch in sorted(state.books.latches.items())
    ]
    for symbol, lock in sorted(state.books.locks.items()):
        if now_ns < lock.until_ns:
            release = f"{CLEARS_ITSELF} at {iso(lock.until_ns)}"
            told = _stop("no entries", symbol, lock.since_ns, lock.by, lock.why)
            found.append(told | {"release": release})
    for what, scope, condition in conditions(state, terms):
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
