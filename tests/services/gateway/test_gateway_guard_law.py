"""Whatever rests, fills, dies and comes back: the guard never closes more than there is."""

from hypothesis import given, settings
from hypothesis import strategies as st

from schema.exchange import SendOrder
from services.gateway.amounts import scaled
from tests.services.gateway.gateway_account import SYMBOL
from tests.services.gateway.gateway_desk import Desk
from tests.services.gateway.guarded import ALL, STOP_PX, die, engine, entered, guards

DEEDS = st.lists(
    st.tuples(
        st.sampled_from(("enter", "stop", "leave", "fill", "end", "die", "back", "fall", "rise")),
        st.integers(1, 9),
    ),
    max_size=12,
)


def closing(desk: Desk) -> int:
    """Return what rests to sell, in hundred-thousandths."""
    sells = [o for o in desk.books.open.values() if o.intent.side == "sell"]
    return sum(scaled(o.left, o.exp, 5) for o in sells)


def do(desk: Desk, deed: str, n: int) -> None:
    resting = [o for o in desk.books.open.values() if o.intent.side == "sell"]
    match deed:
        case "enter":
            entered(desk, f"0.00{n}00")
        case "stop" | "leave":
            stops = {"order_type": "stop", "stop_px": STOP_PX, "leg": "stop"}
            limit = {"order_type": "limit", "limit_px": 5_500_000}
            fields = stops if deed == "stop" else limit
            desk.approve(desk.intent("sell", n * 100, reduce_only=True, **fields))
            desk.settle(also=(SendOrder,))
        case "fill" if resting:
            left = min(resting[0].left, n * 100)
            desk.fill(resting[0].intent, f"{left / 100_000:.5f}")
        case "end" if resting:
            desk.push(desk.account.end(resting[0].id).report())
        case "die":
            die(desk)
        case "back":
            engine(desk, "READY")
        case "fall":
            desk.account.bid = "48000.00"
        case "rise":
            desk.account.bid = "49990.00"


@settings(max_examples=40, deadline=None)
@given(DEEDS)
def test_never_more_is_on_its_way_out_than_is_held(deeds: list[tuple[str, int]]) -> None:
    desk = Desk().boot()
    for deed, n in deeds:
        do(desk, deed, n)
        desk.live_ms(1_100, also=ALL)
        held = desk.books.positions.get(SYMBOL)
        assert closing(desk) <= (scaled(held.n, held.exp, 5) if held else 0)
    assert all(order.reduce_only for order in guards(desk))
    assert sum(stake.held.n for stake in desk.books.stakes.values()) == sum(
        held.n for held in desk.books.positions.values()
    )
    desk.prove()
