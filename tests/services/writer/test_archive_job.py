"""The writer's own job archives a month beside the loop, and the month leaves in the loop."""

from pathlib import Path

import pytest

from bus.clock import SystemClock
from services.writer.archive_files import archive_path, live_path
from services.writer.jobs import LOOK_NS, Jobs
from tests.services.market_desk import BAR, TRADE, at, bar, kept
from tests.services.writer.archive_desk import JANUARY, archived_rows, fill, seen
from tests.services.writer.test_archive_duty import Desk

DEADLINE_NS = 60_000_000_000


@pytest.mark.slow
def test_a_closed_month_becomes_an_archive_while_its_writer_writes(tmp_path: Path) -> None:
    fill(tmp_path, bars=40, ticks=3)
    before = seen(tmp_path)
    desk = Desk(tmp_path)
    desk.store.jobs = Jobs([desk.archivist.due], desk.clock)
    desk.clock.advance(LOOK_NS)
    wall, pos = SystemClock(), 10
    deadline_ns = wall.mono_ns() + DEADLINE_NS
    while live_path(tmp_path, JANUARY).exists():
        assert wall.mono_ns() < deadline_ns, desk.store.alarm()
        desk.store.idle()
        pos += 1
        minute = bar(at("2026-02-01T00:00:00") + pos * 60_000_000_000)
        desk.store.commit(kept(minute), {BAR: pos, TRADE: 1})
        wall.pause_ms(20)
    assert archived_rows(archive_path(tmp_path, JANUARY)) == before == seen(tmp_path)
    assert dict(desk.store.counters())["jobs_done"] == 1
    assert desk.store.alarm() is None
    desk.store.close()
