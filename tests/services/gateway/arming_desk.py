"""A desk for real money: the clock runs at a person's pace, and the place is as it should be."""

import json

from schema.exchange import ClockSeen, PlaceSeen, Requirement, SendCancel, StreamUp
from schema.house import CommandDone, PeerSeen, Started, TimeGap
from schema.orders import LiveArmed, LiveDisarmed, OrderSubmitted
from services.gateway.arming_conditions import PEERS
from services.gateway.core import Gateway
from services.gateway.position import reduces
from tests.services.gateway.gateway_desk import Desk
from tests.services.gateway.gateway_words import LISTED, MS, SCALE, WORLD
from tests.services.shipped import shipped

ACCOUNT = "main7"
CONTRACT = "c0ffee"
HOUR_S = 3_600
NS = 1_000_000_000
SOUND = PlaceSeen(
    contract=CONTRACT,
    conditions=(Requirement("keys", "ok", "x"), Requirement("data folder", "ok", "x")),
)


class LiveDesk(Desk):
    """One gateway that trades real money, and a wall clock that anybody may set."""

    def __init__(self, **environ: str) -> None:
        super().__init__()
        self.settings = shipped(
            MODE="live", RRR_CLOCK__SCALE="1", RRR_EXCHANGE__ACCOUNT=ACCOUNT, **environ
        )
        self.core = Gateway(self.settings, WORLD)
        self.place_seen = SOUND
        self.contracts = dict.fromkeys(PEERS, CONTRACT)

    @property
    def wall_ms(self) -> int:
        return self.now_ns // MS

    def tell_clock(self, offset_ms: int = 0) -> None:
        seen = ClockSeen(
            wall_ms=self.wall_ms, market_ns=self.now_ns, scale=1.0, offset_ms=offset_ms
        )
        self.put(seen)

    def pass_ms(self, wall_ms: int) -> None:
        super().pass_ms(wall_ms // int(SCALE))  # A second of the market is one of ours.

    def begin(self) -> "LiveDesk":
        """Start, with everybody there and everything compared; it is not armed."""
        self.put(Started(epoch=1, grade="fresh"))
        self.put(LISTED)
        self.meet()
        return self

    def meet(self) -> None:
        """Have the others, the place and the exchange be there."""
        for name in PEERS:
            self.put(PeerSeen(service=name, state="READY", contract=self.contracts[name]))
        self.put(self.place_seen)
        self.tell_clock()
        self.put(StreamUp())
        self.settle(also=(SendCancel,))

    def reborn(self, grade: str = "exact") -> None:
        """Kill it and start it anew, with everybody there again."""
        self.restart(grade)
        self.put(LISTED)
        self.meet()

    def arm(self, for_s: int = HOUR_S, account: str = ACCOUNT, why: str = "a try") -> CommandDone:
        wish = json.dumps({"account": account, "for_s": for_s, "why": why})
        return self.command("arm", wish)

    def allowed(self) -> "LiveDesk":
        done = self.arm()
        assert done.ok, done.text
        return self

    def set_clock(self, by_s: int) -> None:
        """Set the wall clock, which is the market's too; the exchange's stays."""
        self.now_ns += by_s * NS
        self.put(TimeGap(jump_ms=by_s * 1_000))

    def trades(self) -> bool:
        """Whether an order that adds risk leaves now."""
        before = len(self.of(OrderSubmitted))
        self.approve(self.intent(qty=100))
        return len(self.of(OrderSubmitted)) > before

    def judge(self) -> None:
        """Assert that whatever added risk left while somebody's permission held."""
        again = Gateway(self.settings, WORLD)
        until_ns = 0
        for message in self.said:
            match message:
                case LiveArmed():
                    until_ns = message.until_ns
                case LiveDisarmed():
                    until_ns = 0
                case OrderSubmitted(intent=intent) if not reduces(again.state.books, intent):
                    assert message.ts_event < until_ns, message
            again.apply(message)
