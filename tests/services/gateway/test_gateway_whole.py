"""The whole gateway, core and edge under the real loop, at the real venue in one process."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import msgspec
import pytest

from bus.edge import EdgeThread
from bus.hub import Hub
from bus.intake import wanted
from bus.lease import Lease
from bus.log import Log
from bus.memory import MemoryJournals
from bus.pulse import Pulse
from bus.runner import Runner
from bus.service import Parts
from schema.head import Message
from schema.house import Command
from schema.lifecycle import State
from schema.listing import instrument_of
from schema.market import Instrument
from schema.orders import BalanceSeen, Fill, InstrumentHalted, Reconciled
from schema.streams import home
from schema.trading import CancelIntent, OrderIntent
from schema.units import to_int
from services.gateway.core import Gateway
from services.gateway.edge import Exchange
from services.venue.synthetic import Synthetic
from tests.bus.toy import records
from tests.services.gateway.failing import wait_for
from tests.services.gateway.gateway_account import SYMBOL
from tests.services.gateway.gateway_rig import speakers
from tests.services.gateway.gateway_words import WORLD, Words
from tests.services.gateway.served import DAY, ORIGIN_MS, PACE, SCALE, SYMBOLS, settings
from tests.services.venue.serving import Serving, serving

pytestmark = pytest.mark.slow


class House:
    """Engine, risk and ingest by hand around a gateway that runs as it does in its process."""

    def __init__(self, venue: Serving, folder: Path) -> None:
        self.venue, self.clock = venue, venue.clock
        self.folder = folder
        self.settings = settings(
            venue.port, RRR_GATEWAY__RECONCILE_MS="300", RRR_GATEWAY__POLL_MS="100"
        )
        self.hub, self.journals = Hub(), MemoryJournals(venue.clock)
        self.place = self.hub.join(())
        self.writers = speakers(self.journals)
        self.risk = Pulse("risk", self.hub.join(()), self.clock)
        self.risk.become("READY")
        self.words = Words()
        self.edge: EdgeThread | None = None

    def start(self) -> None:
        self.core = Gateway(self.settings, WORLD)
        self.edge = EdgeThread(Exchange(self.settings, self.folder, PACE), self.clock)
        place = self.hub.join(wanted(self.core))
        self.pulse = Pulse("gateway", place, self.clock)
        log = Log(self.folder, "gateway", "test", self.clock, (1 << 20, 2))
        log.console = -1
        self.runner = Runner(Parts(self.core), place, self.journals, self.pulse, log, self.edge)
        self.runner.start()

    def kill(self) -> None:
        assert self.edge is not None
        self.edge.stop()
        self.hub.places[-1].close()

    def until(self, holds: Callable[[], bool]) -> None:
        """Run the loop until something holds."""

        def turned() -> bool:
            self.risk.beat()
            self.runner.turn()
            return holds()

        wait_for(turned, lambda: f"{self.pulse.reason} {records(self.journals, 'gateway.order')}")

    def say(self, *messages: Message) -> None:
        for message in messages:
            stream = home(type(message))
            assert stream is not None
            for frame in self.writers[stream.name].append([message]):
                self.place.send(frame)

    def want(self, side: Any = "buy", **fields: Any) -> OrderIntent:
        self.words.now_ns = self.clock.market_ns()
        bid, _ = self.top()
        until_ns = self.words.now_ns + int(3e9 * SCALE)
        fields = {"ref_px": bid, "valid_until_ns": until_ns, **fields}
        intent = self.words.intent(side, **fields)
        self.say(intent, self.words.verdict(intent, expires_ns=until_ns))
        return intent

    def get(self, path: str) -> Any:
        with urlopen(f"{self.venue.http}/api/v3/{path}", timeout=5) as answer:
            return json.load(answer)

    def top(self) -> tuple[int, int]:
        found = self.get("ticker/bookTicker?symbol=BTCUSDT")
        return to_int(found["bidPrice"], 2), to_int(found["askPrice"], 2)

    def instruments(self) -> list[Instrument]:
        return [instrument_of(entry, 1) for entry in self.get("exchangeInfo")["symbols"]]

    def standing(self, intent: OrderIntent) -> State | None:
        books, order_id = self.core.state.books, intent.client_order_id
        order = books.open.get(order_id) or books.ended.get(order_id)
        return order.place.state if order else None

    def of(self, kind: type[Any]) -> list[Any]:
        found = records(self.journals, "gateway.order")
        return [message for message in found if isinstance(message, kind)]


@contextmanager
def housed(folder: Path) -> Iterator[House]:
    lease = Lease(folder / "gateway.lease")
    assert lease.take()
    market = Synthetic(7, SYMBOLS, DAY - 30)
    try:
        with serving(market, ORIGIN_MS, SCALE, folder) as venue:
            house = House(venue, folder)
            house.start()
            try:
                house.say(*house.instruments())
                yield house
            finally:
                house.kill()
    finally:
        lease.release()


def test_orders_cancels_deaths_and_flatten_at_the_real_venue(tmp_path: Path) -> None:
    with housed(tmp_path) as house:
        house.until(lambda: house.pulse.state == "READY")
        bought = house.want()
        house.until(lambda: house.standing(bought) is State.FILLED)
        far = house.top()[0] * 9 // 10
        resting = house.want(order_type="limit", limit_px=far)
        house.until(lambda: house.standing(resting) is State.ACCEPTED)
        doomed = house.want(order_type="limit", limit_px=far)
        house.until(lambda: house.standing(doomed) is not None)
        before = msgspec.json.encode(house.core.state.books, order="sorted")
        house.kill()  # Perhaps before the answer to the last order.
        house.start()
        assert msgspec.json.encode(house.core.state.books, order="sorted") == before
        house.until(lambda: house.standing(doomed) is State.ACCEPTED)
        house.until(lambda: house.pulse.state == "READY")
        cancel = CancelIntent(
            ts_event=1, client_order_id=doomed.client_order_id, strategy="toy", symbol=SYMBOL
        )
        house.say(cancel)
        house.until(lambda: house.standing(doomed) is State.CANCELED)
        compared = len(house.of(Reconciled))
        house.until(lambda: len(house.of(Reconciled)) > compared + 3)
        flatten = Command(request_id="1", verb="kill", args=("FLATTEN", "out"), by="me")
        place = house.hub.places[-1]
        place.asked.append(flatten)
        house.until(lambda: house.core.state.books.level == "HALTED")
        assert house.standing(resting) is State.CANCELED
        assert house.core.state.books.positions[SYMBOL].n == 0
        assert len(house.of(Fill)) == len({fill.venue_trade_id for fill in house.of(Fill)}) >= 2
        compared = len(house.of(Reconciled))
        house.until(lambda: len(house.of(Reconciled)) > compared + 2)
        assert (house.of(InstrumentHalted), house.of(BalanceSeen)) == ([], [])
