"""What a desk is made of: an engine, strategies that a test writes, and messages of the others."""

from collections.abc import Callable
from textwrap import dedent
from typing import Any, NamedTuple

import msgspec

from schema.approval import order_hash
from schema.forecast import Forecast
from schema.market import Bar, Instrument, Quote
from schema.orders import Deposit, OrderSubmitted
from schema.settings import Settings
from schema.strategy import Offer
from schema.trading import OrderIntent, Verdict
from services.engine.boundary import Bare, Guard
from services.engine.bundle import digest_of
from services.engine.core import Engine
from services.engine.sources import offer_of
from tests.services.shipped import ROOT, shipped

SYMBOL = "BTC/USDT"
START_NS = 1_750_000_020_000_000_000 // 60_000_000_000 * 60_000_000_000
MINUTE_NS = 60_000_000_000
SECOND_NS = 1_000_000_000
TTL_NS = 30 * SECOND_NS
"""What an order lives, at the scale of the desk."""

PX = 6_000_000
WORLD = "local-test"


TOLD = '''
class Told(Strategy):
    """Does what it is told: `NAME:KIND SIZE stop=... limit=...`, for each name behind a bar."""

    class Params(Params):
        me: str = ""

    class State(State):
        times: int = 0

    def on_forecast(self, forecast, view):
        told = dict(part.partition(":")[::2] for part in forecast.source.split("|"))
        if self.params.me not in told:
            return None
        self.state.times += 1
        self.note(position=view.position, equity=view.equity, average=view.average)
        kind, size, *rest = (told[self.params.me] + " 0").split()
        values = dict(part.split("=") for part in rest if "=" in part)
        ends = {"why": values.pop("why", "told"), "expires": int(values.pop("expires", 0))}
        ends |= {"tif": values.pop("tif", "GTC"), "post_only": bool(values.pop("post_only", ""))}
        ends["good_till"] = int(values.pop("good_till", 0))
        for name in ("ladder", "takes"):
            steps = [step.split("@") for step in values.pop(name, "").split(",") if step]
            ends[name] = tuple((float(price), float(share)) for price, share in steps)
        if kind in {"flat", "keep"}:
            return Target(kind, why=ends["why"])
        return Target(kind, float(size), **ends, **{n: float(v) for n, v in values.items()})
'''


COUNTS = """
class Counts(Strategy):
    class State(State):
        bars: int = 0

    def on_bar(self, bar, view):
        self.state.bars += 1
        return Target.keep(f"seen {self.state.bars}")
"""

BROKEN = """
import math, sys

class Broken(Strategy):
    class State(State):
        bars: int = 0
        best: float = 0.0

    def on_bar(self, bar, view):
        self.state.bars += 1
        self.note(bars=self.state.bars)
        if self.state.bars == 3:
            {fault}
        return Target.weight(0.5, stop=bar.close * 0.9, why="up")
"""


class Nervous(Bare):
    """Lets one strategy's n-th call fail as a guard does."""

    def __init__(self, error: BaseException, at: int) -> None:
        self.error, self.left = error, at

    def run(self, name: str, call: Callable[[], object]) -> object:
        answer = call()
        if name == "broken" and answer is not None:
            self.left -= 1
            if self.left == 0:
                raise self.error
        return answer


class Made(NamedTuple):
    """An engine, and what its settings offer it."""

    core: Engine
    offers: tuple[Offer, ...]


def settings(*names: str, **environ: str) -> Settings:
    """Return settings in which these shipped strategies trade."""
    modes = {name: "trade" if name in names else "off" for name in shipped().strategy}
    said = {f"RRR_STRATEGY__{name.upper()}__MODE": mode for name, mode in modes.items()}
    return shipped(
        **said,
        RRR_ENGINE__INTENT_TTL_MS="3000",
        RRR_RISK__STALE_DATA_MS="10000",
        RRR_CLOCK__SCALE="10",
        RRR_STRATEGY__THRESHOLD__PARAMS__ENTER="0.54",
        **environ,
    )


def engine(
    *names: str,
    made: tuple[Offer, ...] = (),
    guard: Guard | None = None,
    symbols: tuple[str, ...] = (SYMBOL,),
    **environ: str,
) -> Made:
    """Return an engine with shipped strategies, or with some that a test made."""
    environ["RRR_INGEST__SYMBOLS"] = msgspec.json.encode(symbols).decode()
    chosen = settings(*(names or (() if made else ("threshold",))), **environ)
    offers = tuple(
        offer_of(ROOT, name, own, (SYMBOL,))
        for name, own in chosen.strategy.items()
        if own.mode != "off"
    )
    return Made(Engine(chosen, WORLD, guard or Bare()), offers + made)


def written(name: str, body: str, **changes: Any) -> Offer:
    """Return an offer of a strategy with this source."""
    text = f"from services.engine.strategy import *\n\n{dedent(body)}"
    values: dict[str, Any] = {
        "name": name,
        "file": f"strategies/{name}.py",
        "files": ((f"strategies.{name}", text),),
        "symbols": (SYMBOL,),
        "budget": 10_000.0,
    }
    values |= changes
    return Offer(**{"digest": digest_of(values["files"])} | values)


def told(name: str = "told", **changes: Any) -> Offer:
    """Return an offer of a strategy that wants what a forecast's source tells it to."""
    return written(name, TOLD, params={"me": name}, **changes)


def instrument(**changes: Any) -> Instrument:
    values: dict[str, Any] = {
        "ts_event": START_NS, "symbol": SYMBOL, "venue_symbol": "BTCUSDT", "base": "BTC",
        "quote": "USDT", "px_exp": 2, "qty_exp": 5, "quote_exp": 7, "tick": 1, "lot": 1,
        "min_px": 1, "max_px": 100_000_000, "min_qty": 1, "max_qty": 900_000_000,
        "min_notional": 50_000_000,
    }  # fmt: skip
    return Instrument(**values | changes)


def quote(now_ns: int, px: int = PX, symbol: str = SYMBOL) -> Quote:
    return Quote(
        ts_event=now_ns, symbol=symbol, bid_px=px - 1, bid_qty=100_000, ask_px=px + 1,
        ask_qty=100_000, px_exp=2, qty_exp=5,
    )  # fmt: skip


def bar(open_ns: int, close: int = PX, symbol: str = SYMBOL) -> Bar:
    return Bar(
        ts_event=open_ns + MINUTE_NS, symbol=symbol, timeframe="1m", open_ns=open_ns, open=close,
        high=close, low=close, close=close, volume=1, quote_volume=1, trades=1, px_exp=2,
        qty_exp=5, quote_exp=7,
    )  # fmt: skip


def forecast(now_ns: int, probability: float, trace: int = 77, **changes: Any) -> Forecast:
    open_ns = now_ns // MINUTE_NS * MINUTE_NS - MINUTE_NS
    values: dict[str, Any] = {
        "ts_event": open_ns + MINUTE_NS, "trace": trace, "symbol": SYMBOL, "timeframe": "1m",
        "bar_open_ns": open_ns, "horizon_ns": 15 * MINUTE_NS, "probability_up": probability,
        "confidence": 0.1, "source": "baseline",
    }  # fmt: skip
    return Forecast(**values | changes)


def submitted(intent: OrderIntent, now_ns: int) -> OrderSubmitted:
    verdict = Verdict(
        ts_event=now_ns, client_order_id=intent.client_order_id, order_hash=order_hash(intent),
        approved=True, code="OK", detail="", epoch=1, expires_ns=now_ns,
    )  # fmt: skip
    return OrderSubmitted(
        ts_event=now_ns, trace=intent.trace, client_order_id=intent.client_order_id,
        intent=intent, verdict=verdict, signed_ms=1, symbol=intent.symbol,
    )  # fmt: skip


def money(now_ns: int, amount: int) -> Deposit:
    return Deposit(
        ts_event=now_ns, asset="USDT", amount=amount * 10**7, exp=7, venue_id=f"opening {amount}"
    )
