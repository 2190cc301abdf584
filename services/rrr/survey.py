"""One look at the whole house: what each service answers, and what the supervisor knows."""

from pathlib import Path
from typing import Any

import msgspec

from bus.clock import Clock, MarketTime
from bus.errors import HouseError
from bus.health import SECOND, Limits, Process, Sign, Verdict, judge, last_positions
from bus.house import House
from bus.wire import ask_all, socket_path
from schema.house import Heartbeat
from services.rrr.supervisor import Supervisor

ASK_MS = 500
STARTS_NS = 10 * SECOND
"""How long after its spawn a process may owe an answer before that is told."""

_heartbeat = msgspec.msgpack.Decoder(Heartbeat)
_market_time = msgspec.json.Decoder(MarketTime)


class NotReadyError(HouseError):
    """The house, or what was asked for, is not ready."""

    exit_code = 3


class LastWord(msgspec.Struct):
    """What a process wrote when it left by itself."""

    code: int
    message: str
    at_ns: int


class Survey(msgspec.Struct):
    """What was found, and how each program does."""

    wall_ns: int
    heartbeats: dict[str, Heartbeat]
    processes: dict[str, dict[str, Any]]
    verdicts: list[Verdict]
    last_words: dict[str, LastWord]

    @property
    def alive(self) -> bool:
        """Whether anything runs at all."""
        return bool(self.heartbeats) or bool(self.processes)

    @property
    def ready(self) -> bool:
        """Whether every program is READY."""
        return all(one.ready for one in self.verdicts)

    def counter(self, service: str, name: str) -> int | None:
        """Return one counter of a service's heartbeat."""
        heartbeat = self.heartbeats.get(service)
        return dict(heartbeat.counters).get(name) if heartbeat is not None else None


def survey(house: House, clock: Clock, timeout_ms: int = ASK_MS) -> Survey:
    """Ask everybody at once."""
    heartbeats = _ask(house, timeout_ms)
    processes = Supervisor(house).processes()
    last_words = {
        name: word
        for name in house.programs
        if (word := last_word(house, name)) and _is_of(word, processes.get(name))
    }
    found = Survey(clock.wall_ns(), heartbeats, processes, [], last_words)
    found.verdicts = [verdict(found, name) for name in house.programs]
    return found


def market_clock(house: House) -> MarketTime | None:
    """Return the clock of the house that runs here; None without one."""
    try:
        return _market_time.decode((house.run / "clock.json").read_bytes())
    except (OSError, msgspec.MsgspecError):
        return None


def running_house(house: House) -> House:
    """Return the house with the world that runs here, which other settings may have chosen."""
    market = market_clock(house)
    if market is None:
        return house
    described = msgspec.structs.replace(house.described, name=market.world)
    return msgspec.structs.replace(house, described=described)


def last_word(house: House, name: str) -> LastWord | None:
    """Return why a process left, when it said so."""
    try:
        return msgspec.json.decode((house.run / f"{name}.exit").read_bytes(), type=LastWord)
    except (OSError, msgspec.MsgspecError):
        return None


def log_of(house: House, name: str) -> Path:
    """Return the supervisor's log of a program."""
    return house.root / "logs" / "system" / f"{name}.out"


def _ask(house: House, timeout_ms: int) -> dict[str, Heartbeat]:
    there = [name for name in house.programs if socket_path(house.run, name, "ctl").exists()]
    if not there:
        return {}
    answers = ask_all(house.run, there, "status", timeout_ms=timeout_ms)
    return {
        name: _heartbeat.decode(done.body)
        for name, done in answers.items()
        if done is not None and done.body
    }


def verdict(found: Survey, name: str) -> Verdict:
    """Return how a program does, as far as one look tells."""
    info = found.processes.get(name)
    process = _process(found, name, info) if info is not None else None
    heartbeat = found.heartbeats.get(name)
    if process is None and heartbeat is None:
        return Verdict(name, "STOPPED", "no supervisor answers")
    now_ns = found.wall_ns
    if process is not None and heartbeat is None and process.state == "RUNNING":
        return _mute(name, now_ns - process.since_ns)
    sign = Sign(heartbeat, now_ns, now_ns) if heartbeat is not None else None
    lasts = last_positions(found.heartbeats.values())
    since_ns = process.since_ns if process is not None else now_ns
    return judge(name, process, sign, now_ns, since_ns, lasts, Limits())


def _mute(name: str, age_ns: int) -> Verdict:
    # One look tells that it is silent now; for how long, only the warden and the monitor know.
    if age_ns < STARTS_NS:
        return Verdict(name, "STARTING", "it does not answer yet")
    return Verdict(name, "SUSPECT", f"it runs, and does not answer within {ASK_MS} ms")


def _is_of(word: LastWord, info: dict[str, Any] | None) -> bool:
    # The word of an earlier life explains nothing about the one that has just ended.
    exited = info is not None and info["statename"] == "EXITED"
    return not exited or info is None or word.at_ns >= int(info["start"]) * SECOND


def _process(found: Survey, name: str, info: dict[str, Any]) -> Process:
    word = found.last_words.get(name)
    detail = str(info["spawnerr"])
    if info["statename"] == "EXITED":
        detail = word.message if word is not None else f"exit code {info['exitstatus']}"
    since_ns = int(info["start"]) * SECOND
    looped = word is not None and word.code and word.at_ns >= since_ns
    if info["statename"] == "STOPPED" and word is not None and looped:
        detail = word.message  # The warden stopped it, for it ended like this again and again.
    return Process(str(info["statename"]), int(info["pid"]), since_ns, detail)
