"""The ground truth of every kind of market: our orders leave no trace in it, and get no more of it
than was shown or traded.
"""

import gzip
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.venue.account import Terms
from services.venue.barfile import HEADER, read_bars
from services.venue.columns import DAY_MS, MINUTE_MS
from services.venue.desk import Desk
from services.venue.live import KINDS, Live, stream_of
from services.venue.market import Market
from services.venue.orders import PRICED, STOPPED, TIMED, Fill, Order, PairTicket, Side, Ticket
from services.venue.orders import Type as Kind
from services.venue.params import Refusal
from services.venue.recording import open_recordings
from services.venue.replay import BarReplay
from services.venue.rest import Now, Rest
from services.venue.synthetic import Synthetic
from tests.services.venue.test_recording import SPOT, T0, depth, recorded_data, snapshot, trade

UNIT = 10**8
ID = "BTCUSDT"
TERMS = Terms(10, 10, {"USDT": 10**7 * UNIT, "BTC": 1_000 * UNIT})
SPAN_MS = 10 * MINUTE_MS


class Place(msgspec.Struct, frozen=True):
    """A market, and the stretch of it in which somebody trades."""

    market: Market
    start_ms: int
    span_ms: int = SPAN_MS


def synthetic() -> Place:
    day = 20_400
    return Place(Synthetic(7, ("BTC/USDT",), day - 1), day * DAY_MS + 15 * 3_600_000)


def bars(*closes: float) -> Place:
    """Return a market of minutes that stay at a price, and jump to the next."""
    start_ms = 20_000 * DAY_MS + 3_600_000
    rows = [
        f"{start_ms + n * MINUTE_MS},{px},{px + 0.5},{px - 0.5},{px + 0.25},50.5"
        for n, px in enumerate(closes)
    ]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "bars.csv"
        path.write_text("\n".join([HEADER, *rows, ""]))
        market = BarReplay(7, {"BTC/USDT": [read_bars(path)]})
    return Place(market, start_ms + MINUTE_MS)


def replayed() -> Place:
    return bars(*[100, 101, 100, 97, 99, 104, 103, 90, 91, 95, 100, 100])


def recorded() -> Place:
    chance, mid, lines, number = random.Random(7), 10_000, list[str](), 1
    for n in range(600):
        at_ms, mid = T0 + n * 100, mid + chance.choice((-3, -1, 0, 0, 1, 3))
        bids = [[f"{(mid - n) / 100:.2f}", str(chance.randrange(0, 4))] for n in range(1, 12)]
        asks = [[f"{(mid + n) / 100:.2f}", str(chance.randrange(0, 4))] for n in range(1, 12)]
        lines.append(depth(at_ms, n * 10 + 1, n * 10 + 10, bids, asks))
        if n == 0:
            lines.append(snapshot(5, bids, asks))
        if chance.random() < 0.7:
            px = f"{(mid + chance.choice((-2, -1, 1, 2))) / 100:.2f}"
            lines.append(trade(number, at_ms + 50, px, f"{chance.randrange(1, 30) / 10}"))
            number += 1
    with TemporaryDirectory() as folder:
        path = Path(folder) / "raw.gz"
        path.write_bytes(gzip.compress("\n".join([*lines, ""]).encode(), 1))
        return Place(open_recordings([path], 7), T0 + 5_000, 50_000)


class Act(msgspec.Struct, frozen=True):
    """One thing that somebody does, and how much of the stretch passes before it."""

    after: int  # thousandths of the stretch
    what: str  # order | pair | cancel
    side: Side
    type: Kind
    near_bps: int
    tenths: int  # of a unit of the base
    whole: bool  # fill or kill, where that can be asked


ACTS = st.lists(
    st.builds(
        Act,
        after=st.integers(0, 150),
        what=st.sampled_from(["order", "order", "order", "pair", "cancel"]),
        side=st.sampled_from(["BUY", "SELL"]),
        type=st.sampled_from(["MARKET", *sorted(PRICED | STOPPED)]),
        near_bps=st.integers(-15, 15),
        tenths=st.integers(1, 300),
        whole=st.booleans(),
    ),
    min_size=1,
    max_size=10,
)


def asked(desk: Desk, act: Act) -> Ticket:
    facts = desk.market.facts[ID]
    last = int(desk.market.tape_until(ID, 1, desk.at_ms + 1).px[-1])
    px = last * (10_000 + act.near_bps) // 10_000 * 10 ** (8 - facts.px_exp)
    return Ticket(
        symbol=ID,
        side=act.side,
        type=act.type,
        tif="FOK" if act.whole and act.type in TIMED else "GTC",
        qty=act.tenths * UNIT // 10,
        px=px if act.type in PRICED else 0,
        stop_px=px if act.type in STOPPED else 0,
    )


def pair_of(desk: Desk, act: Act) -> PairTicket:
    away = 1 + abs(act.near_bps)
    kinds: tuple[Kind, Kind] = ("LIMIT_MAKER", "STOP_LOSS")
    above, below = kinds if act.side == "SELL" else kinds[::-1]
    legs = (
        asked(desk, msgspec.structs.replace(act, type=kind, near_bps=near))
        for kind, near in ((above, away), (below, -away))
    )
    return PairTicket(above=next(legs), below=next(legs))


def traded(place: Place, acts: Sequence[Act]) -> Desk:
    desk = Desk(place.market, TERMS, place.start_ms)
    for act in acts:
        desk.advance(desk.at_ms + act.after * place.span_ms // 1_000)
        try:
            if act.what == "order":
                desk.place(asked(desk, act))
            elif act.what == "pair":
                desk.place_pair(pair_of(desk, act))
            elif waiting := desk.records.all_open():
                desk.cancel(waiting[act.tenths % len(waiting)])
        except Refusal:
            pass
    desk.advance(max(desk.at_ms, place.start_ms + place.span_ms))
    return desk


def public(place: Place, until_ms: int) -> Iterator[object]:
    """Yield all that anybody can see of a market."""
    rest, now = Rest(place.market), Now(until_ms, until_ms, 1)
    for path in ("klines", "depth", "trades", "aggTrades", "ticker/24hr", "ticker/bookTicker"):
        more = {"interval": "1m"} if path == "klines" else {}
        yield rest.answer(f"/api/v3/{path}", {"symbol": ID, **more}, now).body
    for kind in [*sorted(KINDS - {"kline"}), "kline_1m"]:
        stream = stream_of(f"btcusdt@{kind}", place.market.facts)
        assert stream is not None
        yield Live(place.market).events(stream, place.start_ms, until_ms)


def check(desk: Desk) -> None:
    takes: Counter[tuple[int, int, int]] = Counter()
    for fill in desk.records.fills.values():
        if fill.maker:
            assert was_reached(desk, fill)
        else:
            takes[fill.order_id, fill.at_ms, fill.px] += fill.qty
    for (order_id, at_ms, px), qty in takes.items():
        assert qty <= shown(desk, desk.records.orders[order_id], at_ms).get(px, 0)
    shared(desk)


def shown(desk: Desk, order: Order, at_ms: int) -> dict[int, int]:
    book = desk.market.book(ID, at_ms)
    levels = dict(book.asks if order.buys else book.bids)
    if order.type not in PRICED:
        return levels
    way = 1 if order.buys else -1
    return {px: qty for px, qty in levels.items() if way * px <= way * order.px}


def was_reached(desk: Desk, fill: Fill) -> bool:
    """Return whether the tape went through a price, or the queue at it was gone by then."""
    order = desk.records.orders[fill.order_id]
    tape = desk.market.tape(ID, order.working_ms, fill.at_ms + 1)
    if (tape.px < order.px).any() if order.buys else (tape.px > order.px).any():
        return True
    book = desk.market.book(ID, order.working_ms)
    ahead = dict(book.bids if order.buys else book.asks).get(order.px, 0)
    mine = [f for f in desk.records.fills_of(order.id) if f.maker and f.id <= fill.id]
    at_px = int(tape.qty[tape.px == order.px].sum())
    return at_px >= ahead + sum(f.qty for f in mine)


def shared(desk: Desk) -> None:
    """Check that what rested got no more of a moment than was traded in it."""
    got: Counter[tuple[int, bool]] = Counter()
    for fill in desk.records.fills.values():
        got[fill.at_ms, fill.buyer] += fill.qty if fill.maker else 0
    for (at_ms, _), qty in got.items():
        assert qty <= int(desk.market.tape(ID, at_ms, at_ms + 1).qty.sum())


def hold(place: Place, examples: int) -> None:
    """Let many trade in one market, of which nothing may have changed at the end."""
    until_ms = place.start_ms + place.span_ms
    before = list(public(place, until_ms))

    @given(acts=ACTS)
    @settings(max_examples=examples, deadline=None)
    def law(acts: list[Act]) -> None:
        check(traded(place, acts))

    law()
    assert list(public(place, until_ms)) == before


@pytest.mark.parametrize("place", [synthetic, replayed, recorded])
def test_we_get_what_was_shown_or_traded_and_leave_no_trace(place: Callable[[], Place]) -> None:
    hold(place(), 50)


@recorded_data
@pytest.mark.slow
def test_nor_do_we_in_a_night_that_was_recorded() -> None:
    market = open_recordings(SPOT[:1], 7)
    hold(Place(market, market.first_ms + 60_000, 20_000), 20)


def sell(kind: Kind, px: int = 0, stop: int = 0) -> Ticket:
    return Ticket(symbol=ID, side="SELL", type=kind, qty=UNIT, px=px * UNIT, stop_px=stop * UNIT)


def jumped(*tickets: Ticket) -> tuple[Desk, list[Order]]:
    """Return what became of orders when the price fell from a hundred to ninety, and came back."""
    place = bars(100, 100, 90, 90, 100, 100)
    desk = Desk(place.market, TERMS, place.start_ms + 30_000)
    placed = [desk.place(one) for one in tickets]
    desk.advance(place.start_ms + 3 * MINUTE_MS - 1)
    return desk, placed


def test_a_stop_over_which_the_price_jumps_sells_at_what_is_shown_below() -> None:
    desk, (stop,) = jumped(sell("STOP_LOSS", stop=96))
    after = desk.records.orders[stop.id]
    assert after.status == "FILLED"
    assert all(fill.px < 91 * 100 for fill in desk.records.fills_of(stop.id))
    check(desk)


def test_a_stop_with_a_limit_over_which_the_price_jumps_waits_for_it_to_come_back() -> None:
    desk, (stop,) = jumped(sell("STOP_LOSS_LIMIT", px=95, stop=96))
    after = desk.records.orders[stop.id]
    assert (after.status, after.working, after.filled) == ("NEW", True, 0)
    desk.advance(desk.at_ms + 3 * MINUTE_MS)
    assert {(fill.px, fill.maker) for fill in desk.records.fills_of(stop.id)} == {(95 * 100, True)}
    assert desk.records.orders[stop.id].status == "FILLED"
    check(desk)


@pytest.mark.parametrize(("closes", "above", "below"), [
    ([100, 100, 90, 90], "EXPIRED", "FILLED"), ([100, 100, 110, 110], "FILLED", "EXPIRED"),
])  # fmt: skip
def test_a_jump_past_one_order_of_a_pair_ends_the_other(
    closes: list[float], above: str, below: str
) -> None:
    place = bars(*closes)
    desk = Desk(place.market, TERMS, place.start_ms + 30_000)
    pair = desk.place_pair(
        PairTicket(above=sell("LIMIT_MAKER", px=104), below=sell("STOP_LOSS", stop=96))
    )
    desk.advance(place.start_ms + 3 * MINUTE_MS)
    assert [desk.records.orders[leg].status for leg in pair.legs] == [above, below]
    assert desk.records.pairs[pair.id].done
    assert desk.records.account.balances["BTC"].locked == 0
    check(desk)
