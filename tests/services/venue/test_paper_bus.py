"""A venue on the memory bus: what ingest says there is what its orders meet, over a real socket."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

from bus.clock import MarketTime, SystemClock
from bus.edge import EdgeThread
from bus.hub import Hub
from bus.intake import wanted
from bus.log import Log
from bus.memory import MemoryJournals
from bus.pulse import Pulse
from bus.runner import Runner
from bus.service import Parts
from schema.head import Message
from schema.setting_types import PLAY_KEY
from schema.streams import STREAMS, home
from services.venue.core import Venue
from services.venue.edge_heard import Listener
from services.venue.heard import Heard
from services.venue.ledger import ledger_path
from services.venue.passage import Passage, kept_records
from tests.ports import free_port
from tests.services.venue.bank import signed
from tests.services.venue.heard_market import TERMS, feed, instrument, quote, trade

DEADLINE_NS = 10_000_000_000
MS = 1_000_000
STREAMS_SAID = ("ingest.feed", "ingest.trade", "ingest.quote")


class WallClock(SystemClock):
    """This machine's clock, which anybody may set back."""

    back_ns = 0

    def wall_ns(self) -> int:
        return super().wall_ns() - self.back_ns

    def market_ns(self) -> int:
        return super().market_ns() - self.back_ns


class Street:
    """Ingest as the bus has it, and a venue that hears it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock, self.hub = folder, WallClock(), Hub()
        self.clock.start(MarketTime(0, 0, 1.0, "test"))
        self.journals = MemoryJournals(self.clock)
        epoch = self.journals.open_epoch("ingest")
        self._writers = {
            name: self.journals.writer(STREAMS[name], epoch, "") for name in STREAMS_SAID
        }
        self._place = self.hub.join(())
        self.pulse = Pulse("ingest", self._place, self.clock)
        self.pulse.become("READY")
        self.port = free_port()

    def start(self) -> None:
        path = ledger_path(self.folder)
        records = kept_records(path.parent)
        now_ns = self.clock.market_ns()
        market = Heard(now_ns // MS, records.marks, records.traded())
        edge = Listener(market, self.port, path, now_ns, TERMS)
        core = Venue(plays=False, listens=True)
        place = self.hub.join(wanted(core))
        pulse = Pulse("venue", place, self.clock)
        log = Log(self.folder, "venue", "test", self.clock, (1 << 20, 2))
        log.console = -1
        self.edge = EdgeThread(edge, self.clock)
        parts = Parts(core, edge=edge, store=Passage(dict(records.cursors)))
        self.runner = Runner(parts, place, self.journals, pulse, log, self.edge)
        self.runner.start()

    def stop(self) -> None:
        self.edge.stop()

    def say(self, *said: Message) -> None:
        for message in said:
            stream = home(type(message))
            assert stream is not None
            for frame in self._writers[stream.name].append([message]):
                self._place.send(frame)

    def forget(self) -> None:
        """Let retention take all that was said."""
        for tape in self.journals.tapes.values():
            tape.forget(tape.last() + 1)

    def until(self, holds: Callable[[], Any], *, beats: bool = True) -> None:
        deadline_ns = self.clock.mono_ns() + DEADLINE_NS
        while not holds():
            assert self.clock.mono_ns() < deadline_ns, self.state()
            if beats:
                self.pulse.beat()
            self.runner.turn()
            self.clock.pause_ms(2)

    def state(self) -> tuple[str, str]:
        return self.runner.pulse.state, self.runner.pulse.reason

    def ready(self) -> bool:
        return self.runner.pulse.state == "READY"

    def ask(self, method: str, path: str, **params: object) -> tuple[int, Any]:
        query = signed(timestamp=self.clock.wall_ns() // MS, **params)
        address = f"http://127.0.0.1:{self.port}/api/v3/{path}?{query}"
        request = Request(address, method=method, headers={"X-MBX-APIKEY": PLAY_KEY})
        try:
            with urlopen(request, timeout=5) as answer:
                return answer.status, json.loads(answer.read())
        except HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def order(self, kind: str, **params: object) -> tuple[int, Any]:
        return self.ask("POST", "order", symbol="BTCUSDT", side="BUY", type=kind, **params)

    def filled(self, order_id: int) -> bool:
        _, found = self.ask("GET", "order", symbol="BTCUSDT", orderId=order_id)
        return bool(found["status"] == "FILLED")


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    made = Street(tmp_path)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def test_what_ingest_says_is_the_market_that_orders_meet(street: Street) -> None:
    street.say(instrument(), trade(1, 100_00), quote(), feed("OK"))
    street.until(street.ready)
    status, taken = street.order("MARKET", quantity="1")
    assert (status, taken["status"], taken["fills"][0]["price"]) == (200, "FILLED", "101.00000000")
    _, resting = street.order("LIMIT", quantity="1", price="98", timeInForce="GTC")
    street.clock.pause_ms(5)
    street.say(trade(2, 97_00))
    street.until(lambda: street.filled(resting["orderId"]))


def test_the_rules_of_the_exchange_hold_here(street: Street) -> None:
    street.say(instrument(max_orders=1), trade(1, 100_00), quote(), feed("OK"))
    street.until(street.ready)
    rest = {"timeInForce": "GTC", "quantity": "1"}
    assert street.order("LIMIT", price="98.005", **rest)[1]["msg"] == "Filter failure: PRICE_FILTER"
    assert street.order("LIMIT", price="98", **rest)[0] == 200
    assert street.order("LIMIT", price="98", **rest)[1]["msg"] == "Filter failure: MAX_NUM_ORDERS"


def test_a_silent_bus_closes_the_market_and_says_why(street: Street) -> None:
    street.say(instrument(), trade(1, 100_00), quote(), feed("OK"))
    street.until(street.ready)
    street.until(lambda: not street.ready(), beats=False)
    assert street.state()[0] == "DEGRADED"
    assert "ingest is SILENT" in street.state()[1]
    refused = street.order("MARKET", quantity="1")
    assert refused == (400, {"code": -1013, "msg": "Market is closed."})


def test_before_the_rules_are_known_nobody_is_answered_and_the_reason_is_told(
    street: Street,
) -> None:
    street.say(feed("CONNECTING", "the exchange cannot be reached"))
    street.until(lambda: "cannot be reached" in street.state()[1])
    with pytest.raises(URLError):
        street.order("MARKET", quantity="1")


def test_after_a_restart_the_market_of_the_dead_minutes_is_heard(street: Street) -> None:
    street.say(instrument(), trade(1, 100_00), quote(), feed("OK"))
    street.until(street.ready)
    _, resting = street.order("LIMIT", quantity="1", price="98", timeInForce="GTC")
    street.stop()
    street.clock.pause_ms(5)
    street.say(trade(2, 97_00), trade(3, 99_50), quote(99_40, 99_60))
    street.start()
    street.until(street.ready)
    street.until(lambda: street.filled(resting["orderId"]))
    _, trades = street.ask("GET", "myTrades", symbol="BTCUSDT")
    assert [row["price"] for row in trades] == ["98.00000000"]


def test_what_waits_for_the_feed_survives_a_restart(street: Street) -> None:
    street.say(instrument(), trade(1, 100_00), quote(), feed("OK"))
    street.until(street.ready)
    rest = {"timeInForce": "GTC", "quantity": "1"}
    _, waiting = street.order("LIMIT", price="98", **rest)
    _, other = street.order("LIMIT", price="90", **rest)
    street.clock.pause_ms(5)
    street.say(feed("BACKFILLING", "one"), trade(2, 97_00), feed("BACKFILLING", "two"))
    street.until(lambda: "BACKFILLING: two" in street.state()[1])
    street.ask("DELETE", "order", symbol="BTCUSDT", orderId=other["orderId"])  # It is written down.
    street.stop()
    street.start()
    street.say(quote(), feed("OK"))
    street.until(street.ready)
    street.until(lambda: street.filled(waiting["orderId"]))


def test_candles_and_tops_are_told_of_what_was_heard(street: Street) -> None:
    street.say(instrument(), trade(1, 100_00), trade(2, 102_00), quote(), feed("OK"))
    street.until(street.ready)
    for path, shown in (("klines?symbol=BTCUSDT&interval=1m", "102.00"), ("depth", "101.00")):
        query = path if "?" in path else f"{path}?symbol=BTCUSDT"
        with urlopen(f"http://127.0.0.1:{street.port}/api/v3/{query}", timeout=5) as answer:
            assert shown in answer.read().decode()


def test_an_order_in_what_is_not_listed_any_more_can_be_cancelled(street: Street) -> None:
    street.say(instrument(), trade(1, 100_00), quote(), feed("OK"))
    street.until(street.ready)
    street.order("MARKET", quantity="1")
    rest = {"timeInForce": "GTC", "quantity": "1"}
    _, buying = street.order("LIMIT", price="98", **rest)
    asked = {"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "price": "120"}
    _, selling = street.ask("POST", "order", **asked, **rest)
    street.stop()
    street.forget()
    street.start()
    street.say(instrument(symbol="ETH/USDT"))
    street.until(lambda: "it matches nothing" in street.state()[1])
    for order_id in (buying["orderId"], selling["orderId"]):
        named = {"symbol": "BTCUSDT", "orderId": order_id}
        assert street.ask("GET", "order", **named)[1]["status"] == "NEW"
        assert street.ask("DELETE", "order", **named)[1]["status"] == "CANCELED"
    assert street.order("MARKET", quantity="1")[1] == {"code": -1013, "msg": "Market is closed."}
    _, trades = street.ask("GET", "myTrades", symbol="BTCUSDT")
    assert [row["qty"] for row in trades] == ["1.00000000"]
    _, account = street.ask("GET", "account")
    locked = {row["asset"]: row["locked"] for row in account["balances"]}
    assert {locked["BTC"], locked["USDT"]} == {"0.00000000"}


def test_a_clock_that_is_set_back_stops_neither_quotes_nor_fills(street: Street) -> None:
    street.say(instrument(), trade(1, 100_00), quote(), feed("OK"))
    street.until(street.ready)
    street.clock.back_ns = 3_600_000 * MS
    street.say(quote(89_00, 91_00))
    street.until(lambda: "91." in street.order("MARKET", quantity="1")[1]["fills"][0]["price"])
    _, resting = street.order("LIMIT", quantity="1", price="88", timeInForce="GTC")
    street.say(trade(2, 87_00))
    street.until(lambda: street.filled(resting["orderId"]))
