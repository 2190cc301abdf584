"""A recorded day through the house while its processes are killed: no row lost, none doubled."""

import json
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from schema.market import Bar, Trade
from tests.system import journals, market
from tests.system.checkout import Checkout
from tests.system.market import MINUTE_MS, Row

pytestmark = pytest.mark.slow

BARS_MIN = 62
STARTING_MIN = 12
SCALE = 120
PROGRAMS = ("venue", "ingest", "writer_market", "writer_trading", "monitor", "warden")
ALL_BARS = "SELECT * FROM bars WHERE symbol = 'BTC/USDT' AND timeframe = '1m' ORDER BY open_ms"
ALL_TICKS = "SELECT trade_id, ts_ms FROM ticks WHERE symbol = 'BTC/USDT' ORDER BY trade_id"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Checkout]:
    made = Checkout(**_replaying(market.replay_file(tmp_path)))
    try:
        yield made
    finally:
        made.close()


def _replaying(path: Path) -> dict[str, str]:
    return {
        "RRR_VENUE__MARKET": "replay",
        "RRR_VENUE__REPLAY": str(path),
        "RRR_VENUE__SYMBOL": "BTC/USDT",
        "RRR_CLOCK__SCALE": str(SCALE),
        "RRR_INGEST__HISTORY_DAYS": "1",
    }


def test_killed_in_turn_the_house_keeps_every_row(house: Checkout) -> None:
    house.up()
    world = house.root / "data" / house.status()["world"]
    origin_ms = json.loads((house.root / "data/run/clock.json").read_text())["origin_ns"] // 10**6
    for name in PROGRAMS:
        house.kill(name)
    end_ms = origin_ms + BARS_MIN * MINUTE_MS
    house.until(
        "enough bars",
        lambda: (
            house.query("market", f"SELECT max(open_ms) AS at FROM ({ALL_BARS})")[0]["at"] >= end_ms
        ),
        patience_s=180,
    )
    counts = _venue_counts(house, origin_ms, end_ms)
    assert house.rrr("down").returncode == 0
    assert house.left_behind() == []
    bars, ticks = house.query("market", ALL_BARS), house.query("market", ALL_TICKS)
    _bars_are_the_source(bars, market.rows(Path(house.environ["RRR_VENUE__REPLAY"])))
    _ticks_are_the_venues(ticks, counts)
    assert journals.holes(world / "journal") == []
    _everything_was_said_once(world / "journal")


def _bars_are_the_source(bars: list[dict[str, Any]], source: dict[int, Row]) -> None:
    opens = [bar["open_ms"] for bar in bars]
    expected = [at for at in source if opens[0] <= at <= opens[-1]]
    assert opens == expected
    assert len(opens) > BARS_MIN
    for bar in bars:
        found = tuple(Decimal(bar[name]) for name in ("open", "high", "low", "close", "volume"))
        assert found == source[bar["open_ms"]], bar["open_ms"]


def _venue_counts(house: Checkout, start_ms: int, end_ms: int) -> dict[int, int]:
    query = {
        "symbol": "BTCUSDT",
        "interval": "1m",
        "startTime": start_ms + 2 * MINUTE_MS,
        "endTime": end_ms - 1,
        "limit": 1000,
    }
    url = f"{house.venue}/api/v3/klines?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return {int(row[0]): int(row[8]) for row in json.load(answer)}


def _ticks_are_the_venues(ticks: list[dict[str, Any]], counts: dict[int, int]) -> None:
    ids = [tick["trade_id"] for tick in ticks]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    found = Counter(tick["ts_ms"] // MINUTE_MS * MINUTE_MS for tick in ticks)
    first = min(found) + MINUTE_MS  # Before that the house was starting: half a second is a minute.
    counts = {minute: count for minute, count in counts.items() if minute >= first}
    assert len(counts) >= BARS_MIN - STARTING_MIN
    assert {minute: found[minute] for minute in counts} == counts


def _everything_was_said_once(directory: Path) -> None:
    trades = [
        m.trade_id for m in journals.messages(directory, "ingest.trade") if isinstance(m, Trade)
    ]
    assert trades == list(range(trades[0], trades[0] + len(trades)))
    bars = Counter(
        (m.timeframe, m.open_ns)
        for m in journals.messages(directory, "ingest.bar")
        if isinstance(m, Bar)
    )
    assert set(bars.values()) == {1}
    assert {timeframe for timeframe, _ in bars} >= {"1m", "5m", "15m", "1h"}


def test_worlds_never_meet(house: Checkout) -> None:
    replaying = dict(house.environ)
    synthetic = {key: value for key, value in replaying.items() if "VENUE__" not in key}
    spans: dict[str, list[tuple[int, int]]] = {}
    for environ in (synthetic, replaying, synthetic):
        house.environ = environ
        house.up()
        world = house.status()["world"]
        house.until("two live bars", lambda: _live_bars(house) >= 2)
        sql = "SELECT min(open_ms) AS first, max(open_ms) AS last FROM bars"
        (row,) = house.query("market", sql)
        spans.setdefault(world, []).append((row["first"], row["last"]))
        assert house.rrr("down").returncode == 0
    (first, again), (replayed,) = spans["local-synthetic-7"], spans[_other(spans)]
    assert again[0] == first[0]
    assert again[1] > first[1]
    assert replayed[1] < first[0]  # The recording lies in the past: no row of it is here.


def _live_bars(house: Checkout) -> int:
    origin_ns = json.loads((house.root / "data/run/clock.json").read_text())["origin_ns"]
    sql = f"SELECT count(*) AS n FROM bars WHERE timeframe='1m' AND open_ms > {origin_ns // 10**6}"
    return int(house.query("market", sql)[0]["n"])


def _other(spans: dict[str, list[tuple[int, int]]]) -> str:
    (name,) = (world for world in spans if world != "local-synthetic-7")
    assert name.startswith("replay-")
    return name
