"""What stops trading: what the traders latched, and what is wrong with the traders themselves."""

from collections.abc import Iterable, Sequence

from bus.errors import ProtocolError
from bus.health import DOWN, Verdict
from bus.house import House
from bus.wire import ask_all
from schema.identity import ID_CHARS
from schema.units import SECOND_NS, iso
from services.rrr.asking import stops_in
from services.rrr.survey import Survey

TRADERS = ("gateway", "risk", "engine")
ASK_MS = 500
CONTRACTS = "contracts differ"

Stop = dict[str, str]


def ask_stops(house: House, found: Survey) -> list[Stop]:
    """Return what the traders that answer have latched, asked all at once."""
    there = [name for name in TRADERS if name in found.heartbeats]
    if not there:
        return []
    try:
        answers = ask_all(house.run, there, "stops", timeout_ms=ASK_MS)
    except ProtocolError as error:
        return [_mute("*", error.what, error.hint)]
    stops: list[Stop] = []
    for name in there:
        done = answers[name]
        if done is None or not done.ok:
            why = done.text if done is not None else f"no answer within {ASK_MS} ms"
            stops.append(_mute(name, why, f"rrr restart {name}"))
        else:
            stops += [{**_none(name), **stop} for stop in stops_in(done)]
    return stops


def stops_of(found: Survey, told: Iterable[Stop] = ()) -> list[Stop]:
    """Return every stop: the traders that do not work, crash loops, and what was latched."""
    loops = [_crash_loop(found, name) for name in _looping(found)]
    looping = {stop["scope"] for stop in loops}
    states = {verdict.service: verdict for verdict in found.verdicts}
    away = [
        _away(found, name, states.get(name))
        for name in TRADERS
        if name not in looping and not (name in states and states[name].ready)
    ]
    # What one trader heard of another that is away is told better by a look at that one; and what
    # one that is not READY says of itself tells more than that it is not.
    seen = looping | {stop["scope"] for stop in away}
    heard = [stop for stop in told if stop["scope"] not in seen]
    telling = {stop["by"] for stop in heard if not _is_narrow(stop["scope"])}
    quiet = [
        stop
        for stop in away
        if not (stop["scope"] in telling and _limps(states.get(stop["scope"])))
    ]
    return [*quiet, *heard, *loops, *_contracts(found)]


def nothing_to_trade(house: House) -> list[Stop]:
    """Return the stop of a house whose settings let no strategy trade."""
    if _trading(house):
        return []
    why = 'no [strategy.NAME] has mode = "trade"'
    stop = {"what": "no strategy", "by": "settings", "why": why}
    release = 'rrr strategy add NAME, or rrr strategy promote NAME "why"'
    return [_none("all") | stop | {"release": release}]


def trades(house: House, stops: Sequence[Stop]) -> bool:
    """Return whether anything may be bought: some strategy in some symbol is not stopped."""
    symbols = set(house.settings.ingest.symbols or house.settings.venue.symbol)
    strategies = _trading(house)
    parts = symbols | house.settings.strategy.keys()
    stops = [stop for stop in stops if stop["what"] != CONTRACTS]  # It keeps a house from arming.
    for stop in stops:
        scope = stop["scope"]
        if scope not in parts and not _is_narrow(scope):
            return False
    scopes = {stop["scope"] for stop in stops}
    return not (symbols <= scopes or (strategies and strategies <= scopes))


def _trading(house: House) -> set[str]:
    return {name for name, one in house.settings.strategy.items() if one.mode == "trade"}


def _is_narrow(scope: str) -> bool:
    # Another symbol than those of the settings, a strategy in a symbol, or one order.
    return "/" in scope or (len(scope) == ID_CHARS and scope.isalnum())


def _limps(verdict: Verdict | None) -> bool:
    return verdict is not None and verdict.state == "DEGRADED"


def _contracts(found: Survey) -> list[Stop]:
    names: dict[str, list[str]] = {}
    for name, heartbeat in found.heartbeats.items():
        if heartbeat.contract:
            names.setdefault(heartbeat.contract, []).append(name)
    if len(names) < 2:
        return []
    # Whoever started last runs what lies in the tree; whoever differs from that one is older.
    newest = max(found.heartbeats.values(), key=lambda one: (one.started_ns, one.service))
    older = [name for contract, own in names.items() if contract != newest.contract for name in own]
    why = f"{' '.join(older)} run another schema, bus or mode than {newest.service}"
    stop = {"what": CONTRACTS, "by": "rrr", "why": why}
    return [_none("all") | stop | {"release": f"rrr restart {' '.join(older)}"}]


def _looping(found: Survey) -> list[str]:
    return [
        verdict.service
        for verdict in found.verdicts
        if not verdict.ready and found.counter("warden", f"crash_loop.{verdict.service}")
    ]


def _crash_loop(found: Survey, service: str) -> Stop:
    return {
        "what": "service left down after a crash loop",
        "scope": service,
        "since": _since(found, service),
        "by": "warden",
        "why": _why(found, service),
        "release": f"supervisorctl start {service}",
    }


def _away(found: Survey, name: str, verdict: Verdict | None) -> Stop:
    if verdict is None:
        stop = _mute(name, "supervisord.conf has no such program", "rrr up")
        return stop | {"what": f"service {name} is not part of this house"}
    release = f"it clears itself; `rrr logs {name}` says more"
    if verdict.state in DOWN:
        release = f"supervisorctl start {name}" if found.alive else "rrr up"
    if name in found.heartbeats:
        stop = _mute(name, verdict.reason, release)
        return stop | {"what": f"service {name} is {verdict.state}"}
    return _mute(name, f"{verdict.state}: {verdict.reason}", release)


def _mute(name: str, why: str, release: str) -> Stop:
    what = f"service {name} does not answer"
    return _none(name) | {"what": what, "by": "rrr", "why": why, "release": release}


def _none(name: str) -> Stop:
    return {"what": "", "scope": name, "since": "", "by": name, "why": "", "release": ""}


def _why(found: Survey, service: str) -> str:
    word = found.last_words.get(service)
    if word is not None and word.code:
        return word.message
    return f"it ended again and again, see logs/system/{service}.out"


def _since(found: Survey, service: str) -> str:
    info = found.processes.get(service)
    if info is None or not info["stop"]:
        return ""
    return iso(info["stop"] * SECOND_NS)
