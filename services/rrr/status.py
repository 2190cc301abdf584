"""`rrr status` as data: the contract that scripts and the dashboard read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bus.clock import Clock
from bus.errors import UnreachableError
from bus.health import SECOND, behind
from bus.house import House
from bus.month_names import PREFIX
from schema.units import iso, iso_ms
from services.rrr.alerts import firing
from services.rrr.books import Books, read_books
from services.rrr.screen import mode_of
from services.rrr.stops import ask_stops, nothing_to_trade, stops_of, trades
from services.rrr.survey import NotReadyError, Survey, market_clock, running_house, survey

SHARDS = {
    "trading": "trading*.db*",
    "market": f"{PREFIX}*.db*",
    "analytics": "analytics*.db*",
    "backtest": "backtest*.db*",
}
"""Each shard and its files; `writer_<shard>` is its writer."""

Stop = dict[str, str]


def status(house: House, clock: Clock) -> tuple[dict[str, Any], Survey]:
    """Return the status of the house that runs here, and what it was made from."""
    house = running_house(house)
    found = survey(house, clock)
    return build(house, found, ask_stops(house, found), read_books(house)), found


def build(
    house: House, found: Survey, told: Sequence[Stop] = (), books: Books | None = None
) -> dict[str, Any]:
    """Return what was found in the form of the contract; `told`: stops, by who latched them."""
    books = books or Books()
    stops = [*stops_of(found, told), *nothing_to_trade(house)]
    return {
        "ready": found.ready,
        "mode": _mode(house, found),
        "world": _world(house, found),
        "market_time": _market_time(house, found),
        "trading": trades(house, stops),
        "stops": stops,
        "alerts": firing(house, found),
        "shards": [_shard(house, found, name) for name in SHARDS],
        "services": [_service(found, name) for name in house.programs],
        "risk": books.risk,
        "quote": books.quote,
        "equity": books.equity,
        "cash": books.cash,
        "positions": books.positions,
        "orders": books.orders,
        "external_orders": found.counter("gateway", "external_orders") or 0,
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


def _market_time(house: House, found: Survey) -> dict[str, Any]:
    # Without a clock the market stands still, or never began.
    market = market_clock(house)
    if market is None:
        return {"now": "", "scale": house.settings.clock.scale}
    return {"now": iso_ms(market.market_ns(found.wall_ns)), "scale": market.scale}


def _mode(house: House, found: Survey) -> str:
    mode = mode_of(_world(house, found))
    return mode if mode in {"local", "paper", "live"} else house.settings.mode


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
    if ended_ns:
        return f"the replay ended at {iso(ended_ns)}; no more trades come"
    closed = found.counter(name, "closed_symbols")
    return (
        f"nothing is matched in {closed} of its symbols: their feeds are not OK" if closed else ""
    )


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
        "backup_age_s": _backup_age_s(found, writer),
    }


def _backup_age_s(found: Survey, writer: str) -> int | None:
    """Return how old the last proven backup is, as its writer knows; None without one."""
    age_s = found.counter(writer, "backup_age_s")
    return None if age_s is None or age_s < 0 else age_s


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
