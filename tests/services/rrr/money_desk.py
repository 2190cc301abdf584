"""Days of trading in a bare house: deposits, fills and bars of many hours, kept in its shards."""

import json
from typing import Any

from click.testing import CliRunner, Result

from bus.house import House
from schema.identity import client_order_id
from schema.market import Bar
from schema.orders import Deposit, Fill
from services.rrr import rrr
from tests.services.rrr.store_desk import keep
from tests.services.rrr.tape_desk import OTHERS
from tests.services.rrr.trade_day import MINUTE_NS, NOON_NS, Day

HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS
BEGIN_NS = NOON_NS // DAY_NS * DAY_NS
"""Midnight of 2023-11-14, UTC."""


class Desk:
    """Books money and fills, hours after midnight, in the order that they are told."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.day = Day(house)
        self._count = 0

    def put_in(
        self, hour: float, asset: str, amount: int, kind: str = "transfer", symbol: str = ""
    ) -> None:
        """Let money come, or go, with 8 decimals."""
        self._count += 1
        self.day.say(
            Deposit(
                ts_event=_ns(hour), asset=asset, amount=amount, exp=8,
                venue_id=f"m{self._count}", kind=kind, symbol=symbol,
            )
        )  # fmt: skip

    def order_id(self, strategy: str = "threshold", name: str = "", symbol: str = "") -> str:
        """Return the id of an order of a strategy."""
        return client_order_id(self.house.world, strategy, symbol or "BTC/USDT", name, 0)

    def fill(self, hour: float, side: str, qty: int, px: int, **changes: Any) -> Fill:
        """Let an order trade: 5 decimals of quantity, 2 of price; return the fill."""
        self._count += 1
        strategy = changes.pop("strategy", "threshold")
        values: dict[str, Any] = {
            "ts_event": _ns(hour), "client_order_id": self.order_id(strategy, str(self._count)),
            "symbol": "BTC/USDT", "side": side, "venue_order_id": "v",
            "venue_trade_id": str(self._count), "px": px, "qty": qty, "quote_qty": px * qty * 10,
            "fee": 0, "fee_asset": "USDT", "maker": False, "px_exp": 2, "qty_exp": 5,
            "quote_exp": 8, "fee_exp": 8,
        }  # fmt: skip
        said = Fill(**values | changes)
        self.day.say(said)
        return said

    def bars(self, hour: float, closes: list[int], symbol: str = "BTC/USDT") -> list[Bar]:
        """Let minutes close one after the other; return them."""
        found = []
        for number, px in enumerate(closes):
            open_ns = _ns(hour) + number * MINUTE_NS
            found.append(
                Bar(
                    ts_event=open_ns + MINUTE_NS, symbol=symbol, timeframe="1m", open_ns=open_ns,
                    open=px, high=px + 3, low=px - 2, close=px, volume=1000 + number % 7,
                    quote_volume=7, trades=2, px_exp=2, qty_exp=5, quote_exp=8,
                )
            )  # fmt: skip
        self.day.say(*found)
        return found

    def keep(self, *others: str) -> None:
        """Fold all of it into the trading shard, and into others."""
        self.day.keep()
        self.day.close()
        for shard in others:
            keep(self.house, shard)


def run(*args: str) -> Result:
    """Run the command line in this process."""
    return CliRunner(env=dict.fromkeys(OTHERS)).invoke(rrr, args)


def exit_code(done: Result) -> int:
    """Return what the process would end with."""
    return int(getattr(done.exception, "exit_code", done.exit_code))


def told(*args: str, code: int = 0) -> Any:
    """Return what a verb tells as JSON, and ends with."""
    done = run(*args, "--json")
    assert exit_code(done) == code, done.output + repr(done.exception)
    return json.loads(done.output.splitlines()[0])


def _ns(hour: float) -> int:
    return BEGIN_NS + int(hour * HOUR_NS)
