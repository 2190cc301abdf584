"""A recorded book against the top of the book that the exchange told beside it."""

import gzip
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from services.ingest.edge_depth import live_depth
from services.ingest.ladder import rescaled
from services.ingest.numbers import read
from tests.services.ingest.books import PX_EXP, Book, BookStand
from tests.services.ingest.exchange import MS, SYMBOL

FOLDER = Path(__file__).parents[3] / ".." / "shared" / "data" / "hftbacktest_binance_ws"
FILES = [FOLDER / "spot_btcusdt_20240808.gz", FOLDER / "spot_btcusdt_20240809.gz"]
pytestmark = pytest.mark.skipif(
    not all(file.exists() for file in FILES), reason="the recorded data is not here"
)

Top = tuple[int, ...]
DEPTH = 20
EIGHT = 8
"""Decimals: the exchange knows amounts that its own lot does not."""


def lines() -> Iterator[dict[str, Any]]:
    for file in FILES:
        with gzip.open(file, "rt") as rows:
            for row in rows:
                if "@trade" not in row[:80]:
                    yield json.loads(row.partition(" ")[2])


class Recording:
    """What ingest made of it, and what the exchange told beside it."""

    def __init__(self) -> None:
        self.book = Book({}, {}, qty_exp=EIGHT)
        self.stand = BookStand(self.book, depth=DEPTH).up()
        self.tops: dict[int, Top] = {}
        self.said: dict[int, Top] = {}
        self.changes = 0
        self.early: list[dict[str, Any]] = []
        self.ahead_ns = 0
        for line in lines():
            self._play(line)

    def _play(self, line: dict[str, Any]) -> None:
        data = line.get("data", line)
        if "lastUpdateId" in data:
            self._begin(data)
        elif data.get("e") == "depthUpdate":
            self._change(data)
        else:
            self.tops[data["u"]] = numbers(data["b"], data["B"], data["a"], data["A"])

    def _begin(self, data: dict[str, Any]) -> None:
        """Take the recorded book; it answers the first question, as it was then."""
        for side, name in ((self.book.bids, "bids"), (self.book.asks, "asks")):
            side.update(levels(data[name]))
        self.book.update_id = data["lastUpdateId"]
        self.stand.give()
        for change in self.early:
            if change["u"] > self.book.update_id:
                self._fold(change)

    def _change(self, data: dict[str, Any]) -> None:
        stand, at_ns = self.stand, data["E"] * MS
        self.ahead_ns = self.ahead_ns or stand.now_ns - at_ns
        stand.now_ns = at_ns + self.ahead_ns
        if not self.book.bids:
            self.early.append(data)
        else:
            self._fold(data)
        if stand.asked() and self.book.bids:
            stand.give()  # The levels that were fetched first are being left.
        self.changes += 1
        stand.hear(live_depth(SYMBOL, data, 0))
        self._look()

    def _fold(self, data: dict[str, Any]) -> None:
        self.book.update_id = data["u"]
        for side, name in ((self.book.bids, "b"), (self.book.asks, "a")):
            for px, qty in levels(data[name]):
                side[px] = qty
                if not qty:
                    del side[px]

    def _look(self) -> None:
        shown = self.stand.core.state.feeds[SYMBOL].depth
        ladder = self.stand.core.lines[SYMBOL].depth.ladder
        if shown is not None and ladder is not None:
            shown = rescaled(shown, PX_EXP, EIGHT)
            assert shown.bids[0][0] < shown.asks[0][0]
            if self.changes % 20 == 0:
                assert (shown.bids, shown.asks) == self.book.sides(DEPTH)
            self.said[ladder.update_id] = (*shown.bids[0], *shown.asks[0])


def levels(rows: list[list[str]]) -> list[tuple[int, int]]:
    prices, _ = read((px for px, _ in rows), PX_EXP) if rows else ((), 0)
    sizes, _ = read((qty for _, qty in rows), EIGHT) if rows else ((), 0)
    return list(zip(prices, sizes, strict=True))


def numbers(*texts: str) -> Top:
    prices, _ = read(texts[::2], PX_EXP)
    sizes, _ = read(texts[1::2], EIGHT)
    return (prices[0], sizes[0], prices[1], sizes[1])


@cache
def recording() -> Recording:
    return Recording()


@pytest.mark.slow
def test_a_recorded_book_has_no_hole_and_never_crosses() -> None:
    stand = recording().stand
    figures = {name: stand.figure(f"depth_{name}") for name in ("gaps", "crossed", "refused")}
    assert figures == {"gaps": 0, "crossed": 0, "refused": 0}
    assert stand.figure("depth_out_of_step") == 0
    assert stand.figure("depth_fetched") > 1
    # Once the price jumps past every level that was fetched.
    assert [update.anew for update in stand.updates()].count(True) == 2
    assert len(recording().said) > 0.99 * recording().changes


@pytest.mark.slow
def test_the_top_of_a_recorded_book_is_the_one_that_the_exchange_told() -> None:
    said, tops = recording().said, recording().tops
    both = said.keys() & tops.keys()
    assert len(both) > 1_000
    assert {key: said[key] for key in both} == {key: tops[key] for key in both}


@pytest.mark.slow
def test_who_folds_the_words_of_a_recorded_book_has_the_whole_of_it() -> None:
    stand = recording().stand
    shown = stand.core.state.feeds[SYMBOL].depth
    assert shown is not None
    told = rescaled(structs.replace(shown, bids=stand.told()[0], asks=stand.told()[1]), 2, EIGHT)
    assert (told.bids, told.asks) == stand.book.sides(DEPTH)
