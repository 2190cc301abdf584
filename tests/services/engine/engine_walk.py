"""A walk of doings over a desk, for laws of steering, and what must hold behind each of them."""

from typing import Any

import msgspec
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
from schema.trading import Decision, OrderIntent
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
    st.sampled_from(["", "stop", "stop", "tight", "trail", "trail", "far trail"]),
    st.sampled_from(["", "", "limit", "limit good_till", "ladder"]),
    st.sampled_from(["", "", "take", "takes", "expires"]),
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
STEPS = ((10_000, 0.5), (20_000, 0.25), (30_000, 0.25))
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
        "trail": "trail=500",
        "far": f"stop={(px - sign * 100_000) / 100} trail_from={(px + sign * 30_000) / 100}",
        "good_till": f"good_till={desk.now_ns + 100 * SECOND_NS}",
        "ladder": "ladder="
        + ",".join(f"{(px - sign * step) / 100}@{share}" for step, share in STEPS),
        "takes": f"takes={(px + sign * 40_000) / 100}@0.5,{(px + sign * 80_000) / 100}@0.5",
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
    """Return how much orders may trade at once; of a pair, and of two in one place, the larger."""
    named = {order.intent.client_order_id: order for order in orders}
    heirs = {order.intent.replaces: order for order in orders if order.intent.replaces}
    whole = 0
    for order_id, order in named.items():
        other = named.get(order.intent.oco or order.intent.replaces) or heirs.get(order_id)
        if other is None or _rank(order) > _rank(other):
            whole += order.left
    return whole


def _rank(order: Order) -> tuple[int, str]:
    return order.left, order.intent.client_order_id


def lapsed(desk: Desk, order: Order) -> bool:
    late_ns = desk.now_ns - order.intent.valid_until_ns
    return order.place == Place() and late_ns >= LAPSE_TTLS * TTL_NS


def position(desk: Desk) -> int:
    """Return what is held, in whole lots, below 0 for a short."""
    lots = desk.held() * 10**5
    return int(lots)


class Walk:
    """A desk that a list of doings plays, and the laws that hold behind each of them."""

    def __init__(self, *, short: bool, oco: bool = False, replaces: bool = False) -> None:
        self.short, self.px = short, PX
        self.desk = Desk(engine(made=(told(short=short),))).open()
        self.desk.hear(instrument(oco=oco, cancel_replace=replaces))
        self.checked: set[int] = set()
        self.trailed = 0  # where the stop has trailed to, below 0 for a short's

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
        old = desk.core.state.books.orders.get(intent.replaces)
        if what == "serve" and intent.replaces and (old is None or old.place.terminal):
            desk.deny(intent.client_order_id, "REPLACE_TOO_LATE")
        elif what == "serve":
            self.check((desk.replace if intent.replaces else desk.accept)(intent))
            if intent.leg != "stop" or quarters > 2:
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
            if id(message) in self.checked:
                continue  # What was said since then may have come after it.
            self.checked.add(id(message))
            if isinstance(message, Decision):
                self.trail(message)
            if not isinstance(message, OrderIntent):
                continue
            if message.leg == "entry":
                entries = live(desk, "entry")
                assert at_once(entries) + abs(position(desk)) <= abs(desk.slot().qty)
                assert len(entries) <= max(1, len(desk.slot().rungs)) + bool(message.replaces)
                assert self.short or message.side == "buy"
                assert "told" not in desk.core.state.books.latches
            else:
                held = position(desk)
                assert message.qty <= abs(held)
                assert (message.side == "sell") == (held > 0)
                closing = live(desk, *REDUCING)
                assert at_once(closing) <= abs(held)
                beside = message.oco or message.replaces or message.leg == "exit"
                assert 1 <= len(closing) <= (2 if beside else 1)
        ids = [order.client_order_id for order in desk.orders()]
        assert len(ids) == len(set(ids))
        assert desk.held("told") == desk.held()
        turn = desk.core._pass(desk.now_ns)
        listed = turn.windows.instruments[SYMBOL]
        if needs_nothing(turn, desk.slot(), listed):
            assert steer(scene_of(turn, desk.slot(), listed)) == []

    def trail(self, decision: Decision) -> None:
        """A stop that has followed the market is never loosened."""
        sign = 1 if decision.qty > 0 else -1
        trails = decision.action in {"adjust", "resize"} and decision.water_px > 0
        if trails and self.trailed * sign > 0:
            assert decision.stop_px * sign >= self.trailed
        if decision.action in {"adjust", "resize", "enter", "exit"}:
            self.trailed = decision.stop_px * sign if trails else 0
