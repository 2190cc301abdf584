"""From settings to a market: where market time begins, and what is refused at the start."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from bus.clock import SystemClock
from bus.errors import SettingsError
from bus.house import House, open_house
from services.venue.barfile import HEADER
from services.venue.columns import DAY_MS, MINUTE_MS
from services.venue.ledger import Ledger, ledger_path, read_ledger, write_ledger
from services.venue.listing import open_market, origin_ns

ROOT = Path(__file__).parents[3]
T0 = 1_746_316_800_000  # 2025-05-04
MS = 1_000_000


def house(tmp_path: Path, **env: str) -> House:
    return open_house(ROOT, {"RRR_HOME": str(tmp_path), "RRR_RUN": str(tmp_path), **env})


def bar_file(
    folder: Path, name: str, *, start: int = T0, count: int = 100, step: int = MINUTE_MS
) -> str:
    lines = [f"{start + n * step},10,11,9,10,5" for n in range(count)]
    path = folder / name
    path.write_text("\n".join([HEADER, *lines, ""]))
    return str(path)


def replay(tmp_path: Path, files: list[str], symbols: list[str], start: str = "") -> House:
    return house(
        tmp_path,
        RRR_VENUE__MARKET="replay",
        RRR_VENUE__REPLAY=msgspec.json.encode(files).decode(),
        RRR_VENUE__SYMBOL=msgspec.json.encode(symbols).decode(),
        RRR_VENUE__START=start,
    )


def test_a_synthetic_market_begins_now_with_its_history_behind_it(tmp_path: Path) -> None:
    mine = house(tmp_path)
    before_ns = SystemClock().wall_ns()
    began_ns = origin_ns(mine)
    assert before_ns <= began_ns <= SystemClock().wall_ns()
    market, first_ns = open_market(mine, began_ns + 10**15)
    assert first_ns == began_ns
    assert market.first_ms // DAY_MS == began_ns // MS // DAY_MS - 30


def test_market_time_never_begins_before_what_was_shown(tmp_path: Path) -> None:
    mine = house(tmp_path)
    first_ns = origin_ns(mine)
    shown_ns = first_ns + 10**17
    write_ledger(ledger_path(mine.world_dir), Ledger(first_ns, shown_ns))
    assert origin_ns(mine) == shown_ns
    assert read_ledger(ledger_path(mine.world_dir)) == Ledger(first_ns, shown_ns)


def test_a_damaged_ledger_is_refused(tmp_path: Path) -> None:
    mine = house(tmp_path)
    origin_ns(mine)
    ledger_path(mine.world_dir).write_text('{"first_ns": 1')
    with pytest.raises(SettingsError, match="ledger"):
        origin_ns(mine)


def test_a_ledger_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    mine = house(tmp_path)
    mine.world_dir.mkdir(parents=True)
    (mine.world_dir / "venue").write_text("a file where a folder should be")
    with pytest.raises(SettingsError, match="ledger"):
        origin_ns(mine)


def test_a_replay_begins_seven_days_into_a_long_file(tmp_path: Path) -> None:
    path = bar_file(tmp_path, "long.csv", count=30 * 24 * 60)
    assert origin_ns(replay(tmp_path, [path], ["BTC/USDT"])) == (T0 + 7 * DAY_MS) * MS


def test_a_replay_begins_a_quarter_into_a_short_file(tmp_path: Path) -> None:
    path = bar_file(tmp_path, "short.csv", count=100)
    began_ms = origin_ns(replay(tmp_path, [path], ["BTC/USDT"])) // MS
    assert began_ms == T0 + 25 * MINUTE_MS


def test_a_replay_begins_where_the_settings_say(tmp_path: Path) -> None:
    path = bar_file(tmp_path, "file.csv")
    for text in ("2025-05-04T01:00:00Z", "2025-05-04T01:00", "2025-05-04T03:00:00+02:00"):
        mine = replay(tmp_path, [path], ["BTC/USDT"], text)
        began = datetime.fromtimestamp(origin_ns(mine) / 1e9, UTC)
        assert (began.hour, began.minute) == (1, 0)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("2025-05-03T23:59:59Z", "expected a time from 2025-05-04T00:00:00"),
        ("2025-05-04T01:40:00Z", "which is what the files hold"),
    ],
)
def test_a_start_outside_the_files_is_refused(tmp_path: Path, start: str, expected: str) -> None:
    file = bar_file(tmp_path, "f.csv")
    with pytest.raises(SettingsError, match=expected):
        origin_ns(replay(tmp_path, [file], ["BTC/USDT"], start))


def test_several_files_of_one_symbol_follow_each_other(tmp_path: Path) -> None:
    one = bar_file(tmp_path, "one.csv", count=20)
    two = bar_file(tmp_path, "two.csv", start=T0 + 50 * MINUTE_MS, count=20)
    market, _ = open_market(replay(tmp_path, [one, two], ["BTC/USDT", "BTC/USDT"]), 0)
    assert len(market.bars("BTCUSDT", T0 // DAY_MS).open_ms) == 40
    with pytest.raises(SettingsError, match="the same symbol"):
        open_market(replay(tmp_path, [two, one], ["BTC/USDT", "BTC/USDT"]), 0)


def test_two_symbols_begin_when_both_have_history(tmp_path: Path) -> None:
    one = bar_file(tmp_path, "one.csv", count=600)
    two = bar_file(tmp_path, "two.csv", start=T0 + 200 * MINUTE_MS, count=400)
    began_ms = origin_ns(replay(tmp_path, [one, two], ["BTC/USDT", "ETH/USDT"])) // MS
    assert began_ms == T0 + 300 * MINUTE_MS


def test_bars_and_recordings_are_not_mixed(tmp_path: Path) -> None:
    raw = tmp_path / "raw.gz"
    raw.write_bytes(b"")
    mine = replay(tmp_path, [bar_file(tmp_path, "f.csv"), str(raw)], ["BTC/USDT"])
    with pytest.raises(SettingsError, match="together"):
        origin_ns(mine)


def test_a_symbol_that_the_recording_lacks_is_refused(tmp_path: Path) -> None:
    event = {
        "e": "trade",
        "E": T0,
        "s": "BTCUSDT",
        "t": 1,
        "p": "10.5",
        "q": "2",
        "T": T0,
        "m": True,
    }
    line = {"stream": "btcusdt@trade", "data": event}
    raw = tmp_path / "raw 1.txt"
    raw.write_text(f"{T0 * MS} {msgspec.json.encode(line).decode()}\n")
    assert origin_ns(replay(tmp_path, [str(raw)], ["BTC/USDT"])) == T0 * MS
    with pytest.raises(SettingsError, match="names ETH/USDT, and the recordings hold BTC/USDT"):
        origin_ns(replay(tmp_path, [str(raw)], ["BTC/USDT", "ETH/USDT"]))
