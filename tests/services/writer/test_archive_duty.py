"""When a closed month is archived and leaves, and what is said when that fails."""

import os
from pathlib import Path

import pytest

from bus.clock import ManualClock
from bus.errors import ShardError
from bus.lease import Lease
from bus.month_names import end_of_month_ns, month_of
from bus.reading import open_reader
from schema.house import CommandDone
from schema.units import DAY_NS, MINUTE_NS
from services.writer.archive_files import archive_path, live_path, trash_dir
from services.writer.effects import Chore
from services.writer.jobs import Finished, Job
from services.writer.market_store import MarketStore
from services.writer.months import Months
from services.writer.retiring import clear_trash
from tests.services.market_desk import BAR, LIMITS, TRADE, at, bar, kept
from tests.services.writer.archive_desk import (
    JANUARY,
    START,
    archive,
    fill,
    retire,
    seen,
    trashed,
)

GRACE_NS = LIMITS.archive_grace_ms * 1_000_000
CLOSES_NS = at("2026-02-01T00:00:00") + GRACE_NS


class Desk:
    """A running writer of a place, whose clock the test turns."""

    def __init__(self, place: Path, now_ns: int = CLOSES_NS) -> None:
        self.place = place
        self.clock = ManualClock(now_ns)
        lease = Lease(place / "db" / "shard_market.lease")
        assert lease.take()
        months = Months(place / "db", "w")
        self.store = MarketStore(months, lease, self.clock, LIMITS)
        self.archivist = self.store.archivist

    def job(self, month: int = JANUARY) -> Job:
        return Job("archive", {"place": str(self.place), "month": str(month)})

    def ended(self, *, ok: bool = True, text: str = "") -> None:
        self.store.finished(Finished(job=self.job(), ok=ok, text=text))


def test_a_month_is_due_once_its_grace_is_over(tmp_path: Path) -> None:
    fill(tmp_path, bars=3, ticks=1)
    desk = Desk(tmp_path, CLOSES_NS - 1)
    assert desk.archivist.due() is None
    desk.clock.advance(1)
    assert desk.archivist.due() == desk.job()
    desk.store.close()


def test_the_newest_month_is_never_due(tmp_path: Path) -> None:
    fill(tmp_path, bars=3, ticks=1)
    archive(tmp_path)
    retire(tmp_path)
    desk = Desk(tmp_path, at("2030-01-01T00:00:00"))
    assert desk.archivist.due() is None
    with pytest.raises(ShardError, match="2026-02 is the newest month"):
        desk.archivist.retire(["202602"])
    desk.store.close()


def test_the_oldest_month_is_due_first(tmp_path: Path) -> None:
    fill(tmp_path, bars=3, ticks=1)
    desk = Desk(tmp_path)
    desk.store.commit(kept(bar(at("2025-11-05T00:00:00"))), {BAR: 9, TRADE: 1})
    assert desk.archivist.due() == desk.job(202511)
    desk.store.close()


def test_a_job_that_ended_well_lets_the_month_go_while_the_writer_writes(tmp_path: Path) -> None:
    fill(tmp_path, bars=30, ticks=3)
    before = seen(tmp_path)
    desk = Desk(tmp_path)
    assert desk.archivist.due() == desk.job()
    archive(tmp_path)
    desk.ended()
    assert not live_path(tmp_path, JANUARY).exists()
    assert seen(tmp_path) == before
    assert desk.archivist.due() is None
    assert desk.store.alarm() is None
    desk.store.commit(kept(bar(START)), {BAR: 9, TRADE: 1})
    desk.store.commit(kept(bar(at("2026-02-01T00:01:00"))), {BAR: 10, TRADE: 1})
    assert live_path(tmp_path, JANUARY).exists()
    assert desk.archivist.due() == desk.job()
    desk.store.close()


def test_what_was_archived_by_another_leaves_without_a_job(tmp_path: Path) -> None:
    fill(tmp_path, bars=3, ticks=1)
    archive(tmp_path)
    desk = Desk(tmp_path)
    assert desk.archivist.due() is None
    assert trashed(tmp_path) == ["market_data_2026_01.r1.db"]
    desk.store.close()


def test_a_month_that_was_written_to_under_its_job_is_archived_again(tmp_path: Path) -> None:
    fill(tmp_path, bars=3, ticks=1)
    desk = Desk(tmp_path)
    archive(tmp_path)
    desk.store.commit(kept(bar(START + 50 * MINUTE_NS)), {BAR: 9, TRADE: 1})
    desk.ended()
    assert "was written to since" in str(desk.store.alarm())
    assert dict(desk.store.counters())["retire_failures"] == 1
    desk.clock.advance(MINUTE_NS)
    assert desk.archivist.due() == desk.job()
    archive(tmp_path)
    desk.ended()
    assert desk.store.alarm() is None
    assert trashed(tmp_path) == ["market_data_2026_01.r2.db"]
    desk.store.close()


def test_failures_are_told_and_tried_again_with_growing_pauses(tmp_path: Path) -> None:
    fill(tmp_path, bars=3, ticks=1)
    desk = Desk(tmp_path)
    for minutes in (1, 2, 4, 8):
        assert desk.archivist.due() == desk.job()
        desk.ended(ok=False, text="no space left")
        said = str(desk.store.alarm())
        assert said == "a closed month is not archived, its rows stay: no space left"
        desk.clock.advance(minutes * MINUTE_NS - 1)
        assert desk.archivist.due() is None
        desk.clock.advance(1)
    for _ in range(30):
        desk.ended(ok=False, text="no space left")
    desk.clock.advance(6 * 60 * MINUTE_NS)
    assert desk.archivist.due() == desk.job()
    archive(tmp_path)
    desk.ended()
    assert desk.store.alarm() is None
    desk.store.close()


def test_a_reader_that_holds_the_month_back_is_told_and_waited_for(tmp_path: Path) -> None:
    fill(tmp_path, bars=30, ticks=1)
    before = seen(tmp_path)
    archive(tmp_path)
    desk = Desk(tmp_path)
    desk.store.commit(kept(bar(START)), {BAR: 9, TRADE: 1})  # A repeat: something is in the WAL.
    desk.store.commit(kept(bar(START + 90 * MINUTE_NS)), {BAR: 10, TRADE: 1})
    archive(tmp_path)
    reader = open_reader()
    reader.execute("ATTACH ? AS m", (f"{live_path(tmp_path, JANUARY).as_uri()}?mode=ro",))
    cursor = reader.execute("SELECT * FROM m.bar")
    next(cursor)
    desk.ended()
    assert "a reader holds" in str(desk.store.alarm())
    assert live_path(tmp_path, JANUARY).exists()
    cursor.close()
    reader.close()
    desk.clock.advance(MINUTE_NS)
    assert desk.archivist.due() is None  # It left at this look.
    assert desk.store.alarm() is None
    assert set(before) < set(seen(tmp_path))
    desk.store.close()


@pytest.mark.parametrize("args", [(), ("x",), ("2026",), ("202601", "202602"), ("²⁰²⁶⁰¹",)])
def test_what_is_no_month_is_refused_in_one_line(tmp_path: Path, args: tuple[str, ...]) -> None:
    fill(tmp_path, bars=3, ticks=1)
    desk = Desk(tmp_path)
    desk.store.commit([Chore(request_id="r", verb="retire", args=args)], {BAR: 2, TRADE: 1})
    (answer,) = desk.store.answers()
    assert isinstance(answer, CommandDone)
    assert not answer.ok
    assert "is no month" in answer.text
    desk.store.close()


def test_the_command_retires_what_is_archived_and_says_it_again(tmp_path: Path) -> None:
    fill(tmp_path, bars=3, ticks=1)
    desk = Desk(tmp_path)
    retire_by_command = desk.store.chores()["retire"]
    with pytest.raises(ShardError, match="2026-01 has no archive"):
        retire_by_command(["2026-01"])
    archive(tmp_path)
    assert retire_by_command(["2026-01"]) == "2026-01 is read from its archive now"
    assert retire_by_command(["202601"]) == "2026-01 is read from its archive already"
    desk.store.close()


def test_the_trash_goes_after_its_days_while_the_archive_is_whole(tmp_path: Path) -> None:
    fill(tmp_path, bars=3, ticks=1)
    archive(tmp_path)
    retire(tmp_path)  # At the wall time 0 of a manual clock.
    assert clear_trash(tmp_path, 14, 14 * DAY_NS) == 0
    archive_path(tmp_path, JANUARY).chmod(0o600)
    whole = archive_path(tmp_path, JANUARY).read_bytes()
    archive_path(tmp_path, JANUARY).write_bytes(whole[:-1])
    assert clear_trash(tmp_path, 14, 15 * DAY_NS) == 0
    assert trashed(tmp_path) == ["market_data_2026_01.r1.db"]
    archive_path(tmp_path, JANUARY).write_bytes(whole)
    desk = Desk(tmp_path, 15 * DAY_NS)
    assert desk.archivist.due() is None
    assert trashed(tmp_path) == []
    desk.store.close()


def test_what_is_no_month_of_ours_stays_in_the_trash(tmp_path: Path) -> None:
    fill(tmp_path, bars=3, ticks=1)
    trash_dir(tmp_path).mkdir()
    for name in ("market_data_x.db", "market_data_2026_13.db", "notes.txt"):
        (trash_dir(tmp_path) / name).write_text("")
        os.utime(trash_dir(tmp_path) / name, ns=(0, 0))
    assert clear_trash(tmp_path, 1, 99 * DAY_NS) == 0
    assert len(trashed(tmp_path)) == 3


def test_months_end_where_the_next_begins() -> None:
    for month in (199912, 202401, 202402, 202512):
        end_ns = end_of_month_ns(month)
        assert month_of(end_ns - 1) == month
        assert month_of(end_ns) != month
