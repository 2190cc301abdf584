"""Surveys of houses that do not run: what each service would have answered."""

from typing import Any

from bus.health import Verdict
from bus.house import House
from schema.house import Heartbeat
from services.rrr.survey import Survey

SECOND = 10**9


def beat(service: str, **fields: Any) -> Heartbeat:
    base: dict[str, Any] = {
        "ts_event": 0,
        "service": service,
        "state": "READY",
        "reason": "",
        "world": "local-synthetic-7",
        "pid": 7,
        "started_ns": 10 * SECOND,
        "turn": 1,
        "last": (),
        "synced": (),
        "cursors": (),
        "rss_bytes": 30 << 20,
        "loop_lag_us": 2500,
    }
    return Heartbeat(**(base | fields))


def found(house: House, **states: str) -> Survey:
    """Return a survey in which everything is READY but what is named."""
    verdicts = [Verdict(name, states.get(name, "READY"), "why") for name in house.programs]
    heartbeats = {v.service: beat(v.service) for v in verdicts if v.state != "STOPPED"}
    return Survey(70 * SECOND, heartbeats, {}, verdicts, {})
