"""Bars and listings that somebody asks the exchange for by hand, one request after the other.

Weight is counted for this machine's address, so what the feed spends is in every answer's header.
A hand spends no more than half of the feed's share: the feed's own questions always have room.
"""

import http.client
import ssl
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

import msgspec

from bus.clock import NS_PER_MS, Clock
from bus.errors import EdgeError, UnreachableError
from schema.units import MS_NS
from schema.weights import (
    MINUTE_MS,
    USED,
    WEIGHT_1M,
    Meter,
    Quiet,
    Refused,
    count_in,
    rates_of,
    wait_ms,
)

BINANCE = "https://api.binance.com"
PAGE = 1_000
WEIGHTS = {"exchangeInfo": 20, "klines": 2, "time": 1}
PART = 0.5
"""Of the feed's share of the budget, what a hand may spend of it."""

PATIENCE_S = 10.0
TRIES = 4
PAUSE_MS = 100
LOOK_MS = 50
UNKNOWN_SYMBOL = -1121
BARRED = frozenset({403, 451})

Row = tuple[int, str, str, str, str, str, int, str, int, str, str, str]
"""A kline as the exchange writes it: twelve columns, numbers as text."""


class BannedError(EdgeError):
    """The exchange wants to hear nothing for a while."""

    exit_code = 3

    def __init__(self, why: str, until_wall_ms: int) -> None:
        super().__init__(
            f"the exchange is not asked: {why}", "Do it again then: what is done stays"
        )
        self.until_wall_ms = until_wall_ms


class Time(msgspec.Struct, frozen=True, rename="camel"):
    """The exchange's clock."""

    server_time: int


class Refusal(msgspec.Struct, frozen=True):
    """Why a request was refused."""

    code: int = 0
    msg: str = ""


class Listing(msgspec.Struct, frozen=True, rename="camel"):
    """What a listing tells."""

    symbols: tuple[dict[str, Any], ...]
    rate_limits: tuple[dict[str, Any], ...] = ()


class UnlistedError(EdgeError):
    """The exchange does not know a symbol."""


class Door:
    """One connection to an exchange; `with` closes it."""

    def __init__(
        self, place: str, share: float, clock: Clock, waits: Callable[[], None] = lambda: None
    ) -> None:
        self.place = place
        self._share = PART * share
        self._clock = clock
        self._waits = waits
        self._meter = Meter(MINUTE_MS, WEIGHT_1M)
        self._quiet = Quiet()
        self._offset_ms = 0
        self._line = _line(place)
        self.requests = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()

    def obey(self, until_wall_ms: int) -> None:
        """Ask nothing before a time."""
        wall_ms = self._wall_ms()
        self._quiet.forbid(until_wall_ms - wall_ms, wall_ms, self._clock.mono_ns())

    def set_clock(self) -> int:
        """Read the exchange's clock, and reckon with it; return it in ns."""
        told: Time = self._read(self._asked("time", {}), Time)
        self._offset_ms = told.server_time - self._wall_ms()
        return told.server_time * MS_NS

    def listed(self, symbols: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the exchange's entries of those of some symbols that it lists."""
        wanted = {symbol.replace("/", ""): symbol for symbol in symbols}
        if not wanted:
            return {}
        names = "[" + ",".join(f'"{name}"' for name in wanted) + "]"
        try:
            listing = self._read(self._asked("exchangeInfo", {"symbols": names}), Listing)
        except UnlistedError:  # It refuses a question that names one of them, so by halves.
            both = list(wanted.values())
            half = len(both) // 2
            return self.listed(both[:half]) | self.listed(both[half:]) if half else {}
        self._meter.limit = rates_of(listing.rate_limits).weight_1m
        return {wanted[it["symbol"]]: it for it in listing.symbols if it.get("symbol") in wanted}

    def klines(
        self, symbol: str, timeframe: str, span_ns: tuple[int, int], limit: int = PAGE
    ) -> tuple[bytes, list[Row]]:
        """Return the first bars that open in a span, and the answer as it came."""
        query = {
            "symbol": symbol.replace("/", ""),
            "interval": timeframe,
            "startTime": span_ns[0] // MS_NS,
            "endTime": span_ns[1] // MS_NS - 1,
            "limit": limit,
        }
        body = self._asked("klines", query)
        rows = self._read(body, list[Row])
        for row in rows:
            if not span_ns[0] <= row[0] * MS_NS < span_ns[1]:
                raise EdgeError(
                    f"{self.place} answers with a bar of {row[0]} ms, asked were those in "
                    f"[{span_ns[0] // MS_NS}, {span_ns[1] // MS_NS})",
                    "Nothing of that answer was taken",
                )
        return body, rows

    def _read(self, body: bytes, kind: Any) -> Any:
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.MsgspecError as error:
            raise EdgeError(
                f"{self.place} answers in a way that is not known: {error}",
                "Nothing of that answer was taken",
            ) from error

    def _asked(self, call: str, query: Mapping[str, Any]) -> bytes:
        path = f"/api/v3/{call}" + (f"?{urlencode(query)}" if query else "")
        for number in range(TRIES):
            if number:
                self._clock.pause_ms(PAUSE_MS << number)
            status, body = self._once(call, path)
            if status == http.client.OK:
                return body
            if 0 < status < http.client.INTERNAL_SERVER_ERROR:
                raise self._refused(status, body)
        said = body.decode(errors="replace")[:200]
        raise UnreachableError(
            f"{self.place} does not answer `{call}` in {TRIES} tries: {said}",
            "Look at the way to the internet, or whether the venue runs; what is done stays done",
        )

    def _once(self, call: str, path: str) -> tuple[int, bytes]:
        cost = WEIGHTS[call]
        self._await_room(cost)
        begun_ms = self._exchange_ms()
        self._meter.begin(begun_ms, cost)
        try:
            self.requests += 1
            self._line.request("GET", path, headers={"User-Agent": "rrr"})
            answer = self._line.getresponse()
            status, body = answer.status, answer.read()
            headers = {name.lower(): text for name, text in answer.getheaders()}
        except (OSError, http.client.HTTPException) as error:
            self._line.close()  # The next request dials anew.
            self._meter.lose(self._exchange_ms(), cost)
            return 0, f"{type(error).__name__}: {error}".encode()
        finally:
            self._meter.end(self._exchange_ms(), cost)
        self._count(headers, begun_ms, cost)
        self._heed(status, headers, body)
        return status, body

    def _count(self, headers: Mapping[str, str], begun_ms: int, cost: int) -> None:
        told = count_in(headers, USED)
        if told is None:
            self._meter.lose(self._exchange_ms(), cost)
        else:
            self._meter.tell(self._exchange_ms(), told, begun_ms, cost)

    def _heed(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        refused = Refused(status, headers, body.decode(errors="replace"), _refusal_in(body).code)
        if refused.is_ban:
            left_ms = wait_ms(refused, self._wall_ms(), self._exchange_ms())
            self.obey(self._wall_ms() + left_ms)
            self._require_leave()

    def _await_room(self, cost: int) -> None:
        self._require_leave()
        if cost > int(self._meter.limit * self._share):
            raise EdgeError(
                f"`ingest.weight_share` leaves a hand {self._meter.limit * self._share:.0f} of "
                f"weight a minute, and one question takes {cost}",
                "Raise it in settings.local.toml",
            )
        while not self._meter.has_room(self._exchange_ms(), cost, self._share):
            self._waits()
            self._clock.pause_ms(LOOK_MS)

    def _require_leave(self) -> None:
        if ban := self._quiet.why(self._clock.mono_ns()):
            raise BannedError(ban, self._quiet.until_wall_ms)

    def _refused(self, status: int, body: bytes) -> EdgeError:
        said = _refusal_in(body)
        if said.code == UNKNOWN_SYMBOL:
            return UnlistedError(f"{self.place} does not list it", "Name another symbol")
        if status in BARRED:
            return EdgeError(
                f"{self.place} refuses this machine's address: HTTP {status}",
                "Binance does not serve every country: run this where it does, or name a stand-in "
                "in `exchange.url`",
            )
        return EdgeError(
            f"{self.place} refuses the request: HTTP {status}, {said.code} {said.msg}"[:200],
            "What is done stays done",
        )

    def _wall_ms(self) -> int:
        return self._clock.wall_ns() // NS_PER_MS

    def _exchange_ms(self) -> int:
        return self._wall_ms() + self._offset_ms


def _line(place: str) -> http.client.HTTPConnection:
    address = urlsplit(place)
    host = address.netloc
    if address.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, timeout=PATIENCE_S, context=context)
    return http.client.HTTPConnection(host, timeout=PATIENCE_S)


def _refusal_in(body: bytes) -> Refusal:
    try:
        return msgspec.json.decode(body, type=Refusal)
    except msgspec.MsgspecError:
        return Refusal()
