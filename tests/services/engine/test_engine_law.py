"""Laws of steering: whatever the gateway says in whatever order, and however time passes."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.head import Message
from schema.lifecycle import TERMINAL, Place
from schema.orders import (
    OrderAccepted,
    OrderCanceled,
    OrderCancelRejected,
    OrderDenied,
    OrderExpired,
    OrderPendingCancel,
    OrderRejected,
    OrderTriggered,
    OrderUnconfirmed,
)
from schema.trading import CancelIntent, OrderIntent
from services.engine.acting import scene_of
from services.engine.resting import needs_nothing
from services.engine.state import Order
from services.engine.steer import LAPSE_TTLS, steer
from tests.services.engine.engine_desk import Desk, restarted
from tests.services.engine.engine_made import (
    PX,
    SECOND_NS,
    SYMBOL,
    TTL_NS,
    engine,
    instrument,
    quote,
    submitted,
    told,
)

QUIET = (
    OrderAccepted,
    OrderDenied,
    OrderRejected,
    OrderUnconfirmed,
    OrderTriggered,
    OrderPendingCancel,
    OrderCancelRejected,
    OrderCanceled,
    OrderExpired,
)

LONGS = ("0.02", "0.05", "0.08")
WISHES = st.builds(
    "qty {}{} {} {} {}".format,
    st.sampled_from(["", "", "-"]),
    st.sampled_from(LONGS),
    st.sampled_from(["", "stop", "stop", "tight"]),
    st.sampled_from(["", "", "limit"]),
    st.sampled_from(["", "", "take", "expires"]),
)
SAYINGS = st.one_of(st.just("flat"), st.just("keep"), WISHES, WISHES, WISHES)

doings = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "event",
                "fill",
                "serve",
                "serve",
                "serve",
                "submit",
                "wish",
                "wish",
                "wish",
                "time",
                "restart",
                "pause",
                "resume",
                "reload",
                "px",
            ]
        ),
        st.sampled_from([0, 0, 0, 1, 2]),  # which order, counted from the newest
        st.sampled_from(QUIET),
        st.integers(1, 4),  # quarters of what is filled
        SAYINGS,
    ),
    min_size=15,
    max_size=40,
)

Doing = tuple[str, int, Any, int, str]
PXS = (PX, PX - 40_000, PX + 40_000, PX - 150_000, PX + 150_000)


def spelt(wish: str, desk: Desk, px: int) -> str:
    """Return a wish with its prices, each on its side of the market."""
    sign = -1 if "-" in wish else 1
    ends = {
        "stop": f"stop={(px - sign * 100_000) / 100}",
        "tight": f"stop={(px - sign * 50_000) / 100}",
        "limit": f"limit={(px - sign * 20_000) / 100}",
        "take": f"take={(px + sign * 60_000) / 100}",
        "expires": f"expires={desk.now_ns + 200 * SECOND_NS}",
    }
    return " ".join(ends.get(word, word) for word in wish.split())


def live(desk: Desk, *legs: str) -> list[Order]:
    """Return the orders that may fill; one that was never answered lapses in the end."""
    books: Any = desk.core.state.books
    return [
        order
        for order in books.orders.values()
        if order.intent.leg in legs
        and order.place.state not in TERMINAL
        and not lapsed(desk, order)
    ]


REDUCING = ("stop", "target", "exit")


def at_once(orders: list[Order]) -> int:
    """Return how much of a position orders may close at once; a pair counts as the larger."""
    named = {order.intent.client_order_id: order for order in orders}
    whole = 0
    for order in orders:
        other = named.get(order.intent.oco)
        if other is None or (order.left, order.intent.leg) >= (other.left, other.intent.leg):
            whole += order.left
    return whole


def lapsed(desk: Desk, order: Order) -> bool:
    late_ns = desk.now_ns - order.intent.valid_until_ns
    return order.place == Place() and late_ns >= LAPSE_TTLS * TTL_NS


def position(desk: Desk) -> int:
    """Return what is held, in whole lots, below 0 for a short."""
    lots = desk.held() * 10**5
    return int(lots)


class Walk:
    """A desk that a list of doings plays, and the laws that hold behind each of them."""

    def __init__(self, *, short: bool, oco: bool = False) -> None:
        self.short, self.px = short, PX
        self.desk = Desk(engine(made=(told(short=short),))).open()
        self.desk.hear(instrument(oco=oco))

    def do(self, doing: Doing) -> None:
        what, back, kind, quarters, wish = doing
        desk = self.desk
        match what:
            case "wish":
                desk.wants(spelt(wish, desk, self.px), self.px)
            case "time":
                desk.pass_time(quarters * 10 * SECOND_NS, self.px)
            case "restart":
                desk.core = restarted(desk.core, engine(made=()))
            case "pause" | "resume":
                desk.command(what, "told", "why")
            case "reload":
                offer = told(short=self.short, budget=9_999.0 + quarters)
                desk.command("offer", msgspec.json.encode(offer).decode(), "why")
            case "px":
                self.px = PXS[back + quarters - 2]
                desk.hear(quote(desk.now_ns, self.px))
            case _ if back < len(desk.orders()):
                self.tell(desk.orders()[-1 - back], what, kind, quarters)

    def tell(self, intent: OrderIntent, what: str, kind: Any, quarters: int) -> None:
        desk = self.desk
        if what == "serve":
            desk.accept(intent)
            self.fill(intent, 4)
        elif what == "submit":
            desk.hear(submitted(intent, desk.now_ns))
        elif what == "fill":
            self.fill(intent, quarters)
        else:
            named = {field.name for field in msgspec.structs.fields(kind)}
            venue = {"venue_order_id": "1"} if "venue_order_id" in named else {}
            desk.tell(kind, intent.client_order_id, **venue)

    def fill(self, intent: OrderIntent, quarters: int) -> None:
        order = self.desk.core.state.books.orders.get(intent.client_order_id)
        left = intent.qty - order.filled if order is not None else 0
        if intent.reduce_only:  # More than there is would be refused by every exchange.
            held = position(self.desk) * (1 if intent.side == "sell" else -1)
            left = min(left, held)
        if left > 0:
            fee = intent.qty if intent.side == "buy" and not self.short else 0
            self.desk.fill(intent, max(1, left * quarters // 4), px=self.px, fee=fee)

    def check(self, said: list[Message]) -> None:
        desk = self.desk
        for message in said:
            if not isinstance(message, OrderIntent):
                continue
            if message.leg == "entry":
                assert len(live(desk, "entry")) == 1
                assert self.short or message.side == "buy"
                assert "told" not in desk.core.state.books.latches
            else:
                held = position(desk)
                assert message.qty <= abs(held)
                assert (message.side == "sell") == (held > 0)
                assert at_once(live(desk, *REDUCING)) <= abs(held)
                assert len(live(desk, *REDUCING)) == (2 if message.oco else 1)
        ids = [order.client_order_id for order in desk.orders()]
        assert len(ids) == len(set(ids))
        assert desk.held("told") == desk.held()
        turn = desk.core._pass(desk.now_ns)
        listed = turn.windows.instruments[SYMBOL]
        if needs_nothing(turn, desk.slot(), listed):
            assert steer(scene_of(turn, desk.slot(), listed)) == []


@settings(max_examples=80, deadline=None)
@given(doings, st.booleans(), st.booleans())
def test_no_entry_is_said_beside_another_and_no_exit_exceeds_the_position(
    found: list[Doing], short: object, oco: object
) -> None:
    walk = Walk(short=bool(short), oco=bool(oco))
    for doing in found:
        before = len(walk.desk.said)
        walk.do(doing)
        walk.check(walk.desk.said[before:])
    cancels = [m.client_order_id for m in walk.desk.said if isinstance(m, CancelIntent)]
    assert set(cancels) <= {order.client_order_id for order in walk.desk.orders()}


def served(desk: Desk) -> None:
    """Answer all that is open, and what that leads to, as an exchange does at once."""
    for _ in range(8):
        said = desk.pass_time(5 * TTL_NS + SECOND_NS, PX)
        for order in live(desk, "entry", *REDUCING):
            if order.place.terminal:  # By what was just told of the other one.
                continue
            if order.cancel_asked:
                said += desk.cancel(order.intent.client_order_id)
            elif order.place == Place():
                said += desk.take([order.intent])
        desk.take(said)


@settings(max_examples=40, deadline=None)
@given(doings, st.booleans())
def test_in_the_end_it_holds_what_is_wanted_behind_one_stop(
    found: list[Doing], oco: object
) -> None:
    walk = Walk(short=True, oco=bool(oco))
    for doing in found:
        walk.do(doing)
    desk = walk.desk
    for order in live(desk, "entry", *REDUCING):
        desk.tell(OrderCanceled, order.intent.client_order_id)
    walk.px = PX
    desk.command("resume", "told", "why")
    desk.wants("flat", PX)
    served(desk)
    assert position(desk) == 0
    desk.wants("qty 0.05 stop=59000", PX)
    served(desk)
    assert position(desk) == 5_000
    (stop,) = live(desk, "entry", *REDUCING)
    assert (stop.intent.leg, stop.left, stop.intent.stop_px) == ("stop", 5_000, 5_900_000)
    desk.wants("qty 0.05 stop=59000 take=62000", PX)
    served(desk)
    legs = {order.intent.client_order_id: order for order in live(desk, "entry", *REDUCING)}
    assert [(order.intent.leg, order.left) for order in legs.values()][: 1 + bool(oco)] == [
        ("stop", 5_000), ("target", 5_000),
    ][: len(legs)]  # fmt: skip
    assert len(legs) == 1 + bool(oco)
    assert not oco or all(order.intent.oco in legs for order in legs.values())
