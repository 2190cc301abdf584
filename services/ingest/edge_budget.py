"""The request budget as ingest's edge keeps it: its share, and the exchange's word to wait.

It begins closed: until the core has told of a ban from before this life, nothing is asked. The
exchange counts all requests of this address, so its figure holds those of the gateway too.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from urllib.parse import parse_qs, urlsplit

import msgspec

from bus.clock import NS_PER_MS, Clock
from bus.errors import EdgeError
from bus.service import Bridge
from schema.weights import (
    MINUTE_MS,
    UNTOLD,
    USED,
    WEIGHT_1M,
    Meter,
    Quiet,
    Rates,
    Refused,
    count_in,
    rates_of,
    wait_ms,
)
from services.ingest.effects import BudgetMet

WEIGHTS = {"exchangeInfo": 20, "trades": 25, "historicalTrades": 25, "klines": 2, "time": 1}
"""What the calls made here cost, by the exchange's own table [doc]."""

DEPTH = "depth"
DEPTH_WEIGHTS = ((100, 5), (500, 25), (1_000, 50), (5_000, 250))
"""What a book of so many levels costs."""

UNKNOWN = 20
LOOK_S = 0.02
LISTING = "exchangeInfo"


class Code(msgspec.Struct, frozen=True):
    """An answer as far as it is a refusal."""

    code: int = 0


class Budget:
    """What is spent, and until when nothing may be asked."""

    def __init__(self, share: float) -> None:
        self._share = share
        self.weight = Meter(MINUTE_MS, WEIGHT_1M)
        self._clock: Clock | None = None
        self._offset_ms = 0
        self._told_ms: int | None = None  # by the core
        self._quiet = Quiet()
        self._rates: Rates | None = None
        self._used = 0
        self._news = asyncio.Event()

    def open(self, clock: Clock) -> None:
        """Begin to reckon with a clock."""
        self._clock = clock
        if self._told_ms is not None:
            self._forbid(self._told_ms - self._wall_ms())

    def obey(self, retry_wall_ms: int) -> None:
        """Take from the core until when nothing may be asked."""
        self._told_ms = retry_wall_ms
        if self._clock is not None:
            self._forbid(retry_wall_ms - self._wall_ms())

    def ban(self) -> str | None:
        """Return until when nothing may be asked, or None."""
        if self._told_ms is None or self._clock is None:
            return UNTOLD
        return self._quiet.why(self._clock.mono_ns())

    async def free(self) -> None:
        """Wait until something may be asked."""
        while self.ban() is not None:  # noqa: ASYNC110 - a ban ends by time alone
            await asyncio.sleep(LOOK_S)

    @contextlib.asynccontextmanager
    async def room(self, url: str) -> AsyncIterator[None]:
        """Wait until a request has room within this share; EdgeError while nothing may be asked."""
        cost = cost_of(url)
        while not self._may(cost):  # noqa: ASYNC110 - a window ends by time alone
            await asyncio.sleep(LOOK_S)
        self.weight.begin(self._exchange_ms(), cost)
        try:
            yield
        finally:
            self.weight.end(self._exchange_ms(), cost)

    def take(self, url: str, status: int, headers: Mapping[str, str], body: str) -> None:
        """Take in an answer."""
        named = {name.lower(): value for name, value in headers.items()}
        self._count(url, named)
        if call_of(url) == LISTING:
            self._read(body)
        refused = Refused(status, named, body, _code_in(body))
        if refused.is_ban:
            self._forbid(wait_ms(refused, self._wall_ms(), self._exchange_ms()))

    async def tell(self, bridge: Bridge) -> None:
        """Tell the core of bans and limits as they become known."""
        while True:
            await self._news.wait()
            self._news.clear()
            rates = self._rates
            await bridge.hear(
                BudgetMet(
                    used=self._used,
                    retry_wall_ms=self._quiet.until_wall_ms,
                    weight_1m=rates.weight_1m if rates else 0,
                    orders_10s=rates.orders_10s if rates else 0,
                    orders_1d=rates.orders_1d if rates else 0,
                )
            )

    def _may(self, cost: int) -> bool:
        if ban := self.ban():
            raise EdgeError(ban, "It is asked again by itself")
        return self.weight.has_room(self._exchange_ms(), cost, self._share)

    def _count(self, url: str, headers: Mapping[str, str]) -> None:
        now_ms, told = self._exchange_ms(), count_in(headers, USED)
        cost = cost_of(url)
        if told is None:
            self.weight.lose(now_ms, cost)
        else:
            self._used = told
            self.weight.tell(now_ms, told, now_ms, cost)

    def _read(self, body: str) -> None:
        try:
            listing = msgspec.json.decode(body, type=Listing)
        except msgspec.MsgspecError:
            return
        self._offset_ms = listing.server_time - self._wall_ms() if listing.server_time else 0
        rates = rates_of(listing.rate_limits)
        self.weight.limit = rates.weight_1m
        if rates != self._rates:
            self._rates = rates
            self._news.set()

    def _forbid(self, left_ms: int) -> None:
        assert self._clock is not None, "nothing is asked before there is a clock"
        if self._quiet.forbid(left_ms, self._wall_ms(), self._clock.mono_ns()):
            self._news.set()

    def _wall_ms(self) -> int:
        assert self._clock is not None, "nothing is asked before there is a clock"
        return self._clock.wall_ns() // NS_PER_MS

    def _exchange_ms(self) -> int:
        return self._wall_ms() + self._offset_ms


class Listing(msgspec.Struct, frozen=True, rename="camel"):
    """What a listing tells beside the instruments."""

    server_time: int = 0
    rate_limits: tuple[dict[str, object], ...] = ()


def call_of(url: str) -> str:
    """Return the call that an address is of."""
    return urlsplit(url).path.rpartition("/")[2]


def cost_of(url: str) -> int:
    """Return what a request costs."""
    call = call_of(url)
    if call != DEPTH:
        return WEIGHTS.get(call, UNKNOWN)
    (limit,) = parse_qs(urlsplit(url).query).get("limit", ["100"])
    return next((cost for most, cost in DEPTH_WEIGHTS if int(limit) <= most), UNKNOWN)


def _code_in(body: str) -> int:
    try:
        return msgspec.json.decode(body, type=Code).code
    except msgspec.MsgspecError:
        return 0
