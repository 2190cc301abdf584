"""What a house holds when the storm is over, held against its source, its journals and itself."""

import json
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from tests.chaos.shards_house import SYMBOL, Row
from tests.system import journals
from tests.system.books import assert_equal_everywhere, assert_orders_are_lawful, at_rest
from tests.system.checkout import Checkout
from tests.system.market import MINUTE_MS

BARS = f"SELECT * FROM bars WHERE symbol = '{SYMBOL}' AND timeframe = '1m' ORDER BY open_ms"
TICKS = f"SELECT trade_id, ts_ms FROM ticks WHERE symbol = '{SYMBOL}' ORDER BY trade_id"
FILLS = "SELECT count(*) AS n FROM fills"
VALUES = ("open", "high", "low", "close", "volume")
BAD_WORDS = ("Traceback", "AssertionError", "database is locked")
LEFT = ("*.draft*", "*.part", "*.tmp", "*.making*", ".*.draft*", ".*.part", ".*.tmp", "*.suspect")
REBUILD_S = 600
PAGE = 1000


class Seen(msgspec.Struct):
    """How much there is, and all that is not as it must be."""

    bars: int = 0
    ticks: int = 0
    fills: int = 0
    history: int = 0
    differences: list[str] = []


def prove(house: Checkout, imports: Path, source: dict[int, Row], history: dict[int, Row]) -> Seen:
    """Bring the house to rest and down, and look at everything."""
    seen = Seen()
    at_rest(house)
    assert_equal_everywhere(house)
    assert_orders_are_lawful(house)
    origin_ms = json.loads((house.run_dir / "clock.json").read_text())["origin_ns"] // 10**6
    counts = _venue_counts(house, origin_ms)
    seen.differences += _command(house, "data", "import", str(imports))
    seen.differences += _command(house, "db", "verify")
    world = house.journal_dir().parent
    seen.differences += _command(house, "down")
    seen.differences += house.left_behind()
    seen.differences += _rows(house, seen, source, counts)
    seen.differences += _history(house, seen, history)
    seen.differences += journals.holes(world / "journal")
    seen.differences += _command(house, "db", "rebuild", "--verify")
    seen.differences += _left(house.root / "data")
    seen.differences += _said(house)
    return seen


def _command(house: Checkout, *words: str) -> list[str]:
    done = house.rrr(*words, timeout_s=REBUILD_S)
    if not done.returncode:
        return []
    return [f"{' '.join(words[:2])} ended with {done.returncode}: {done.stdout}{done.stderr}"]


def _rows(
    house: Checkout, seen: Seen, source: dict[int, Row], counts: dict[int, int]
) -> Iterator[str]:
    bars, ticks = house.query("market", BARS), house.query("market", TICKS)
    seen.bars, seen.ticks = len(bars), len(ticks)
    seen.fills = house.query("trading", FILLS)[0]["n"]
    yield from _differing("bars", bars, source)
    ids = [tick["trade_id"] for tick in ticks]
    if ids != list(range(ids[0], ids[0] + len(ids))):
        yield f"ticks: {len(ids)} from {ids[0]} to {ids[-1]}, {len(set(ids))} different"
    found = Counter(tick["ts_ms"] // MINUTE_MS * MINUTE_MS for tick in ticks)
    for minute, count in counts.items():
        if found[minute] != count:
            yield f"ticks: {found[minute]} in minute {minute}, and the venue had {count}"


def _differing(what: str, bars: list[dict[str, Any]], source: dict[int, Row]) -> Iterator[str]:
    opens = [bar["open_ms"] for bar in bars]
    expected = [at for at in source if opens[0] <= at <= opens[-1]]
    if opens != expected:
        lost, more = sorted(set(expected) - set(opens)), len(opens) - len(set(opens))
        yield f"{what}: {len(lost)} are missing, the first at {lost[:1]}; {more} stand twice"
    for bar in bars:
        if [Decimal(bar[name]) for name in VALUES] != [*map(Decimal, source[bar["open_ms"]])]:
            yield f"{what}: at {bar['open_ms']} is {bar}, and the source has another"


def _history(house: Checkout, seen: Seen, history: dict[int, Row]) -> Iterator[str]:
    bars = house.query("history", BARS)
    seen.history = len(bars)
    if len(bars) != len(history):
        yield f"history: {len(bars)} bars of {len(history)}"
    yield from _differing("history", bars, history)


def _venue_counts(house: Checkout, start_ms: int) -> dict[int, int]:
    """Return how many trades the venue itself had in each whole minute since it began."""
    found: dict[int, int] = {}
    first_ms = start_ms + 2 * MINUTE_MS
    while True:
        query = {"symbol": "BTCUSDT", "interval": "1m", "startTime": first_ms, "limit": PAGE}
        url = f"{house.venue}/api/v3/klines?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            rows = json.load(answer)
        found |= {int(row[0]): int(row[8]) for row in rows}
        if len(rows) < PAGE:
            break
        first_ms = max(found) + 1
    return {minute: found[minute] for minute in sorted(found)[:-3]}  # The last are not over here.


def _left(data: Path) -> Iterator[str]:
    for pattern in LEFT:
        for path in data.rglob(pattern):
            yield f"{path.relative_to(data)} was left behind"


def _said(house: Checkout) -> Iterator[str]:
    logs = [*(house.root / "logs").glob("*/*.out"), *(house.root / "logs").glob("*/*.jsonl")]
    for log in logs:
        for line in log.read_text(errors="replace").splitlines():
            if any(word in line for word in BAD_WORDS):
                yield f"{log.name}: {line[:300]}"
