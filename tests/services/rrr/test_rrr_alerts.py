"""The alerts on the screen of `rrr status`: those that fire now, and no others."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.clock import SystemClock
from schema.house import Alert, Heartbeat
from services.rrr.alerts import firing
from services.rrr.screen import screen
from services.rrr.status import status
from services.rrr.survey import Survey
from tests.schema.samples import sample
from tests.services.bare import bare_house
from tests.services.rrr.trade_day import Day


@pytest.fixture
def day() -> Iterator[Day]:
    before = Path.cwd()
    with bare_house() as made:
        os.chdir(made.root)
        yield Day(made)
        os.chdir(before)


def counted(count: int) -> Survey:
    """Return a survey in which the monitor counts some alerts."""
    beat: Heartbeat = sample(Heartbeat)
    counters = (("alerts_firing", count),)
    fields = {name: getattr(beat, name) for name in beat.__struct_fields__}
    return Survey(0, {"monitor": Heartbeat(**(fields | {"counters": counters}))}, {}, [], {})


def alert(scope: str, state: str) -> Alert:
    return Alert(
        ts_event=1, name="BooksDiffer", severity="warning", state=state, scope=scope,
        summary=f"{scope} \x1b[31m", since_ns=1_500_000_000,
    )  # fmt: skip


def test_only_alerts_that_still_fire_are_told(day: Day) -> None:
    assert firing(day.house, counted(1)) == []
    day.say(alert("BTC", "firing"), alert("USDT", "firing"), alert("BTC", "resolved"))
    (one,) = firing(day.house, counted(1))
    assert (one["name"], one["scope"], one["severity"]) == ("BooksDiffer", "USDT", "warning")
    assert firing(day.house, counted(0)) == []
    assert firing(day.house, Survey(0, {}, {}, [], {})) == []


def test_an_alert_stands_on_the_screen_as_plain_text(day: Day) -> None:
    day.say(alert("USDT", "firing"))
    report, _ = status(day.house, SystemClock())
    lines = screen({**report, "alerts": firing(day.house, counted(1))}).splitlines()
    assert "  BooksDiffer USDT, since 1970-01-01T00:00:01Z: USDT  [31m" in lines
