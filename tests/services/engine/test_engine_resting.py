"""The law of the slots that need no look: where one is left alone, steering would do nothing."""

from hypothesis import given
from hypothesis import strategies as st

from schema.identity import strategy_tag
from schema.ledger import Holding
from schema.lifecycle import Place
from schema.lifecycle import State as Stands
from schema.strategy import Offer
from schema.trading import OrderIntent
from services.engine.acting import scene_of
from services.engine.line import Pass, Terms
from services.engine.resting import is_calm, is_leaving, needs_nothing
from services.engine.state import Books, Latch, Order, Slot, State, Top, Windows
from services.engine.steer import steer
from tests.services.engine.engine_made import PX, SYMBOL, instrument

NAME = "s"
TTL_NS = 1_000
NOW_NS = 100_000
LOTS = 1_000
OFFER = Offer(NAME, "s.py", "", (), (SYMBOL,), 1000.0)
TERMS = Terms("w", (SYMBOL,), TTL_NS, 10**12, 10**12, 20, 0, 0)

lots = st.sampled_from([-LOTS, 0, LOTS, 2 * LOTS])
px = st.sampled_from([0, 0, PX])
times_ns = st.sampled_from([0, 0, NOW_NS - 1, NOW_NS + 1])


@st.composite
def orders(draw: st.DrawFn, number: int) -> Order:
    leg = draw(st.sampled_from(["entry", "entry", "exit", "stop", "target"]))
    intent = OrderIntent(
        ts_event=NOW_NS - draw(st.sampled_from([0, 50 * TTL_NS])), client_order_id=f"{number}",
        strategy=NAME, symbol=SYMBOL, side="buy" if leg == "entry" else "sell",
        order_type="market", qty=LOTS, px_exp=2, qty_exp=5, leg=leg, stop_px=draw(px),
        oco=draw(st.sampled_from(["", "0", "1"])) if leg in {"stop", "target"} else "",
        valid_until_ns=NOW_NS - draw(st.sampled_from([0, 50 * TTL_NS])),
    )  # fmt: skip
    state = draw(st.sampled_from(list(Stands)))
    return Order(intent, Place(state, state), draw(st.sampled_from([0, LOTS])), draw(times_ns))


@st.composite
def slots(draw: st.DrawFn) -> Slot:
    return Slot(
        NAME, SYMBOL, "m", qty=draw(lots), grows=draw(st.booleans()), stop_px=draw(px),
        take_px=draw(px), until_ns=draw(times_ns), since_ns=NOW_NS,
        entry=draw(st.sampled_from(["", "0", "1"])), trail_px=draw(st.sampled_from([0, 0, 50_000])),
        good_till_ns=draw(times_ns), taken=draw(st.sampled_from([0, 0, 1])),
        entries=draw(st.sampled_from([(), ("0", "1")])),
        takes=draw(st.sampled_from([(), ((PX, 500_000), (PX + 1, 500_000))])),
    )  # fmt: skip


@st.composite
def books(draw: st.DrawFn) -> Books:
    found, slot = Books(loaded={NAME: OFFER}), draw(slots())
    found.slots[f"{NAME} {SYMBOL}"] = slot
    for number in range(draw(st.integers(0, 3))):
        found.orders[f"{number}"] = draw(orders(number))
    for tag, qty in (("", draw(lots)), (strategy_tag(NAME), draw(lots))):
        if draw(st.booleans()):
            key = f"{SYMBOL} {tag}".strip()
            found.ledger.holdings[key] = Holding(2, 5, 7, qty=qty, cost=qty)
    if draw(st.booleans()):
        found.latches[NAME] = Latch("strategy paused", 0, "a person", "to look")
    return found


@given(books(), st.integers(PX // 2, 2 * PX), st.integers(0, 100 * TTL_NS))
def test_a_slot_that_needs_nothing_would_not_be_steered(
    found: Books, bid_px: int, later_ns: int
) -> None:
    known = instrument()
    windows = Windows(instruments={SYMBOL: known}, tops={SYMBOL: Top(bid_px, bid_px + 1, 2, 0)})
    turn = Pass(State(found, windows), TERMS, NOW_NS + later_ns)
    slot = turn.slot(NAME, SYMBOL)
    rests = needs_nothing(turn, slot, known)
    assert is_calm(turn, SYMBOL) == rests
    if rests:
        assert steer(scene_of(turn, slot, known)) == []


@given(books(), st.integers(PX // 2, 2 * PX), st.integers(0, 100 * TTL_NS))
def test_while_an_exit_is_on_its_way_nothing_would_be_done_in_its_slot(
    found: Books, bid_px: int, later_ns: int
) -> None:
    known = instrument()
    windows = Windows(instruments={SYMBOL: known}, tops={SYMBOL: Top(bid_px, bid_px + 1, 2, 0)})
    turn = Pass(State(found, windows), TERMS, NOW_NS + later_ns)
    moves = steer(scene_of(turn, turn.slot(NAME, SYMBOL), known))
    if any(is_leaving(order) for order in found.orders.values()):
        assert {move.kind for move in moves} <= {"wait"}
