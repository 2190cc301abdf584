"""The log: whole lines, bounded files, and a console that never holds the loop up."""

import json
import os
import sys
from pathlib import Path

import pytest

from bus.clock import ManualClock
from bus.held import Held
from bus.log import STORY_LINES_MAX, STORY_WINDOW_NS, Log

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


def test_the_console_gets_ten_lines_a_minute_and_the_file_all(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    clock = ManualClock()
    log = make(tmp_path, clock)
    log.console = write_end
    for n in range(STORY_LINES_MAX + 5):
        log.say("ready", n=n)
    clock.advance(STORY_WINDOW_NS)
    log.say("again")
    log.close()
    os.close(write_end)
    told = os.read(read_end, 1 << 16).decode().splitlines()
    os.close(read_end)
    assert len(told) == STORY_LINES_MAX + 1
    assert told[-1].endswith("ingest again")
    assert len(lines(tmp_path / "system" / "ingest.jsonl")) == STORY_LINES_MAX + 6


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
