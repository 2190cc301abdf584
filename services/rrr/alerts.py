"""The alerts that fire now: the monitor counts them, and its stream says which they are."""

from typing import Any

from bus.errors import JournalError
from bus.house import House
from schema.house import Alert
from schema.units import iso
from services.rrr.said import said_from
from services.rrr.survey import Survey

ALERTS = "monitor.alert"


def firing(house: House, found: Survey) -> list[dict[str, Any]]:
    """Return the alerts that fire; the stream is read only when the monitor counts any."""
    if not found.counter("monitor", "alerts_firing"):
        return []
    alerts: dict[tuple[str, str], Alert] = {}
    try:
        for seen in said_from(house.journal_dir, ALERTS, 0):
            m = seen.message
            if isinstance(m, Alert):
                alerts[m.name, m.scope] = m
    except JournalError:
        return []
    return [_row(alert) for alert in alerts.values() if alert.state == "firing"]


def _row(alert: Alert) -> dict[str, Any]:
    return {
        "name": alert.name,
        "scope": alert.scope,
        "severity": alert.severity,
        "since": iso(alert.since_ns) if alert.since_ns else "",
        "summary": alert.summary,
    }
