"""A house in which nothing runs, with journals in it, and `rrr bus` run there."""

import json
import os
from typing import Any

from click.testing import CliRunner, Result

from bus.clock import Clock, ManualClock
from bus.house import House
from bus.journal import open_writer
from bus.record import JournalWriter
from schema.market import Bar, Trade
from schema.orders import Fill, KillLevel
from schema.streams import STREAMS
from services.rrr import rrr

OTHERS = [name for name in os.environ if name.startswith(("RRR_", "MODE"))]
NOON_NS = 1_700_000_000_000_000_000
MINUTE_NS = 60_000_000_000


def writer_of(house: House, name: str, clock: Clock, epoch: int = 3) -> JournalWriter:
    """Open a stream for its one writer."""
    stream = STREAMS[name]
    directory = house.journal_dir / stream.owner / stream.channel
    return open_writer(directory, stream, epoch, clock, "code")


def bars(house: House, count: int = 5) -> JournalWriter:
    """Write bars, a minute apart, each in a frame of its own."""
    clock = ManualClock(NOON_NS)
    made = writer_of(house, "ingest.bar", clock)
    for number in range(count):
        clock.advance(MINUTE_NS)
        made.append([bar(number, symbol=("BTC/USDT", "ETH/USDT")[number % 2])])
    return made


def bar(number: int = 0, symbol: str = "BTC/USDT") -> Bar:
    return Bar(
        ts_event=NOON_NS + MINUTE_NS,
        symbol=symbol,
        timeframe="1m",
        open_ns=NOON_NS,
        open=6_000_000 + number,
        high=6_000_100,
        low=5_999_900,
        close=6_000_050,
        volume=123_456,
        quote_volume=7,
        trades=2,
        px_exp=2,
        qty_exp=5,
        quote_exp=2,
    )


def trade(number: int = 0, symbol: str = "BTC/USDT") -> Trade:
    return Trade(
        ts_event=NOON_NS,
        symbol=symbol,
        trade_id=number,
        px=6_000_000 + number,
        qty=100_000,
        buyer_maker=False,
        px_exp=2,
        qty_exp=5,
    )


def fill(fee: int = 12, order_id: str = "ab" * 16) -> Fill:
    return Fill(
        ts_event=NOON_NS,
        client_order_id=order_id,
        symbol="BTC/USDT",
        side="buy",
        venue_order_id="1",
        venue_trade_id="2",
        px=6_000_000,
        qty=100_000,
        quote_qty=6_000_000,
        fee=fee,
        fee_asset="BNB",
        maker=False,
        px_exp=2,
        qty_exp=5,
        quote_exp=2,
        fee_exp=3,
    )


def kill(reason: str = "drill") -> KillLevel:
    return KillLevel(ts_event=NOON_NS, level="HALTED", by="me", reason=reason)


def bus(*args: str) -> Result:
    """Run `rrr bus`."""
    return CliRunner(env=dict.fromkeys(OTHERS)).invoke(rrr, ("bus", *args))


def done(*args: str) -> str:
    """Return what `rrr bus` shows; it must succeed."""
    result = bus(*args)
    assert result.exit_code == 0, result.output
    return result.output


def rows(*args: str) -> list[dict[str, Any]]:
    """Return the JSON lines that `rrr bus` shows."""
    return [json.loads(line) for line in done(*args, "--json").splitlines()]


def failure(*args: str) -> BaseException:
    """Return the failure that `rrr bus` ends with."""
    result = bus(*args)
    assert result.exception is not None
    return result.exception
