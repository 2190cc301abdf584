"""The log: whole lines, bounded files, and a console that never holds the loop up."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bus.clock import ManualClock
from bus.held import Held
from bus.log import STORY_LINES_COMMON, STORY_LINES_MAX, STORY_WINDOW_NS, Log
from schema.house import Alert
from schema.market import Trade
from schema.orders import KillLevel
from tests.schema.samples import sample

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def make(tmp_path: Path, clock: ManualClock, bytes_max: int = 1 << 20) -> Log:
    return Log(tmp_path, "ingest", "local-synthetic-7", clock, (bytes_max, 2))


def lines(path: Path) -> list[dict[str, object]]:
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def test_an_event_is_one_line_that_says_when_who_and_where(tmp_path: Path) -> None:
    log = make(tmp_path, ManualClock(1_500_000_000))
    log.event("feed.ok", symbol="BTC/USDT", path=Path("a"))
    log.close()
    assert lines(tmp_path / "system" / "ingest.jsonl") == [
        {
            "ts": "1970-01-01T00:00:01.500Z",
            "service": "ingest",
            "world": "local-synthetic-7",
            "event": "feed.ok",
            "symbol": "BTC/USDT",
            "path": "a",
        }
    ]


def test_who_commanded_what_stands_apart(tmp_path: Path) -> None:
    log = make(tmp_path, ManualClock())
    log.event("command", kind="audit", verb="drain")
    log.close()
    assert lines(tmp_path / "audit" / "ingest.jsonl")[0]["verb"] == "drain"


def test_a_large_file_is_compressed_away_and_old_ones_are_removed(tmp_path: Path) -> None:
    clock = ManualClock()
    log = make(tmp_path, clock, bytes_max=200)
    for n in range(40):
        clock.advance(1)
        log.event("n", n=n)
    log.close()
    archived = sorted((tmp_path / "archive").iterdir())
    assert len(archived) == 2
    newest = zstd.decompress(archived[-1].read_bytes()).decode().splitlines()
    rest = lines(tmp_path / "system" / "ingest.jsonl")
    last = int(rest[0]["n"]) if rest else 40  # type: ignore[call-overload]
    assert json.loads(newest[-1])["n"] == last - 1


def told(log: Log, work: Callable[[], None]) -> list[str]:
    """Return what some work tells on the console."""
    read_end, write_end = os.pipe()
    log.console = write_end
    work()
    log.close()
    os.close(write_end)
    text = os.read(read_end, 1 << 16).decode()
    os.close(read_end)
    return text.splitlines()


def test_the_console_gets_a_few_lines_a_minute_and_the_file_all(tmp_path: Path) -> None:
    clock = ManualClock()
    log = make(tmp_path, clock)

    def work() -> None:
        for n in range(STORY_LINES_MAX + 5):
            log.say("catching_up", n=n)
        clock.advance(STORY_WINDOW_NS)
        log.say("again")

    shown = told(log, work)
    assert len(shown) == STORY_LINES_COMMON + 1
    left_out = STORY_LINES_MAX + 5 - STORY_LINES_COMMON
    assert shown[-1].endswith(f"ingest again ({left_out} more in logs/)")
    assert len(lines(tmp_path / "system" / "ingest.jsonl")) == STORY_LINES_MAX + 6


def test_what_goes_to_and_fro_is_told_once_a_minute(tmp_path: Path) -> None:
    log = make(tmp_path, ManualClock())

    def work() -> None:
        for n in range(40):
            log.say("catching_up", reason=f"reason {n % 2}")

    assert len(told(log, work)) == 2


def test_that_it_is_ready_is_told_after_all_that_it_waited_for(tmp_path: Path) -> None:
    log = make(tmp_path, ManualClock())

    def work() -> None:
        for n in range(STORY_LINES_COMMON + 3):
            log.say("catching_up", n=n)
        log.say("ready")

    assert "ingest ready" in told(log, work)[-1]


def test_what_is_urgent_is_told_in_a_flood_of_the_rest(tmp_path: Path) -> None:
    log = make(tmp_path, ManualClock())

    def work() -> None:
        for n in range(40):
            log.say("catching_up", n=n)
        log.story([KillLevel(ts_event=1, level="HALTED", by="ann:7", reason="smoke")])

    assert "ingest kill_level HALTED, by ann:7: smoke" in told(log, work)[-1]


def test_ten_lines_a_minute_is_all_that_even_urgent_lines_get(tmp_path: Path) -> None:
    log = make(tmp_path, ManualClock())
    alerts = [sample(Alert, seed) for seed in range(40)]
    assert len(told(log, lambda: log.story(alerts))) == STORY_LINES_MAX
    assert len(lines(tmp_path / "trading" / "ingest.jsonl")) == 40


def test_a_kill_stands_in_trading_and_audit(tmp_path: Path) -> None:
    log = make(tmp_path, ManualClock())
    kill = KillLevel(ts_event=1, level="HALTED", by="ann:7", reason="a\x1b[31mb\nc")
    shown = told(log, lambda: log.story([kill, sample(Trade)]))
    for kind in ("trading", "audit"):
        (line,) = lines(tmp_path / kind / "ingest.jsonl")
        assert (line["event"], line["text"]) == ("kill_level", f"HALTED, by ann:7: {kill.reason}")
    assert len(shown) == 1
    assert "\x1b" not in shown[0]


def test_a_field_that_no_file_can_hold_stops_nobody(tmp_path: Path) -> None:
    log = make(tmp_path, ManualClock())
    log.event("odd", text="\udcff")
    assert log.dropped == 1


def test_a_console_that_nobody_reads_holds_nobody_up(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    clock = ManualClock()
    log = make(tmp_path, clock)
    log.console = write_end
    for _ in range(200):
        clock.advance(STORY_WINDOW_NS)
        log.say("x" * 1000)
    os.close(read_end)
    clock.advance(STORY_WINDOW_NS)
    log.say("nobody is there")
    os.close(write_end)
    log.close()
    assert len(lines(tmp_path / "system" / "ingest.jsonl")) == 201


def test_a_log_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "system").write_text("a file where a folder belongs")
    log = make(tmp_path, ManualClock())
    log.event("lost")
    assert log.dropped == 1


def test_a_descriptor_that_nobody_has_any_more_is_closed_once() -> None:
    read_end, write_end = os.pipe()
    held = Held(write_end)
    held.close()
    held.close()
    assert os.read(read_end, 1) == b""
    read = Held(read_end)
    del read
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(read_end)
