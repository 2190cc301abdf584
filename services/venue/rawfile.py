"""Reads raw recordings: lines of `<local_ns> {combined stream json}`, as a recorder wrote them.

The recorder's clock is not trusted: an event has the exchange's time, and one that carries none has
the latest that was seen before it. Numbers are read exactly, at eight decimals.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import msgspec

from services.venue.barfile import NUMBER, lines_of, refuse, scaled

_QUOTES = (
    *("FDUSD", "USDT", "USDC", "TUSD", "BUSD"),
    *("BTC", "ETH", "BNB", "EUR", "TRY", "BRL", "JPY", "USD"),
)

Side = list[tuple[str, str]]
Level = tuple[int, int]
Levels = tuple[Level, ...]


class Data(msgspec.Struct):
    """One event; which fields it has depends on its stream."""

    e: str = ""
    E: int = 0
    T: int = 0
    s: str = ""
    t: int = 0
    p: str = ""
    q: str = ""
    m: bool = False
    U: int = 0
    u: int = 0
    pu: int = 0
    b: str | Side = ""
    B: str = ""
    a: str | Side = ""
    A: str = ""


class Line(msgspec.Struct):
    """The JSON of a line: an event of a stream, or a snapshot of the book by itself."""

    stream: str = ""
    data: Data | None = None
    lastUpdateId: int = 0  # noqa: N815 - the exchange's name
    bids: Side = []
    asks: Side = []


@dataclass(frozen=True)
class RawDepth:
    """A change of the book, or with `whole` the book itself."""

    at_ms: int
    first_id: int
    last_id: int
    bids: Levels
    asks: Levels
    whole: bool = False


@dataclass
class Raw:
    """What was recorded of one symbol, in order; numbers at eight decimals."""

    symbol: str
    trade_ids: list[int] = field(default_factory=list)
    trade_ms: list[int] = field(default_factory=list)
    px: list[int] = field(default_factory=list)
    qty: list[int] = field(default_factory=list)
    maker: list[bool] = field(default_factory=list)
    tops: list[tuple[int, int, Level, Level]] = field(default_factory=list)  # time, id, bid, ask
    depths: list[RawDepth] = field(default_factory=list)
    last_id: int = 0  # of the book


def read_recordings(paths: Iterable[Path]) -> dict[str, Raw]:
    """Return what several files, one after the other, hold of each symbol."""
    reader = Reader()
    for path in paths:
        reader.read(path)
    return reader.found


class Reader:
    """Sorts lines by symbol, and refuses the first that is damaged."""

    def __init__(self) -> None:
        self.found: dict[str, Raw] = {}
        self._path = Path()
        self._line = 0
        self._now_ms = 0

    def read(self, path: Path) -> None:
        """Take in one file."""
        self._path, trades = path, self._trades()
        for self._line, text in lines_of(path):
            self._take(text)
        if self._trades() == trades:
            self._refuse("at least one trade in the file", "none")

    def _trades(self) -> int:
        return sum(len(raw.trade_ids) for raw in self.found.values())

    def _refuse(self, expected: str, found: str) -> NoReturn:
        refuse(self._path, max(self._line, 1), expected, found)

    def _take(self, text: str) -> None:
        local_ns, _, json = text.partition(" ")
        if not local_ns.isdecimal():
            self._refuse("`<local_ns> {json}`", repr(text[:60]))
        try:
            line = msgspec.json.decode(json, type=Line)
        except msgspec.MsgspecError as error:
            self._refuse("the JSON of a combined stream", str(error))
        if line.data is not None:
            self._event(line.data)
        elif line.lastUpdateId:
            self._snapshot(line)
        else:
            self._refuse("an event with `stream` and `data`, or a book snapshot", repr(json[:60]))

    def _event(self, data: Data) -> None:
        self._now_ms = max(self._now_ms, data.E or data.T)
        if data.e == "trade":
            self._trade(self._of(data.s), data)
        elif data.e == "depthUpdate":
            self._depth(self._of(data.s), data)
        elif isinstance(data.b, str) and isinstance(data.a, str) and data.B and data.A:
            bid = (self._number(data.b), self._number(data.B))
            ask = (self._number(data.a), self._number(data.A))
            self._of(data.s).tops.append((self._now_ms, data.u, bid, ask))

    def _of(self, name: str) -> Raw:
        if name not in self.found:
            quote = next((quote for quote in _QUOTES if name.endswith(quote)), "")
            base = name.removesuffix(quote)
            if not quote or not base:
                self._refuse(f"a symbol that ends in one of {', '.join(_QUOTES)}", repr(name))
            self.found[name] = Raw(f"{base}/{quote}")
        return self.found[name]

    def _trade(self, raw: Raw, data: Data) -> None:
        if raw.trade_ids and data.t != raw.trade_ids[-1] + 1:
            self._refuse(f"trade {raw.trade_ids[-1] + 1}", f"trade {data.t}")
        px, qty = self._number(data.p), self._number(data.q)
        if px <= 0 or qty <= 0 or data.t <= 0 or data.T <= 0:
            self._refuse("a trade with id, time, price and quantity above zero", repr(data))
        before_ms = raw.trade_ms[-1] if raw.trade_ms else 0
        raw.trade_ids.append(data.t)
        raw.trade_ms.append(max(before_ms, data.T))
        raw.px.append(px)
        raw.qty.append(qty)
        raw.maker.append(data.m)

    def _depth(self, raw: Raw, data: Data) -> None:
        if isinstance(data.b, str) or isinstance(data.a, str):
            self._refuse("lists of levels in `b` and `a`", repr(data.b)[:60])
        # Futures name the change before; a spot client wants numbers without a hole.
        follows = raw.last_id and raw.last_id in {data.pu, data.U - 1}
        first_id = raw.last_id + 1 if follows else data.U
        sides = self._levels(data.b), self._levels(data.a)
        raw.depths.append(RawDepth(self._now_ms, first_id, data.u, *sides))
        raw.last_id = data.u

    def _snapshot(self, line: Line) -> None:
        if not self.found:
            self._refuse("an event before the snapshot, which names no symbol", "a snapshot")
        nearest = min(self.found.values(), key=lambda raw: abs(raw.last_id - line.lastUpdateId))
        sides = self._levels(line.bids), self._levels(line.asks)
        whole = RawDepth(self._now_ms, 0, line.lastUpdateId, *sides, whole=True)
        nearest.depths.append(whole)

    def _levels(self, side: Side) -> Levels:
        return tuple((self._number(px), self._number(qty)) for px, qty in side)

    def _number(self, text: str) -> int:
        if not NUMBER.fullmatch(text):
            self._refuse("a plain decimal number", repr(text))
        return scaled(self._path, max(self._line, 1), text)
