"""Raw recordings: played as they were said, candles folded from their trades, damage named."""

import gzip
import itertools
import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bus.errors import SettingsError
from services.venue import payload
from services.venue.columns import DAY_MS, MINUTE_MS
from services.venue.klines import Candles
from services.venue.live import Live, stream_of
from services.venue.payload import Json
from services.venue.recording import RawReplay, open_recordings

FOLDER = Path(__file__).parents[3] / ".." / "shared" / "data" / "hftbacktest_binance_ws"
Sides = Sequence[Sequence[str]]
SPOT = [FOLDER / "spot_btcusdt_20240808.gz", FOLDER / "spot_btcusdt_20240809.gz"]
FUTURES = [FOLDER / "usdm_btcusdt_20240808.gz"]
T0 = 1_723_161_540_000

recorded_data = pytest.mark.skipif(
    not all(path.exists() for path in (*SPOT, *FUTURES)),
    reason="the recorded market data is not on this machine",
)


def event(stream: str, **data: object) -> str:
    return f"{T0 * 10**6} " + json.dumps({"stream": f"btcusdt@{stream}", "data": data})


def trade(
    trade_id: int, at_ms: int, px: str = "100.50000000", qty: str = "0.25000000", **more: object
) -> str:
    return event(
        "trade", e="trade", E=at_ms + 1, s="BTCUSDT", t=trade_id, p=px, q=qty, T=at_ms, m=True,
        **more,
    )  # fmt: skip


def depth(
    at_ms: int, first_id: int, last_id: int, bids: Sides = (), asks: Sides = (), **more: object
) -> str:
    return event(
        "depth@100ms", e="depthUpdate", E=at_ms, s="BTCUSDT", U=first_id, u=last_id, b=bids,
        a=asks, **more,
    )  # fmt: skip


def top(update_id: int, bid: str, ask: str) -> str:
    return event("bookTicker", u=update_id, s="BTCUSDT", b=bid, B="1.5", a=ask, A="2")


def snapshot(last_id: int, bids: Sides, asks: Sides) -> str:
    return f"{T0 * 10**6} " + json.dumps({"lastUpdateId": last_id, "bids": bids, "asks": asks})


LINES = [
    depth(T0 + 100, 11, 15, [["99.5", "3"]], [["101", "4"]]),
    depth(T0 + 200, 16, 20, [["99.0", "7"]], [["102", "1"]]),
    snapshot(15, [["99.5", "3"], ["98", "9"]], [["101", "4"]]),
    trade(7, T0 + 250),
    depth(T0 + 300, 21, 22, [["99.5", "0"]]),
    top(22, "99.0", "101"),
    trade(8, T0 + MINUTE_MS + 5, px="100.25", qty="0.5"),
]


def opened(folder: Path, *lines: str, name: str = "raw 1.gz") -> RawReplay:
    path = folder / name
    path.write_bytes(gzip.compress("\n".join([*lines, ""]).encode()))
    return open_recordings([path], 7)


def test_the_book_is_the_snapshot_with_every_newer_change(tmp_path: Path) -> None:
    market = opened(tmp_path, *LINES)
    facts = market.facts["BTCUSDT"]
    assert (facts.symbol, facts.px_exp, facts.qty_exp) == ("BTC/USDT", 2, 2)
    book = market.book("BTCUSDT", T0 + 299)
    assert payload.levels(facts, book.bids) == [
        ["99.50000000", "3.00000000"],
        ["99.00000000", "7.00000000"],
        ["98.00000000", "9.00000000"],
    ]
    assert (book.update_id, len(book.asks)) == (20, 2)
    assert market.book("BTCUSDT", T0 + 300).bids[0] == (9900, 700)
    assert market.book("BTCUSDT", T0 + 299) == book  # backwards in time


def test_events_are_said_as_they_were_recorded(tmp_path: Path) -> None:
    market = opened(tmp_path, *LINES)
    live = Live(market)

    def said(kind: str) -> list[Json]:
        stream = stream_of(f"btcusdt@{kind}", market.facts)
        assert stream is not None
        return live.events(stream, T0, T0 + 2 * MINUTE_MS)

    assert [(e["t"], e["T"], e["p"]) for e in said("trade")] == [
        (7, T0 + 250, "100.50000000"),
        (8, T0 + MINUTE_MS + 5, "100.25000000"),
    ]
    assert [(e["U"], e["u"], e["E"]) for e in said("depth@100ms")] == [
        (11, 15, T0 + 100),
        (16, 20, T0 + 200),
        (21, 22, T0 + 300),
    ]
    assert [(e["u"], e["b"], e["A"]) for e in said("bookTicker")] == [
        (22, "99.00000000", "2.00000000")
    ]


def test_changes_of_a_futures_book_are_numbered_without_a_hole(tmp_path: Path) -> None:
    lines = [
        depth(T0, 10, 12, pu=7),
        depth(T0 + 100, 20, 25, pu=12),
        depth(T0 + 200, 90, 99, pu=80),
    ]
    market = opened(tmp_path, trade(1, T0), *lines)
    found = market.depths("BTCUSDT", 0, T0 + 200)
    assert [(d.first_id, d.last_id) for d in found] == [(10, 12), (13, 25), (90, 99)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", "`<local_ns> {json}`"),
        ("garbage", "`<local_ns> {json}`"),
        (f"{T0}000000", "the JSON of a combined stream"),
        (f"{T0}000000 {{", "the JSON of a combined stream"),
        (f"{T0}000000 [1]", "the JSON of a combined stream"),
        (f"{T0}000000 {{}}", "or a book snapshot"),
        (trade(9, T0), "expected trade 8, found trade 9"),
        (trade(7, T0), "expected trade 8, found trade 7"),
        (trade(8, T0, px="-1"), "a plain decimal number"),
        (trade(8, T0, px="1e5"), "a plain decimal number"),
        (trade(8, T0, qty="0"), "above zero"),
        (trade(8, T0, qty="0.0000000001"), "at most 8 decimals"),
        (trade(8, T0).replace("BTCUSDT", "BTCXYZ"), "a symbol that ends in"),
        (trade(8, T0)[:-20], "the JSON of a combined stream"),
        (event("depth", e="depthUpdate", s="BTCUSDT", E=T0, b="x", a="y"), "lists of levels"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str, expected: str) -> None:
    with pytest.raises(SettingsError) as refused:
        opened(tmp_path, trade(7, T0), line)
    assert "raw 1.gz:2: expected" in refused.value.what
    assert expected in refused.value.what


def test_a_recording_without_trades_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="expected at least one trade"):
        opened(tmp_path, depth(T0, 1, 2))


@cache
def played(*paths: Path) -> RawReplay:
    return open_recordings(list(paths), 7)


def lines_of(paths: list[Path], kind: str) -> Iterator[Any]:
    for path in paths:
        with gzip.open(path, "rt") as file:
            for line in file:
                found = json.loads(line.partition(" ")[2])
                if kind in found.get("stream", ""):
                    yield found["data"]


@recorded_data
@pytest.mark.slow
def test_a_recorded_night_is_played_back_trade_by_trade_across_midnight() -> None:
    market = played(*SPOT)
    facts = market.facts["BTCUSDT"]
    source = list(lines_of(SPOT, "@trade"))
    tape = market.tape("BTCUSDT", 0, market.end_ms + 1)
    found = payload.trade_rows(facts, tape)
    assert [(r["id"], r["time"], r["price"], r["qty"], r["isBuyerMaker"]) for r in found] == [
        (d["t"], d["T"], d["p"], d["q"], d["m"]) for d in source
    ]
    days = {at_ms // DAY_MS for at_ms in tape.at_ms.tolist()}
    candles = Candles(market)
    minutes = [k for d in days for k in candles.of_day("BTCUSDT", d, MINUTE_MS, market.end_ms)]
    assert len(days) == 2
    assert sum(k.count for k in minutes) == len(source)
    assert sum(k.volume for k in minutes) == int(tape.qty.sum())


@recorded_data
@pytest.mark.parametrize("paths", [SPOT, pytest.param(FUTURES, marks=pytest.mark.slow)])
def test_the_recorded_book_has_the_recorded_top_and_no_hole(paths: list[Path]) -> None:
    market = played(*paths)
    agreed = asked = 0
    for at_ms in range(market.first_ms + 60_000, market.end_ms, 4_877):
        book, best = market.book("BTCUSDT", at_ms), market.top("BTCUSDT", at_ms)
        asked += 1
        agreed += book.bids[0][0] == best.bid[0] and book.asks[0][0] == best.ask[0]
    # The top is said at once and the book every 100 ms, so that they differ while prices move.
    assert agreed / asked > 0.8
    found = market.depths("BTCUSDT", 0, market.end_ms)
    assert all(b.first_id == a.last_id + 1 for a, b in itertools.pairwise(found))
