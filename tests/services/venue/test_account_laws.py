"""Laws of the account under any orders: money is conserved, and neither time's stretches nor a
reopened log make a difference.
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.venue.account import Terms, held
from services.venue.columns import DAY_MS
from services.venue.desk import Desk
from services.venue.market import Market
from services.venue.orders import PRICED, STOPPED, TIMED, PairTicket, Side, Ticket, Tif, Type
from services.venue.params import Refusal
from services.venue.records import Batch, Records
from services.venue.store import account_path, open_log, read
from services.venue.synthetic import Synthetic

DAY = 20_400
START_MS = DAY * DAY_MS + 15 * 3_600_000
UNIT = 10**8
TERMS = Terms(7, 13, {"USDT": 300_000 * UNIT, "BTC": 5 * UNIT, "SOL": 1_555 * UNIT + 12_345_678})
MARKET = Synthetic(7, ("BTC/USDT", "SOL/USDT"), DAY - 1)


class Act(msgspec.Struct, frozen=True):
    """One thing that somebody does, and how much market time passes before it."""

    after_ms: int
    what: str  # order | pair | cancel
    symbol: str
    side: Side
    type: Type
    near_bps: int
    size: int
    tif: Tif


ACTS = st.builds(
    Act,
    after_ms=st.integers(0, 240_000),
    what=st.sampled_from(["order", "order", "order", "pair", "cancel"]),
    symbol=st.sampled_from(["BTCUSDT", "SOLUSDT"]),
    side=st.sampled_from(["BUY", "SELL"]),
    type=st.sampled_from(["MARKET", *sorted(PRICED | STOPPED)]),
    near_bps=st.integers(-12, 12),
    size=st.integers(1, 400),
    tif=st.sampled_from(["GTC", "GTC", "IOC", "FOK"]),
)


def asked(desk: Desk, act: Act) -> Ticket:
    facts = MARKET.facts[act.symbol]
    last = int(MARKET.tape_until(act.symbol, 1, desk.at_ms + 1).px[-1])
    px = last * (10_000 + act.near_bps) // 10_000 * 10 ** (8 - facts.px_exp)
    money = act.type == "MARKET" and act.size % 3 == 0
    lots = act.size * (1 + facts.depth_lots // 250) * 10 ** (8 - facts.qty_exp)
    return Ticket(
        symbol=act.symbol,
        side=act.side,
        type=act.type,
        tif=act.tif if act.type in TIMED else "GTC",
        qty=0 if money else lots,
        quote_qty=act.size * 97 * UNIT if money else 0,
        px=px if act.type in PRICED else 0,
        stop_px=px if act.type in STOPPED else 0,
    )


def pair_of(desk: Desk, act: Act) -> PairTicket:
    base = msgspec.structs.replace(act, tif="GTC", near_bps=1 + abs(act.near_bps))
    over = asked(desk, msgspec.structs.replace(base, type="LIMIT_MAKER"))
    under = asked(
        desk, msgspec.structs.replace(base, type="STOP_LOSS_LIMIT", near_bps=-base.near_bps)
    )
    if act.side == "SELL":
        return PairTicket(above=over, below=under)
    low = msgspec.structs.replace(over, px=under.stop_px)
    high = msgspec.structs.replace(under, px=over.px, stop_px=over.px)
    return PairTicket(above=high, below=low)


def do(desk: Desk, act: Act) -> None:
    try:
        match act.what:
            case "order":
                desk.place(asked(desk, act))
            case "pair":
                desk.place_pair(pair_of(desk, act))
            case _:
                waiting = desk.records.all_open()
                if waiting:
                    desk.cancel(waiting[act.size % len(waiting)])
    except Refusal:
        pass


def check(desk: Desk) -> None:
    records = desk.records
    total: dict[str, int] = dict(TERMS.opening)
    for fill in records.fills.values():
        facts = MARKET.facts[fill.symbol]
        lots = fill.qty * 10 ** (8 - facts.qty_exp)
        way = 1 if fill.buyer else -1
        total[facts.base] = total.get(facts.base, 0) + way * lots
        total[facts.quote] = total.get(facts.quote, 0) - way * fill.money
        total[fill.fee_asset] -= fill.fee
    locked: dict[str, int] = {}
    for order in records.orders.values():
        facts = MARKET.facts[order.symbol]
        locked[order.asset] = locked.get(order.asset, 0) + held(facts, order)
        fills = records.fills_of(order.id)
        assert order.filled == sum(fill.qty for fill in fills) <= order.qty
        assert order.money == sum(fill.money for fill in fills)
        assert (order.status == "FILLED") == (order.filled == order.qty)
    for pair in records.pairs.values():
        locked[pair.asset] = locked.get(pair.asset, 0) + pair.locked
        assert pair.done == (not any(records.orders[leg].open for leg in pair.legs))
    for asset, found in records.account.balances.items():
        assert found.free >= 0 and found.locked == locked.get(asset, 0) >= 0
        assert found.free + found.locked == total[asset]


@given(st.lists(ACTS, min_size=1, max_size=12))
@settings(max_examples=200, deadline=None)
def test_money_is_conserved_and_never_below_zero(acts: list[Act]) -> None:
    desk = Desk(MARKET, TERMS, START_MS)
    for act in acts:
        desk.advance(desk.at_ms + act.after_ms)
        do(desk, act)
        check(desk)
    desk.advance(desk.at_ms + 1_800_000)
    check(desk)


def told(records: Records) -> tuple[object, ...]:
    return (
        records.at_ms,
        records.numbers,
        records.account.balances,
        records.orders,
        records.pairs,
        records.fills,
        {name: waiting for name, waiting in records.open.items() if waiting},
    )


def run(market: Market, acts: Sequence[Act], steps: Sequence[int], path: Path | None) -> Records:
    # With a path the desk is killed after each stretch of time, and comes back from its log.
    desk = Desk(market, TERMS, START_MS)
    if path is not None:
        open_log(path)[0].append(desk.records.drain())
    for place, act in enumerate(acts):
        until_ms = START_MS + sum(one.after_ms for one in acts[: place + 1])
        step = steps[place % len(steps)]
        while desk.at_ms < until_ms:
            desk.advance(min(until_ms, desk.at_ms + step))
            desk = keep(desk, path)
        do(desk, act)
        desk = keep(desk, path)
    desk.advance(START_MS + 3_600_000)
    return keep(desk, path, die=False).records


def keep(desk: Desk, path: Path | None, *, die: bool = True) -> Desk:
    changes = desk.drain()
    if path is None:
        return desk
    log, _ = open_log(path)
    if changes is not None:
        log.append(changes.batch)
    log.close()
    if not die:
        return desk
    log, records = open_log(path)
    log.close()
    again = Desk(desk.market, TERMS, START_MS, records)
    again.advance(desk.at_ms)
    assert told(again.records) == told(desk.records)
    return again


STEPS = st.lists(st.integers(1_000, 300_000), min_size=1, max_size=4)


@given(st.lists(ACTS, min_size=2, max_size=8), STEPS)
@settings(max_examples=400, deadline=None)
def test_how_time_is_parted_makes_no_difference(acts: list[Act], steps: list[int]) -> None:
    once = run(MARKET, acts, [10**9], None)
    assert told(run(MARKET, acts, steps, None)) == told(once)


@given(st.lists(ACTS, min_size=2, max_size=5), st.integers(60_000, 240_000))
@settings(max_examples=40, deadline=None)
def test_a_desk_that_is_killed_all_the_time_is_the_one_that_lived(
    acts: list[Act], step: int
) -> None:
    with TemporaryDirectory() as folder:
        path = account_path(Path(folder))
        assert told(run(MARKET, acts, [step], path)) == told(run(MARKET, acts, [10**9], None))


def test_a_log_that_is_torn_at_any_byte_is_the_log_without_its_last_batch(tmp_path: Path) -> None:
    path = account_path(tmp_path)
    log, _ = open_log(path)
    desk = Desk(MARKET, TERMS, START_MS)
    log.append(desk.records.drain())
    desk.place(asked(desk, Act(0, "order", "BTCUSDT", "BUY", "LIMIT", -5, 40, "GTC")))
    log.append(drained(desk))
    whole, before = path.stat().st_size, path.read_bytes()
    desk.place(asked(desk, Act(0, "order", "SOLUSDT", "SELL", "MARKET", 0, 40, "GTC")))
    log.append(drained(desk))
    log.close()
    data = path.read_bytes()
    expected = told(read(path, before)[0] or Records())
    for length in range(whole, len(data)):
        path.write_bytes(data[:length])
        log, records = open_log(path)
        log.close()
        assert records is not None and told(records) == expected
        assert path.read_bytes() == before
    assert told(read(path, data)[0] or Records()) == told(desk.records)


def drained(desk: Desk) -> Batch:
    changes = desk.drain()
    assert changes is not None
    return changes.batch
