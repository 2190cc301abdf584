"""What the WebSocket streams say between two instants, read from the same tape as history.

A stream is a name such as `btcusdt@trade`; its events in (after, until] are a pure function of the
market, so what is said live is exactly what REST shows later.
"""

import re
from collections.abc import Mapping

import msgspec

from services.venue import payload
from services.venue.columns import DAY_MS, MINUTE_MS, Facts
from services.venue.klines import INTERVALS_MS, Candles, Kline
from services.venue.market import Market
from services.venue.payload import Json
from services.venue.rolling import RollingDay

SECOND_MS = 1_000

KINDS = frozenset({"trade", "aggTrade", "bookTicker", "depth", "kline", "ticker", "miniTicker"})
_NAME = re.compile(r"([a-z0-9]{1,20})@([A-Za-z]+)(?:_([0-9]+[mhd]))?(?:@(?:100|1000)ms)?")


class Stream(msgspec.Struct, frozen=True):
    """One stream that exists here."""

    name: str
    kind: str
    facts: Facts
    interval: str = ""


def stream_of(name: str, listed: Mapping[str, Facts]) -> Stream | None:
    """Return the stream of that name, or None when there is none, which is no error."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    symbol, kind, interval = match.group(1).upper(), match.group(2), match.group(3) or ""
    if symbol not in listed or kind not in KINDS:
        return None
    if (kind == "kline") != (interval in INTERVALS_MS):
        return None
    return Stream(name, kind, listed[symbol], interval)


class Live:
    """Turns stretches of market time into events."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._candles = Candles(market)
        self._rolling = RollingDay(market, self._candles)

    def events(self, stream: Stream, after_ms: int, until_ms: int) -> list[Json]:
        """Return the events of a stream in (after, until], the oldest first."""
        facts = stream.facts
        match stream.kind:
            case "trade":
                return self._trades(facts, after_ms, until_ms)
            case "aggTrade":
                return self._aggregates(facts, after_ms, until_ms)
            case "bookTicker":
                tops = self._market.tops(facts.id, after_ms, until_ms)
                return [payload.top_event(facts, top) for top in tops]
            case "depth":
                depths = self._market.depths(facts.id, after_ms, until_ms)
                return [payload.depth_event(facts, depth) for depth in depths]
            case "ticker" | "miniTicker":
                return self._day(stream, after_ms, until_ms)
            case _:
                return self._klines(stream, after_ms, until_ms)

    def _trades(self, facts: Facts, after_ms: int, until_ms: int) -> list[Json]:
        tape = self._market.tape(facts.id, after_ms + 1, until_ms + 1)
        return [
            {
                "e": "trade",
                "E": at_ms,
                "s": facts.id,
                "t": trade_id,
                "p": payload.text(px, facts.px_exp),
                "q": payload.text(qty, facts.qty_exp),
                "T": at_ms,
                "m": maker,
                "M": True,
            }
            for trade_id, at_ms, px, qty, maker in payload.rows(tape)
        ]

    def _aggregates(self, facts: Facts, after_ms: int, until_ms: int) -> list[Json]:
        tape = self._market.tape(facts.id, after_ms + 1, until_ms + 1)
        head: Json = {"e": "aggTrade", "s": facts.id}
        return [{**head, "E": row["T"], **row} for row in payload.aggregate_rows(facts, tape)]

    def _day(self, stream: Stream, after_ms: int, until_ms: int) -> list[Json]:
        # Said at whole seconds; of a stretch of several, the last one says it all.
        at_ms = until_ms // SECOND_MS * SECOND_MS
        if at_ms <= after_ms:
            return []
        return [self._rolling.event(stream.facts, at_ms, mini=stream.kind == "miniTicker")]

    def _klines(self, stream: Stream, after_ms: int, until_ms: int) -> list[Json]:
        facts, step = stream.facts, INTERVALS_MS[stream.interval]
        traded = self._market.tape(facts.id, after_ms + 1, until_ms + 1)
        opens = {int(at_ms) // step * step for at_ms in traded.at_ms}
        opens |= {open_ms for open_ms in (after_ms // step * step,) if open_ms + step <= until_ms}
        found: list[Json] = []
        for open_ms in sorted(opens):
            kline = self._candle(facts, open_ms, step, until_ms)
            if kline is not None:
                found.append(payload.kline_event(facts, kline, stream.interval, step, until_ms))
        return found

    def _candle(self, facts: Facts, open_ms: int, step: int, now_ms: int) -> Kline | None:
        if step == MINUTE_MS:
            return self._candles.minute(facts.id, open_ms, now_ms)
        day = self._candles.of_day(facts.id, open_ms // DAY_MS, step, now_ms)
        return next((kline for kline in day if kline.open_ms == open_ms), None)
