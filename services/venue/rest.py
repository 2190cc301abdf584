"""The public REST interface, without HTTP: a path and its parameters in, a status and JSON out.

Parameters, limits and error codes are Binance's. Nothing newer than `now` is ever shown. Market
data carries market time; `time` and `serverTime` are the wall's, because signatures are.
"""

from collections.abc import Callable, Iterator, Mapping

import msgspec

from services.venue import payload
from services.venue.columns import DAY_MS, Facts
from services.venue.klines import INTERVALS_MS, Candles, Kline
from services.venue.market import Market
from services.venue.params import Params, Refusal
from services.venue.rolling import RollingDay

ROOT = "/api/v3/"
Rows = list[object]

DEPTH_WEIGHTS = ((100, 5), (500, 25), (1_000, 50), (5_000, 250))
"""What a book of so many levels costs."""


class Now(msgspec.Struct, frozen=True):
    """The time of an answer: the market's, the last book that was emitted, the wall's."""

    market_ms: int
    book_ms: int
    wall_ms: int


class Answer(msgspec.Struct, frozen=True):
    """What goes back: HTTP status, body, and the weight that the request costs."""

    status: int
    body: bytes
    weight: int = 1


class Rest:
    """Answers requests about one market."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._candles = Candles(market)
        self._rolling = RollingDay(market, self._candles)
        self._paths: Mapping[str, Callable[[Params, Now], object]] = {
            "ping": lambda *_: {},
            "time": lambda _, now: {"serverTime": now.wall_ms},
            "exchangeInfo": self._exchange_info,
            "klines": self._klines,
            "depth": self._depth,
            "trades": self._trades,
            "historicalTrades": self._historical_trades,
            "aggTrades": self._aggregates,
            "ticker/24hr": self._day,
            "ticker/price": self._price,
            "ticker/bookTicker": self._top,
        }

    def answer(self, path: str, query: Mapping[str, str], now: Now) -> Answer:
        """Return the answer to one GET."""
        handler = self._paths.get(path.removeprefix(ROOT)) if path.startswith(ROOT) else None
        if handler is None:
            return refused(Refusal(-1000, f"There is no {path} here.", 404))
        params = Params(query)
        try:
            body = handler(params, now)
            params.check_all_read()
        except Refusal as refusal:
            return refused(refusal)
        return Answer(200, msgspec.json.encode(body), params.weight)

    def _exchange_info(self, params: Params, now: Now) -> object:
        listed, _ = params.symbols(self._market.facts)
        params.ignore("permissions", "showPermissionSets", "symbolStatus")
        params.weight = 20
        return {
            "timezone": "UTC",
            "serverTime": now.wall_ms,
            "rateLimits": [
                {
                    "rateLimitType": "REQUEST_WEIGHT",
                    "interval": "MINUTE",
                    "intervalNum": 1,
                    "limit": 6000,
                }
            ],
            "exchangeFilters": [],
            "symbols": [payload.symbol_row(facts) for facts in listed],
        }

    def _klines(self, params: Params, now: Now) -> object:
        facts = params.symbol(self._market.facts)
        step = params.interval(INTERVALS_MS)
        start, end = params.time("startTime"), params.time("endTime")
        limit = params.limit(500, 1000)
        params.ignore("timeZone")
        params.weight = 2
        newest = now.market_ms if end is None else min(end, now.market_ms)
        if start is None:
            found = self._last_candles(facts, step, newest, limit, now)
        else:
            found = self._first_candles(facts, step, (start, newest), limit, now)
        return [payload.kline_row(facts, kline, step) for kline in found]

    def _last_candles(
        self, facts: Facts, step: int, newest: int, limit: int, now: Now
    ) -> list[Kline]:
        found: list[Kline] = []
        for day in range(newest // DAY_MS, self._market.first_ms // DAY_MS - 1, -1):
            if len(found) >= limit:
                break
            found = [*self._day_until(facts, day, step, newest, now), *found]
        return found[-limit:]

    def _first_candles(
        self, facts: Facts, step: int, span: tuple[int, int], limit: int, now: Now
    ) -> list[Kline]:
        start, newest = max(span[0], self._market.first_ms - step), span[1]
        found: list[Kline] = []
        for day in range(start // DAY_MS, newest // DAY_MS + 1):
            if len(found) >= limit:
                break
            fresh = self._day_until(facts, day, step, newest, now)
            found += [kline for kline in fresh if kline.open_ms >= start]
        return found[:limit]

    def _day_until(
        self, facts: Facts, day: int, step: int, newest: int, now: Now
    ) -> Iterator[Kline]:
        candles = self._candles.of_day(facts.id, day, step, now.market_ms)
        return (kline for kline in candles if kline.open_ms <= newest)

    def _depth(self, params: Params, now: Now) -> object:
        facts = params.symbol(self._market.facts)
        limit = params.limit(100, 5000)
        params.weight = next(weight for most, weight in DEPTH_WEIGHTS if limit <= most)
        book = self._market.book(facts.id, now.book_ms)
        return {
            "lastUpdateId": book.update_id,
            "bids": payload.levels(facts, book.bids[:limit]),
            "asks": payload.levels(facts, book.asks[:limit]),
        }

    def _trades(self, params: Params, now: Now) -> object:
        facts = params.symbol(self._market.facts)
        params.weight = 25
        limit = params.limit(500, 1000)
        tape = self._market.tape_until(facts.id, limit, now.market_ms + 1)
        return payload.trade_rows(facts, tape)

    def _historical_trades(self, params: Params, now: Now) -> object:
        facts = params.symbol(self._market.facts)
        params.weight = 25
        limit, from_id = params.limit(500, 1000), params.number("fromId")
        if from_id is None:
            tape = self._market.tape_until(facts.id, limit, now.market_ms + 1)
        else:
            tape = self._market.tape_from(facts.id, from_id, limit, now.market_ms + 1)
        return payload.trade_rows(facts, tape)

    def _aggregates(self, params: Params, now: Now) -> object:
        facts = params.symbol(self._market.facts)
        limit, from_id = params.limit(500, 1000), params.number("fromId")
        start, end = params.time("startTime"), params.time("endTime")
        params.weight = 4
        if from_id is not None and (start is not None or end is not None):
            raise Refusal(-1128, "Combination of optional parameters invalid.")
        stop = (now.market_ms if end is None else min(end, now.market_ms)) + 1
        if from_id is not None:
            tape = self._market.tape_from(facts.id, from_id, limit, stop)
        elif start is not None:
            tape = self._market.tape_after(facts.id, start, limit, stop)
        else:
            tape = self._market.tape_until(facts.id, limit, stop)
        return payload.aggregate_rows(facts, tape)

    def _day(self, params: Params, now: Now) -> object:
        listed, alone = params.symbols(self._market.facts)
        params.ignore("type")
        params.weight = 2 * len(listed)
        rows: Rows = [self._rolling.row(facts, now.market_ms, now.book_ms) for facts in listed]
        return _one_or_all(rows, alone=alone)

    def _price(self, params: Params, now: Now) -> object:
        listed, alone = params.symbols(self._market.facts)
        params.weight = 2 * len(listed)
        found: Rows = []
        for facts in listed:
            last = self._market.tape_until(facts.id, 1, now.market_ms + 1)
            price = int(last.px[-1]) if len(last) else 0
            found.append({"symbol": facts.id, "price": payload.text(price, facts.px_exp)})
        return _one_or_all(found, alone=alone)

    def _top(self, params: Params, now: Now) -> object:
        listed, alone = params.symbols(self._market.facts)
        params.weight = 2 * len(listed)
        tops = [(facts, self._market.top(facts.id, now.book_ms)) for facts in listed]
        return _one_or_all([payload.top_row(*top) for top in tops], alone=alone)


def _one_or_all(found: Rows, *, alone: bool) -> object:
    return found[0] if alone else found


def refused(refusal: Refusal) -> Answer:
    """Return the answer to a request that is not taken."""
    return Answer(refusal.status, msgspec.json.encode(refusal.body))
