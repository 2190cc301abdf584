"""Laws of orders that follow, replace and climb: whatever is heard late, refused, lost, restarted.

Here the exchange is one, with a gateway that tells in order and as late as it likes: what it holds
is held against what there is, at every step.
"""

from hypothesis import given, settings
from hypothesis import strategies as st

from schema.head import Message
from schema.messages import encode
from schema.streams import home
from schema.trading import CancelIntent, Decision
from tests.services.engine.engine_desk import Desk, restarted
from tests.services.engine.engine_exchange import Floor
from tests.services.engine.engine_made import (
    PX,
    SECOND_NS,
    TTL_NS,
    engine,
    instrument,
    quote,
    told,
)

WISHES = (
    "qty 0.05 trail=500",
    "qty 0.05 trail_bps=80 limit=59950",
    "qty 0.05 stop=59000",
    "qty 0.05 stop=59300 limit=59900",
    "qty 0.03 stop=59100",
    "qty 0.05 stop=59000 takes=60300@0.5,60600@0.3,61000@0.2",
    "qty 0.05 ladder=59950@0.4,59900@0.3,59800@0.3 trail=700",
    "qty 0.05 ladder=59950@0.5,59850@0.5 stop=59200 takes=60200@0.5,60500@0.5",
    "qty 0.04 stop=59400 take=60800",
    "flat",
)
STEPS = (-60_000, -30_000, -10_000, -4_000, 4_000, 10_000, 20_000, 30_000, 60_000)

doings = st.lists(
    st.one_of(
        st.tuples(st.just("wish"), st.sampled_from(WISHES)),
        st.tuples(st.just("px"), st.sampled_from(STEPS)),
        st.tuples(st.just("part"), st.sampled_from(STEPS)),
        st.tuples(st.sampled_from(["take", "tell"]), st.integers(1, 4)),
        st.tuples(st.just("work"), st.integers(1, 3)),
        st.tuples(st.just("work"), st.integers(1, 3)),
        st.tuples(st.just("time"), st.integers(1, 40)),
        st.tuples(st.just("fault"), st.sampled_from(["refuse", "deny", "lose"])),
        st.tuples(st.sampled_from(["restart", "folded", "find"]), st.just(0)),
    ),
    min_size=10,
    max_size=40,
)
Doing = tuple[str, object]


class Walk:
    """A desk, its exchange, and the doings that both live through."""

    def __init__(self, *, replaces: bool) -> None:
        self.desk = Desk(engine(made=(told(),))).open()
        self.desk.hear(instrument(cancel_replace=replaces))
        self.floor = Floor(self.desk)
        self.seen = len(self.desk.said)
        self.trailed = 0

    def do(self, doing: Doing) -> None:
        floor, desk = self.floor, self.desk
        match doing:
            case "wish", str(wish):
                desk.wants(wish, floor.px)
            case "time", int(seconds):
                desk.pass_time(seconds * SECOND_NS, floor.px)
            case "fault", str(fault):
                floor.fault = fault
            case str(what), int(number):
                self.count(what, number)
        self.hear()

    def count(self, what: str, number: int) -> None:
        """Do what has a number: so far, or so often."""
        floor, desk = self.floor, self.desk
        match what:
            case "px" | "part":
                floor.move(max(PX - 90_000, floor.px + number), 4 if what == "px" else 2)
                desk.hear(quote(desk.now_ns, floor.px))
            case "take" | "tell":
                for _ in range(number):
                    (floor.take if what == "take" else floor.tell)()
            case "work":
                self.work(number)
            case "find":
                floor.find()
            case _:
                desk.core = restarted(desk.core, engine(made=()))
                if what == "folded":
                    desk.core.state.windows.waters.clear()

    def work(self, times: int) -> None:
        """Let all that is on its way arrive, so often."""
        for _ in range(times):
            self.hear()
            while self.floor.coming:
                self.floor.take()
            while self.floor.going:
                self.floor.tell()
        self.hear()

    def hear(self) -> None:
        said = self.desk.said[self.seen :]
        self.seen = len(self.desk.said)
        self.floor.heard(said)
        for message in said:
            if isinstance(message, Decision):
                self.trail(message)

    def trail(self, decision: Decision) -> None:
        if decision.action not in {"enter", "resize", "adjust", "exit"}:
            return
        trails = decision.action in {"adjust", "resize"} and decision.water_px > 0
        if trails:
            assert decision.stop_px >= self.trailed, "the stop is loosened"
        self.trailed = decision.stop_px if trails else 0

    def settle(self) -> None:
        """Let everything be answered, and quiet time pass."""
        for _ in range(12):
            self.floor.find()
            self.work(3)
            self.desk.pass_time(6 * TTL_NS, self.floor.px)
            self.hear()
        self.work(3)

    def is_guarded(self) -> bool:
        """Return whether exactly what is held is behind one stop that rests where it should."""
        slot, floor = self.desk.slot(), self.floor
        guards = [(one.left, one.intent.stop_px) for one in floor.guards()]
        wanted = slot.stop_px > 0 and floor.position > 0
        return guards == ([(floor.position, slot.stop_px)] if wanted else [])


def walked(found: list[Doing], *, replaces: bool) -> Walk:
    walk = Walk(replaces=replaces)
    begins: list[Doing] = [("wish", WISHES[len(found) % 9]), ("work", 2)]
    for doing in [*begins, *found]:
        walk.do(doing)
    return walk


@settings(max_examples=50, deadline=None)
@given(doings, st.booleans())
def test_after_all_answers_the_stop_covers_exactly_the_position(
    found: list[Doing], replaces: object
) -> None:
    walk = walked(found, replaces=bool(replaces))
    walk.settle()
    assert walk.floor.position == int(walk.desk.held() * 10**5)
    assert walk.is_guarded()
    assert not walk.floor.coming


@settings(max_examples=25, deadline=None)
@given(doings)
def test_without_faults_no_stop_is_cancelled_to_be_moved(found: list[Doing]) -> None:
    quiet = [doing for doing in found if doing[0] not in {"fault", "part", "take", "tell"}]
    work: Doing = ("work", 4)
    walk = walked([each for doing in quiet for each in (doing, work)], replaces=True)
    walk.settle()
    cancels = [m for m in walk.desk.said if isinstance(m, CancelIntent)]
    stops = {one.client_order_id for one in walk.desk.orders() if one.leg == "stop"}
    moved = [m for m in cancels if m.client_order_id in stops and "fit" in m.reason]
    assert not moved
    assert walk.is_guarded()


@settings(max_examples=10, deadline=None)
@given(doings)
def test_the_same_inputs_lead_to_the_same_bytes(found: list[Doing]) -> None:
    one, other = (walked(found, replaces=True).desk.said for _ in range(2))
    assert told_of(one) == told_of(other)


def told_of(said: list[Message]) -> list[bytes]:
    return [encode([message]) for message in said if home(type(message)) is not None]
