"""A world in which one trade was made: its journals as the services write them, and its shard."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bus.clock import ManualClock
from bus.house import House
from bus.journals import DiskJournals
from bus.record import JournalWriter
from bus.service import Heard
from schema import orders, trading
from schema.forecast import Forecast
from schema.head import Message
from schema.identity import client_order_id
from schema.market import Bar, FeedStatus, Trade
from schema.streams import BY_NUMBER, STREAMS, home
from services.writer.build import open_store
from services.writer.core import Writer

NOON_NS = 1_700_000_000_000_000_000 // 60_000_000_000 * 60_000_000_000
MINUTE_NS = 60_000_000_000
SYMBOL = "BTC/USDT"
EXPS: dict[str, Any] = {"px_exp": 2, "qty_exp": 5}


class Day:
    """Says messages in the order given, 100 us of the wall apart, and keeps them in the shard."""

    def __init__(self, house: House, epoch: int = 1) -> None:
        self.house = house
        self._epoch = epoch
        self.clock = ManualClock(NOON_NS)
        self._journals = DiskJournals(house.journal_dir, self.clock)
        self._writers: dict[str, JournalWriter] = {}
        self._said: list[Heard] = []

    def say(self, *messages: Message) -> tuple[int, int]:
        """Append messages of one stream as one record; return where the last one stands."""
        stream = home(type(messages[0]))
        assert stream is not None
        self.clock.advance(100_000)
        writer = self._writers.get(stream.name)
        if writer is None:
            writer = self._journals.writer(stream, self._epoch, "code")
            self._writers[stream.name] = writer
        writer.append(messages)
        first = writer.last - len(messages) + 1
        self._said += [Heard(m, stream.number, first + n) for n, m in enumerate(messages)]
        return stream.number, writer.last

    def keep(self) -> None:
        """Fold everything said so far into the trading shard."""
        self.house.db_dir.mkdir(parents=True, exist_ok=True)
        store, core = open_store("trading", self.house, self.clock), Writer("trading")
        heard = [one for one in self._said if BY_NUMBER[one.stream].name in core.hears]
        kept = [out for one in heard for out in core.hear(one, NOON_NS)]
        store.commit(kept, {one.stream: one.pos for one in heard})  # type: ignore[arg-type]
        store.close()

    def close(self) -> None:
        """End the journals as a clean stop does."""
        for writer in self._writers.values():
            writer.close("done")


def trade(number: int, trace: int) -> Trade:
    return Trade(
        ts_event=NOON_NS - 1, trace=trace, symbol=SYMBOL, trade_id=number, px=6_000_000 + number,
        qty=1_000, buyer_maker=False, **EXPS,
    )  # fmt: skip


def bar(trace: int, **changes: Any) -> Bar:
    values: dict[str, Any] = {
        "ts_event": NOON_NS, "trace": trace, "symbol": SYMBOL, "timeframe": "1m",
        "open_ns": NOON_NS - MINUTE_NS, "open": 1, "high": 9_000_000, "low": 1, "close": 6_000_007,
        "volume": 5, "quote_volume": 7, "trades": 2, "quote_exp": 2, **EXPS,
    }  # fmt: skip
    return Bar(**values | changes)


def forecast(cause: tuple[int, int], trace: int) -> Forecast:
    return Forecast(
        ts_event=NOON_NS, trace=trace, cause=cause, symbol=SYMBOL, timeframe="1m",
        bar_open_ns=NOON_NS - MINUTE_NS, horizon_ns=15 * MINUTE_NS, probability_up=0.61,
        confidence=0.22, model="logistic", source="baseline",
    )  # fmt: skip


def decision(action: str, reason: str, **changes: Any) -> trading.Decision:
    values: dict[str, Any] = {
        "ts_event": NOON_NS, "strategy": "threshold", "symbol": SYMBOL, "action": action,
        "reason": reason, "notes": (("probability", "0.61"),),
    }  # fmt: skip
    return trading.Decision(**values | changes)


def intent(order_id: str, **changes: Any) -> trading.OrderIntent:
    values: dict[str, Any] = {
        "ts_event": NOON_NS, "client_order_id": order_id, "strategy": "threshold",
        "symbol": SYMBOL, "side": "buy", "order_type": "market", "qty": 300, "ref_px": 6_000_007,
        **EXPS,
    }  # fmt: skip
    return trading.OrderIntent(**values | changes)


def verdict(order_id: str, cause: tuple[int, int], **changes: Any) -> trading.Verdict:
    values: dict[str, Any] = {
        "ts_event": NOON_NS, "cause": cause, "client_order_id": order_id, "order_hash": b"\1\2",
        "approved": True, "code": "OK", "detail": "order 180.00 of 20000", "epoch": 1,
        "expires_ns": NOON_NS + MINUTE_NS, "symbol": SYMBOL,
    }  # fmt: skip
    return trading.Verdict(**values | changes)


def fill(order_id: str, trade_id: str, **changes: Any) -> orders.Fill:
    values: dict[str, Any] = {
        "ts_event": NOON_NS, "client_order_id": order_id, "symbol": SYMBOL, "side": "buy",
        "venue_order_id": "v1", "venue_trade_id": trade_id, "px": 6_000_100, "qty": 300,
        "quote_qty": 18_000_300_000, "fee": 18_000_300, "fee_asset": "USDT", "maker": False,
        "px_exp": 2, "qty_exp": 5, "quote_exp": 8, "fee_exp": 8, "cum_qty": 300,
    }  # fmt: skip
    return orders.Fill(**values | changes)


def entry_id(house: House, leg: int = 0) -> str:
    return client_order_id(house.world, "threshold", SYMBOL, "noon", leg)


def bought(day: Day, trace: int = 0x1234_5678_9ABC_DEF0) -> str:
    """Let a forecast lead to a filled order with a stop behind it; return the order's id."""
    order_id, stop_id = entry_id(day.house), entry_id(day.house, 1)
    day.say(*(trade(number, trace - 9 + number) for number in range(10)))
    seen = day.say(bar(trace))
    foreseen = day.say(forecast(seen, trace))
    about: dict[str, Any] = {"trace": trace, "cause": foreseen}
    decided = decision("enter", "it rises", client_order_id=order_id, moment="noon", **about)
    wish = intent(order_id, **about)
    wished = day.say(decided, wish)
    yes = verdict(order_id, wished, trace=trace)
    approved = day.say(yes)
    send(day, wish, yes, approved)
    filled = day.say(fill(order_id, "t77", trace=trace))
    stop = intent(
        stop_id, side="sell", order_type="stop", stop_px=5_900_000, leg="stop", parent=order_id,
        cause=filled,
    )  # fmt: skip
    no = verdict(stop_id, day.say(stop))
    send(day, stop, no, day.say(no))
    return order_id


def send(day: Day, wish: trading.OrderIntent, yes: trading.Verdict, cause: tuple[int, int]) -> None:
    about: dict[str, Any] = {"ts_event": NOON_NS, "client_order_id": wish.client_order_id}
    signed_ms = NOON_NS // 1_000_000
    day.say(
        orders.OrderSubmitted(
            **about, cause=cause, intent=wish, verdict=yes, signed_ms=signed_ms, symbol=SYMBOL
        )
    )
    day.say(orders.OrderAccepted(**about, symbol=SYMBOL, venue_order_id="v1"))


def denied(order_id: str, cause: tuple[int, int] = (0, 0), **changes: Any) -> orders.OrderDenied:
    values: dict[str, Any] = {
        "ts_event": NOON_NS, "cause": cause, "client_order_id": order_id, "symbol": SYMBOL,
        "code": "MAX_ORDER_NOTIONAL", "detail": "25000 of 20000", "by": "risk",
    }  # fmt: skip
    return orders.OrderDenied(**values | changes)


def books(day: Day) -> None:
    """Let the engine tell a position, what the account is worth, and risk that it is calm."""
    position = trading.Position(
        ts_event=NOON_NS, symbol=SYMBOL, qty=300, cost=18_000_300_000, realized=0, fees=18_000_300,
        mark_px=6_000_200, quote_exp=8, **EXPS,
    )  # fmt: skip
    day.say(position, *_portfolio(9_999_990_000_000))
    day.say(trading.RiskState(ts_event=NOON_NS, state="ACTIVE", reason="all within limits"))


def worth(day: Day, equity: int) -> None:
    """Let the engine tell another equity."""
    day.say(*_portfolio(equity))


def _portfolio(equity: int) -> Sequence[Message]:
    money: dict[str, Any] = dict.fromkeys(
        ("gross_exposure", "net_exposure", "realized", "unrealized", "fees", "peak_equity"), 0
    )
    return [
        trading.Portfolio(
            ts_event=NOON_NS, quote="USDT", cash=1, equity=equity, quote_exp=8, **money
        )
    ]


def feed(state: str) -> FeedStatus:
    return FeedStatus(ts_event=NOON_NS, symbol=SYMBOL, state=state, reason="no trade for 30 s")


def files_of(house: House, name: str) -> list[Path]:
    stream = STREAMS[name]
    return sorted((house.journal_dir / stream.owner / stream.channel).glob("*.seg"))
