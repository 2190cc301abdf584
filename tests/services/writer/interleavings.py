"""Streams as they could have been said, and shards that hear them in any order between streams."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import strategies as st

from bus.clock import ManualClock
from bus.lease import Lease
from bus.migrations import KINDS
from bus.reading import attach, open_reader
from bus.rows import shard_files
from bus.service import Heard
from bus.shard import open_writer
from schema import forecast, market, orders, trading
from schema.frame import position
from schema.head import Message
from schema.streams import STREAMS, home
from schema.units import DAY_NS, MINUTE_NS
from services.writer.content import Content, contents
from services.writer.core import Writer
from services.writer.effects import Keep
from services.writer.file_store import FileStore
from services.writer.folds import fold_of
from services.writer.market_store import MarketStore
from services.writer.months import Months
from services.writer.store import ShardStore
from tests.services.shipped import shipped

NS = 1_767_225_600_000_000_000
MONTHS_NS = (NS, NS + 31 * DAY_NS, NS + 59 * DAY_NS)
IDS = tuple(f"{number:032x}" for number in (1, 2))
BAR, FORECAST = (STREAMS[name].number for name in ("ingest.bar", "predictor.forecast"))
LIMITS = shipped().writer
Streams = list[list[Heard]]


def of_order(kind: type[Message], draw: Any) -> Message:
    """Return one word on an order, which may contradict the others."""
    order_id = draw(st.sampled_from(IDS))
    about: dict[str, Any] = {
        "ts_event": NS + draw(st.integers(0, 5)) * 1_000_000,
        "trace": draw(st.integers(0, 3)),
        "client_order_id": order_id,
        "symbol": draw(st.sampled_from(("BTC/USDT", "ETH/USDT"))),
    }
    wish = trading.OrderIntent(
        **about, strategy=draw(st.sampled_from("ab")), side=draw(st.sampled_from(("buy", "sell"))),
        order_type="limit", qty=draw(st.sampled_from((0, 100, 200))), limit_px=5,
        px_exp=2, qty_exp=draw(st.sampled_from((3, 5))),
        cause=(draw(st.sampled_from((BAR, FORECAST, 0))), position(1, draw(st.integers(0, 4)))),
    )  # fmt: skip
    verdict = trading.Verdict(
        **about | {"symbol": ""}, order_hash=b"h", approved=True, code="OK", detail="", epoch=1,
        expires_ns=NS,
    )  # fmt: skip
    match kind:
        case trading.OrderIntent:
            return wish
        case trading.Verdict:
            return verdict
        case orders.OrderSubmitted:
            return orders.OrderSubmitted(**about, intent=wish, verdict=verdict, signed_ms=1)
        case orders.Fill:
            return orders.Fill(
                **about, side="buy", venue_order_id="v",
                venue_trade_id=str(draw(st.integers(0, 9))), px=7,
                qty=draw(st.sampled_from((50, 100))), quote_qty=9, fee=1, fee_asset="BNB",
                maker=False, px_exp=2, qty_exp=draw(st.sampled_from((3, 4))), quote_exp=8,
                fee_exp=draw(st.sampled_from((8, 10))),
            )  # fmt: skip
    return kind(**about, **MORE.get(kind, {}))


MORE: dict[type[Message], dict[str, Any]] = {
    trading.CancelIntent: {"strategy": "a"},
    orders.OrderAccepted: {"venue_order_id": "v"},
    orders.OrderRejected: {"code": "c", "detail": ""},
    orders.OrderUnconfirmed: {"reason": ""},
    orders.OrderPendingCancel: {"reason": ""},
    orders.OrderCanceled: {},
}


def other(kind: type[Message], draw: Any) -> Message:
    """Return a word on something else than an order."""
    step = draw(st.integers(0, 4))
    about: dict[str, Any] = {"ts_event": NS + step * MINUTE_NS, "trace": step}
    name: dict[str, Any] = {"limit_name": "loss", "scope": "*", "by": "ann", "reason": str(step)}
    match kind:
        case trading.LimitChanged:
            return trading.LimitChanged(**about, **name, before="1", after=str(step))
        case trading.LimitReleased:
            return trading.LimitReleased(**about, **name)
        case orders.KillLevel:
            return orders.KillLevel(**about, level="HALTED", by="ann", reason=str(step))
        case trading.StrategyPaused:
            return trading.StrategyPaused(**about, strategy="a", by="bob", reason=str(step))
        case trading.Position:
            numbers: dict[str, Any] = dict.fromkeys(("cost", "realized", "fees", "mark_px"), step)
            exps: dict[str, Any] = {"px_exp": 2, "qty_exp": 5, "quote_exp": 8}
            return trading.Position(**about, symbol="BTC/USDT", qty=step, **numbers, **exps)
        case trading.Portfolio:
            names = ("cash", "equity", "gross_exposure", "net_exposure", "realized", "unrealized")
            numbers = dict.fromkeys((*names, "fees", "peak_equity"), step)
            return trading.Portfolio(**about, quote="USDT", **numbers, quote_exp=8)
        case orders.Deposit:
            return orders.Deposit(**about, asset="USDT", amount=step, exp=8, venue_id=str(step % 2))
        case forecast.Forecast:
            return forecast.Forecast(
                **about, cause=(BAR, position(1, step)), symbol="BTC/USDT", timeframe="1m",
                bar_open_ns=NS, horizon_ns=MINUTE_NS, probability_up=0.5, confidence=step / 4,
            )  # fmt: skip
    return of_market(kind, draw)


def of_market(kind: type[Message], draw: Any) -> Message:
    """Return a bar, a trade or a gap in one of three months; some cannot be kept."""
    step = draw(st.integers(0, 4))
    symbol = draw(st.sampled_from(("BTC/USDT", "ETH/USDT")))
    at_ns = draw(st.sampled_from(MONTHS_NS)) + step * MINUTE_NS
    exps: dict[str, Any] = {"px_exp": draw(st.sampled_from((2, 2, 2, 3))), "qty_exp": 5}
    match kind:
        case market.Bar:
            off = draw(st.sampled_from((0, 0, 0, 1)))
            prices = dict.fromkeys(("open", "high", "low", "close"), 101 + step)
            sums = {"volume": draw(st.integers(0, 2)), "quote_volume": 1, "trades": 1}
            sums["revision"] = draw(st.sampled_from((0, 0, 0, 1, 2)))
            return market.Bar(
                ts_event=at_ns + MINUTE_NS, symbol=symbol, timeframe="1m", open_ns=at_ns + off,
                **prices, **sums, **exps, quote_exp=7,
            )  # fmt: skip
        case market.Trade:
            numbers = {"px": 100 + step, "qty": 1 + step, "trade_id": draw(st.integers(1, 9))}
            return market.Trade(ts_event=at_ns, symbol=symbol, **numbers, buyer_maker=False, **exps)
    return market.FeedGap(
        ts_event=at_ns, symbol=symbol, first_trade_id=step, last_trade_id=9, filled=bool(step % 2)
    )


OF_ORDERS: tuple[type[Message], ...] = (
    trading.OrderIntent, trading.CancelIntent, trading.Verdict, orders.OrderSubmitted, orders.Fill,
    orders.OrderAccepted, orders.OrderRejected, orders.OrderUnconfirmed, orders.OrderPendingCancel,
    orders.OrderCanceled,
)  # fmt: skip
OTHERS: tuple[type[Message], ...] = (
    trading.LimitChanged, trading.LimitReleased, orders.KillLevel, trading.StrategyPaused,
    trading.Position, trading.Portfolio, orders.Deposit,
)  # fmt: skip
KINDS_HEARD: dict[str, tuple[type[Message], ...]] = {
    "trading": (*OF_ORDERS, *OF_ORDERS, *OTHERS),
    "analytics": (*OF_ORDERS, *OF_ORDERS, trading.Portfolio, forecast.Forecast, market.Bar),
    "market": (market.Bar, market.Trade, market.FeedGap),
}


@st.composite
def streams(draw: st.DrawFn, shard: str) -> Streams:
    """Draw what was said on the streams of a shard, each in its order."""
    found: dict[int, list[Heard]] = {}
    for kind in draw(st.lists(st.sampled_from(KINDS_HEARD[shard]), min_size=1, max_size=25)):
        message = of_order(kind, draw) if kind in OF_ORDERS else other(kind, draw)
        stream = home(kind)
        assert stream is not None
        heard = found.setdefault(stream.number, [])
        pause_ns = draw(st.sampled_from((1_000, MINUTE_NS, DAY_NS)))
        said_ns = (heard[-1].ts_ns if heard else NS) + pause_ns
        heard.append(Heard(message, stream.number, position(1, len(heard)), said_ns, 0))
    return list(found.values())


def in_time(said: Streams) -> list[Heard]:
    """Return all that was said, one stream's after the other's by the time of their frames."""
    every = [one for stream in said for one in stream]
    return sorted(every, key=lambda one: (one.ts_ns, one.stream, one.pos))


@st.composite
def batches(draw: st.DrawFn, said: Streams) -> list[list[Heard]]:
    """Draw an interleaving of streams, cut into batches."""
    waiting = [list(stream) for stream in said]
    cut: list[list[Heard]] = []
    while any(waiting):
        batch: list[Heard] = []
        for _ in range(draw(st.integers(1, 5))):
            left = [stream for stream in waiting if stream]
            if left:
                batch.append(draw(st.sampled_from(left)).pop(0))
        cut.append(batch)
    return cut


def opened(shard: str, directory: Path) -> ShardStore:
    """Open a shard's store in a directory, where nothing need outlive a power cut."""
    lease = Lease(directory / f"shard_{shard}.lease")
    assert lease.take()
    clock = ManualClock()
    if shard == "market":
        return unsynced(MarketStore(Months(directory, "w"), lease, clock, LIMITS))
    kind = msgspec.structs.replace(KINDS[shard], synchronous=1)
    file = open_writer(kind, directory / f"{shard}.db", "w")
    return unsynced(FileStore(file, fold_of(shard), lease, clock, LIMITS))


def unsynced(store: ShardStore) -> ShardStore:
    """Let a store wait for no disk."""
    for file in store.shards():
        file.db.pragma("synchronous", 0)
    return store


def hear(store: ShardStore, shard: str, batch: Sequence[Heard]) -> None:
    """Let a store commit what a batch comes to."""
    core = Writer(shard)
    now_ns = NS + 90 * DAY_NS
    outs = [out for one in batch for out in core.hear(one, now_ns)]
    cursors = {**store.cursors(), **{one.stream: one.pos for one in batch}}
    store.commit([out for out in outs if isinstance(out, Keep)], cursors)


def folded(
    shard: str, directory: Path, cut: Sequence[Sequence[Heard]], reopened: frozenset[int]
) -> dict[str, Content]:
    """Return what a shard holds after its batches, its writer begun anew before some of them."""
    store = opened(shard, directory)
    given: list[Heard] = []
    for index, batch in enumerate(cut):
        again: list[Heard] = []
        if index in reopened:  # What was not committed, it hears again.
            store.close()
            store = opened(shard, directory)
            kept = store.cursors()
            again = [one for one in given if one.pos > kept.get(one.stream, 0)]
        hear(store, shard, [*again, *batch])
        given += batch
    store.close()
    return held(shard, directory)


def held(shard: str, directory: Path) -> dict[str, Content]:
    """Return what all files of a shard hold; the dead letters of months belong together."""
    found: dict[str, Content] = {}
    buried: list[str] = []
    for path in shard_files(directory, KINDS[shard]):
        db = open_reader()
        assert attach(db, KINDS[shard], path, "file")
        for name, content in contents(db, KINDS[shard], "file").items():
            if name != "dead_letter":
                found[f"{path.stem} {name}"] = content
        rows: list[Any] = db.execute("SELECT type, reason, body FROM dead_letter").fetchall()
        buried += [repr(row) for row in rows]
        db.close()
    return {**found, "dead letters": Content(len(buried), "\n".join(sorted(buried)))}
