"""`rrr status` as data: the contract that scripts and the dashboard read."""

from pathlib import Path
from typing import Any

from bus.clock import Clock
from bus.errors import UnreachableError
from bus.health import SECOND, behind
from bus.house import House
from schema.units import SECOND_NS, iso
from services.rrr.survey import NotReadyError, Survey, running_house, survey

SHARDS = {"trading": "trading*.db*", "market": "market_data_*.db*"}
"""Each shard and its files; `writer_<shard>` is its writer."""

TRADERS = ("engine", "risk", "gateway")


def status(house: House, clock: Clock) -> tuple[dict[str, Any], Survey]:
    """Return the status of the house that runs here, and what it was made from."""
    house = running_house(house)
    found = survey(house, clock)
    return build(house, found), found


def build(house: House, found: Survey) -> dict[str, Any]:
    """Return what a survey says, in the form of the contract."""
    stops = _stops(found)
    return {
        "ready": found.ready,
        "mode": _mode(house, found),
        "world": _world(house, found),
        "trading": _trades(found) and not stops,
        "stops": stops,
        "shards": [_shard(house, found, name) for name in SHARDS],
        "services": [_service(found, name) for name in house.programs],
        "risk": {"state": "", "reason": ""},
        "equity": "0",
        "positions": [],
        "orders": {"submitted": 0, "filled": 0, "rejected": 0, "denied": 0, "open": 0},
    }


def failure(found: Survey) -> NotReadyError | UnreachableError | None:
    """Return what `rrr status` exits with; None when the house is ready."""
    if not found.alive:
        return UnreachableError("nothing runs here", "Start the house: `rrr up`")
    if found.ready:
        return None
    first = next(verdict for verdict in found.verdicts if not verdict.ready)
    return NotReadyError(
        f"{first.service} is {first.state}: {first.reason}", f"`rrr logs {first.service}` says more"
    )


def _world(house: House, found: Survey) -> str:
    return next((hb.world for hb in found.heartbeats.values() if hb.world), house.world)


def _mode(house: House, found: Survey) -> str:
    name = _world(house, found).partition("-")[0]
    modes = {"synthetic": "local", "replay": "local", "paper": "paper", "live": "live"}
    return modes.get(name, house.settings.mode)


def _trades(found: Survey) -> bool:
    ready = {verdict.service for verdict in found.verdicts if verdict.ready}
    return ready.issuperset(TRADERS)


def _stops(found: Survey) -> list[dict[str, str]]:
    return [
        {
            "what": "service left down after a crash loop",
            "scope": verdict.service,
            "since": _since(found, verdict.service),
            "by": "warden",
            "why": _why(found, verdict.service),
            "release": f"supervisorctl start {verdict.service}",
        }
        for verdict in found.verdicts
        if not verdict.ready and found.counter("warden", f"crash_loop.{verdict.service}")
    ]


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


def _service(found: Survey, name: str) -> dict[str, Any]:
    verdict = next(verdict for verdict in found.verdicts if verdict.service == name)
    heartbeat = found.heartbeats.get(name)
    info = found.processes.get(name, {})
    return {
        "name": name,
        "state": verdict.state,
        "pid": heartbeat.pid if heartbeat is not None else int(info.get("pid", 0)),
        "uptime_s": _uptime_s(found, name),
        "restarts": found.counter("warden", f"restarts.{name}") or 0,
        "rss_bytes": heartbeat.rss_bytes if heartbeat is not None else 0,
        "lag_ms": heartbeat.loop_lag_us // 1000 if heartbeat is not None else 0,
        "reason": verdict.reason or _remark(found, name),
    }


def _remark(found: Survey, name: str) -> str:
    # A tape that has ended is no fault, and whoever waits for prices wants to know.
    ended_ns = found.counter(name, "replay_ended_ns")
    return f"the replay ended at {iso(ended_ns)}; no more trades come" if ended_ns else ""


def _uptime_s(found: Survey, name: str) -> float:
    heartbeat = found.heartbeats.get(name)
    if heartbeat is None:
        return 0.0
    return round(max(0, found.wall_ns - heartbeat.started_ns) / SECOND, 1)


def _shard(house: House, found: Survey, name: str) -> dict[str, Any]:
    writer = f"writer_{name}"
    verdict = next((v for v in found.verdicts if v.service == writer), None)
    return {
        "name": name,
        "ok": verdict is not None and verdict.ready,
        "behind_s": _behind_s(found, writer),
        "bytes": _bytes(house.db_dir, SHARDS[name]),
        "backup_age_s": None,
    }


def _behind_s(found: Survey, writer: str) -> int | None:
    heartbeat = found.heartbeats.get(writer)
    if heartbeat is None:
        return None
    lasts = {number: last for hb in found.heartbeats.values() for number, last in hb.last}
    if not behind(heartbeat, lasts):
        return 0
    return found.counter("monitor", f"behind_s.{writer}")


def _bytes(directory: Path, pattern: str) -> int:
    sizes = []
    for path in directory.glob(pattern):
        try:
            sizes.append(path.stat().st_size)
        except FileNotFoundError:
            continue  # A WAL that its writer just removed.
    return sum(sizes)
