"""What ingest says of a market, in plain numbers, and a desk that hears it."""

from collections.abc import Iterable

from schema.head import Message
from schema.market import FeedStatus, Instrument, Quote, Trade
from services.venue.account import Terms
from services.venue.bystander import Bystander
from services.venue.heard import Heard
from services.venue.orders import Order, Side, Ticket, Tif, Type
from services.venue.records import Records
from tests.services.venue.scripted import scaled

UNIT = 10**8
NOW_MS = 1_750_000_000_000
SYMBOL = "BTC/USDT"
TERMS = Terms(10, 20, {"USDT": 100_000 * UNIT, "BTC": 10 * UNIT})


def instrument(symbol: str = SYMBOL, status: str = "TRADING", max_orders: int = 0) -> Instrument:
    base, _, quote = symbol.partition("/")
    return Instrument(
        ts_event=0,
        symbol=symbol,
        venue_symbol=base + quote,
        base=base,
        quote=quote,
        px_exp=2,
        qty_exp=3,
        quote_exp=2,
        tick=1,
        lot=1,
        min_notional=500,
        max_qty=1_000_000,
        average_mins=5,
        status=status,
        max_orders=max_orders,
    )


def quote(bid: int = 99_00, ask: int = 101_00, qty: int = 1_000, symbol: str = SYMBOL) -> Quote:
    return Quote(
        ts_event=0,
        symbol=symbol,
        bid_px=bid,
        bid_qty=qty,
        ask_px=ask,
        ask_qty=qty,
        px_exp=2,
        qty_exp=3,
    )


def trade(trade_id: int, px: int, qty: int = 1_000, symbol: str = SYMBOL) -> Trade:
    return Trade(
        ts_event=0,
        symbol=symbol,
        trade_id=trade_id,
        px=px,
        qty=qty,
        buyer_maker=True,
        px_exp=2,
        qty_exp=3,
    )


def feed(state: str, reason: str = "", symbol: str = SYMBOL) -> FeedStatus:
    return FeedStatus(ts_event=0, symbol=symbol, state=state, reason=reason)


class Floor:
    """A desk beside a market; each call lets a second pass."""

    def __init__(self, records: Records | None = None) -> None:
        self.now_ms = NOW_MS if records is None else records.at_ms
        self.market = Heard(self.now_ms, records.marks if records else None)
        self.desk = Bystander(self.market, TERMS, self.now_ms, records)
        self.market.attend("")

    def opened(self) -> "Floor":
        self.say(instrument(), quote(), feed("OK"), trade(1, 100_00))
        return self

    def say(self, *said: Message, lag_ms: int = 0) -> None:
        self._passed()
        self._match(said, self.now_ms - lag_ms)

    def attend(self, why_not: str) -> None:
        self._passed()
        self.desk.hear(self.market.attend(why_not))

    def place(
        self,
        side: Side,
        kind: Type,
        qty: str = "1",
        px: str = "0",
        stop: str = "0",
        tif: Tif = "GTC",
    ) -> Order:
        self._passed()
        asked = Ticket(
            symbol="BTCUSDT",
            side=side,
            type=kind,
            tif=tif,
            qty=scaled(qty),
            px=scaled(px),
            stop_px=scaled(stop),
        )
        return self.desk.place(asked)

    def now(self, order: Order) -> Order:
        return self.desk.records.orders[order.id]

    def parts(self, order: Order) -> list[tuple[str, str]]:
        fills = self.desk.records.fills_of(order.id)
        return [(plain(fill.px), plain(fill.qty)) for fill in fills]

    def killed(self) -> "Floor":
        """Return what comes back after a kill: all that was drained, and nothing else."""
        records = Records()
        records.apply(self.desk.records.drain())
        return Floor(records)

    def _passed(self) -> None:
        self.now_ms += 1_000
        self.desk.advance(self.now_ms)

    def _match(self, said: Iterable[Message], said_ms: int) -> None:
        self.desk.hear(self.market.take(said, said_ms, self.now_ms))


def plain(number: int) -> str:
    whole, part = divmod(number, UNIT)
    return f"{whole}.{part:08d}".rstrip("0").rstrip(".")
