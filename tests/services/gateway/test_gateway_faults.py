"""The whole gateway at a venue that makes each of its faults: it comes to rest with equal books."""

import gc
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bus.lease import Lease
from schema.lifecycle import State
from schema.orders import Fill, OrderSubmitted
from schema.trading import CancelIntent, OrderIntent
from services.venue.desk import Desk
from services.venue.faults_kinds import KINDS, MARKET
from services.venue.synthetic import Synthetic
from tests.services.gateway.gateway_account import SYMBOL
from tests.services.gateway.served import DAY, ORIGIN_MS, SCALE, SYMBOLS, settings
from tests.services.gateway.test_gateway_whole import House
from tests.services.venue.serving import Serving, serving
from tests.services.venue.spoiled import active, desk_of, hits, spoil

pytestmark = [
    pytest.mark.slow,
    # aiohttp's way to connect, cut off in the middle, leaves its socket to the collector.
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
    ),
]

AGAIN_NS = 500_000_000
WORDS: dict[str, tuple[str, ...]] = {
    "rate_429": ("wait_s=1",),
    "ban_418": ("wait_s=1",),
    "late_fill": ("ms=300", "count=3"),
    "late_push": ("ms=300",),
    "lagging_reads": ("ms=300",),
    "vanish": ("ms=300", "count=2"),
    "cancel_ack_without_final_fill": ("ms=300",),
    "slow": ("ms=100",),
    "clock_skew": ("ms=700",),
    "html_body": ("status=502",),
    "lost_request": ("count=2",),
    "lost_ack": ("count=2",),
}
QUIET = {"stale_quotes", "clock_skew", *MARKET}
"""What a gateway need not meet on the way of an order."""


class Troubled(House):
    """A house whose exchange takes no request that is older than a moment."""

    def __init__(self, venue: Serving, folder: Path) -> None:
        super().__init__(venue, folder)
        self.settings = settings(
            venue.port,
            RRR_GATEWAY__RECONCILE_MS="300",
            RRR_GATEWAY__POLL_MS="100",
            RRR_GATEWAY__RECV_WINDOW_MS="300",
        )

    @property
    def desk(self) -> Desk:
        return desk_of(self.venue)

    def top(self) -> tuple[int, int]:
        """Return what is displayed, whatever the exchange answers just now."""
        shown = self.desk.market.top("BTCUSDT", self.desk.at_ms)
        return shown.bid[0], shown.ask[0]

    def over(self, intent: OrderIntent) -> bool:
        """Say whether an order has ended, and see to it that it does."""
        state = self.standing(intent)
        if state is State.ACCEPTED and self.clock.mono_ns() > self.again_ns:
            self.again_ns = self.clock.mono_ns() + AGAIN_NS
            self.say(cancel_of(intent))
        return intent.client_order_id in self.core.state.books.ended

    def equal(self) -> bool:
        """Say whether gateway and venue agree on every order and every fill."""
        books, records = self.core.state.books, self.desk.records
        ours = {fill.venue_trade_id for fill in self.of(Fill)}
        theirs = {str(fill.id) for fill in records.fills.values()}
        held, has = books.positions.get(SYMBOL), records.account.balances.get("BTC")
        amount = held.n * 10 ** (8 - held.exp) if held else 0
        return not books.open and ours == theirs and amount == (has.free + has.locked if has else 0)

    again_ns = 0


def cancel_of(intent: OrderIntent) -> CancelIntent:
    return CancelIntent(
        ts_event=1, client_order_id=intent.client_order_id, strategy="toy", symbol=SYMBOL
    )


@contextmanager
def troubled(folder: Path) -> Iterator[Troubled]:
    lease = Lease(folder / "gateway.lease")
    assert lease.take()
    try:
        with serving(Synthetic(7, SYMBOLS, DAY - 30), ORIGIN_MS, SCALE, folder) as venue:
            house = Troubled(venue, folder)
            house.start()
            try:
                house.say(*house.instruments())
                house.until(lambda: house.pulse.state == "READY")
                yield house
            finally:
                house.kill()
    finally:
        lease.release()
        with warnings.catch_warnings():
            # A connection that the end cut off while it was made leaves its socket behind.
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


@pytest.mark.parametrize("name", KINDS)
def test_after_each_fault_gateway_and_venue_agree_on_every_order(tmp_path: Path, name: str) -> None:
    with troubled(tmp_path) as house:
        far = house.top()[0] * 9 // 10
        told = spoil(house.venue, "set", name, *WORDS.get(name, ()))
        assert told.ok, told.text
        bought = house.want()
        resting = house.want(order_type="limit", limit_px=far)
        house.until(lambda: house.standing(resting) is not None)
        house.say(cancel_of(resting))
        house.until(lambda: name in QUIET or hits(house.venue, name) > 0)
        if KINDS[name].lasts:
            spoil(house.venue, "clear", name)
        house.until(lambda: house.over(bought) and house.over(resting))
        house.until(house.equal)
        assert_lawful(house)
        spoil(house.venue, "clear")
        assert active(house.venue) == set()


def assert_lawful(house: Troubled) -> None:
    """Require that each order of the venue stands there once, and was said before."""
    ids = [order.client_id for order in house.desk.records.orders.values()]
    assert len(ids) == len(set(ids))
    assert set(ids) <= {said.client_order_id for said in house.of(OrderSubmitted)}
