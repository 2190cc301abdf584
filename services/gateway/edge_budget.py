"""The request budget as the exchange counts it, and its word to wait, which is obeyed.

It begins closed: until the core has told of a ban from before this life, nothing is asked. What is
spent by others of this address, the exchange's own count holds. A lane waits for its share; the
last fifth is kept for cancels and reductions, and a cancel may use all.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from bus.clock import NS_PER_MS, Clock
from bus.service import Bridge
from schema.exchange import BudgetSeen, SetLevel
from schema.head import Effect
from schema.settings import GatewaySettings
from schema.weights import (
    COUNT_1D,
    COUNT_10S,
    DAY_MS,
    MINUTE_MS,
    SLOW_DOWN,
    TEN_SECONDS_MS,
    TOO_MANY_ORDERS,
    UNTOLD,
    USED,
    Meter,
    Quiet,
    Rates,
    Refused,
    count_in,
    wait_ms,
)
from services.gateway.edge_lanes import Lane, lane_of
from services.gateway.edge_session import Reply
from services.gateway.edge_weights import cost_of, orders_in, weight_of
from services.gateway.wire_codes import refusal_in

LOOK_S = 0.02
"""Between two looks of somebody who waits for room."""

TOO_MUCH = "of the request budget as much is spent as this lane may use"


class Budget:
    """What is used, and until when nothing may be asked."""

    def __init__(self, clock: Clock, own: GatewaySettings, exchange_ms: Callable[[], int]) -> None:
        self._clock = clock
        self._exchange_ms = exchange_ms
        rates = Rates()
        self.weight = Meter(MINUTE_MS, rates.weight_1m)
        self.orders = {
            COUNT_10S: Meter(TEN_SECONDS_MS, rates.orders_10s),
            COUNT_1D: Meter(DAY_MS, rates.orders_1d),
        }
        self._shares = {
            Lane.CANCEL: 1.0,
            Lane.REDUCE: 1.0,
            Lane.NEW: own.new_share,
            Lane.QUERY: own.query_share,
        }
        self._told = 0
        self._is_told = False
        self._quiet = Quiet()
        self._news = asyncio.Event()
        self._bans = asyncio.Event()

    def obey(self, level: SetLevel) -> None:
        """Take from the core until when nothing may be asked, and what is allowed."""
        self._is_told = True
        self._forbid(level.retry_wall_ms - self._wall_ms())
        self.weight.limit = level.weight_1m or self.weight.limit
        for name, limit in ((COUNT_10S, level.orders_10s), (COUNT_1D, level.orders_1d)):
            self.orders[name].limit = limit or self.orders[name].limit

    def ban(self) -> str | None:
        """Return until when nothing may be asked, or None."""
        if not self._is_told:
            return UNTOLD
        return self._quiet.why(self._clock.mono_ns())

    @contextlib.asynccontextmanager
    async def room(self, effect: Effect) -> AsyncIterator[None]:
        """Wait until an effect's lane has room for what it costs, and keep that while it lasts."""
        while not self.has_room(effect):  # noqa: ASYNC110 - a window ends by time alone
            await asyncio.sleep(LOOK_S)
        cost, orders = cost_of(effect), orders_in(effect)
        self.weight.begin(self._exchange_ms(), cost)
        for meter in self.orders.values():
            meter.begin(self._exchange_ms(), orders)
        try:
            yield
        finally:
            self.weight.end(self._exchange_ms(), cost)
            for meter in self.orders.values():
                meter.end(self._exchange_ms(), orders)

    def has_room(self, effect: Effect) -> bool:
        """Return whether an effect may be sent now; a ban is for its sender to see."""
        if self.ban() is not None:
            return True
        now_ms, lane = self._exchange_ms(), lane_of(effect)
        share, orders = self._shares[lane], orders_in(effect)
        return self.weight.has_room(now_ms, cost_of(effect), share) and (
            not orders or all(m.has_room(now_ms, orders, share) for m in self.orders.values())
        )

    def take(self, request: str, reply: Reply, begun_ms: int) -> None:
        """Take in the headers and the status of an answer, or that there was none."""
        self._count(request, reply, begun_ms)
        refusal = refusal_in(reply.status, reply.body)
        refused = Refused(
            reply.status, reply.headers, reply.body, refusal.code if refusal is not None else 0
        )
        if refused.code == TOO_MANY_ORDERS and reply.status == SLOW_DOWN:
            name = COUNT_1D if "DAY" in reply.body.upper() else COUNT_10S
            self.orders[name].close(self._exchange_ms())
        elif refused.is_ban:
            self._forbid(wait_ms(refused, self._wall_ms(), self._exchange_ms()))

    def _count(self, request: str, reply: Reply, begun_ms: int) -> None:
        now_ms, cost = self._exchange_ms(), weight_of(request)
        if (told := count_in(reply.headers, USED)) is not None:
            self.weight.tell(now_ms, told, begun_ms, cost)
            self._use(told)
        elif reply.sent:
            self.weight.lose(now_ms, cost)
        for name, meter in self.orders.items():
            if (told := count_in(reply.headers, name)) is not None:
                meter.tell(now_ms, told, begun_ms, 1)
            elif request.startswith("POST") and reply.sent:
                meter.lose(now_ms, 1)

    async def tell(self, bridge: Bridge, every_s: float) -> None:
        """Tell the core what changed, and a ban at once."""
        while True:
            await self._news.wait()
            self._news.clear()
            self._bans.clear()
            await bridge.hear(self._seen())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every_s):
                    await self._bans.wait()

    def _use(self, told: int) -> None:
        if told != self._told:
            self._told = told
            self._news.set()

    def _forbid(self, left_ms: int) -> None:
        if self._quiet.forbid(left_ms, self._wall_ms(), self._clock.mono_ns()):
            self._news.set()
            self._bans.set()

    def _wall_ms(self) -> int:
        return self._clock.wall_ns() // NS_PER_MS

    def _seen(self) -> BudgetSeen:
        banned = self._quiet.why(self._clock.mono_ns()) is not None
        retry_wall_ms = self._quiet.until_wall_ms if banned else 0
        return BudgetSeen(used=self._told, limit=self.weight.limit, retry_wall_ms=retry_wall_ms)
