"""Who looks at everything that leaves the house, and asserts that it may: invariants I1 to I8, I12.

It stands at the exchange's door with books of its own: what was wanted, judged and said, taken off
the journals as it is appended, and what is true at the exchange.
"""

from collections.abc import Sequence

from bus.clock import NS_PER_MS
from bus.intake import read_body
from bus.journals import Journals
from schema.frame import Kind, unpack
from schema.head import Effect, Message
from schema.joined import SendPair, SendReplace
from schema.orders import OrderSubmitted, RequestWeight
from schema.settings import Settings
from schema.streams import STREAMS, Stream
from schema.trading import OrderIntent, Verdict
from services.venue.account import EXP
from tests.sim.lossy import LossyHub
from tests.sim.odds import Dice
from tests.sim.record import Record
from tests.sim.truth import Truth
from tests.sim.venue_edge import SENDS

HEARD = frozenset({"engine.intent", "risk.verdict", "gateway.order"})
ORDER = STREAMS["gateway.order"]
CLOSER = "gateway"
ROUNDING_NS = 5 * NS_PER_MS
SLACK_NS = 600 * NS_PER_MS
"""Between two passes, and until a word that was said in time has been heard."""


class Oracle:
    """Remembers what it needs to judge the next byte."""

    def __init__(self, truth: Truth, dice: Dice, settings: Settings) -> None:
        self.truth = truth
        self.record = Record(truth, settings)
        self.journals: Journals
        self.hub: LossyHub
        self.paused_ns = 0  # how long the gateway stood still before its last pass
        self.kill_file = False
        self._dice = dice
        self._clock = truth.exchange.clock
        self._ttl_ns = int(settings.risk.verdict_ttl_ms * NS_PER_MS / settings.clock.scale)
        self._silence_ns = int(settings.gateway.risk_silence_ms * NS_PER_MS)
        self._intents: dict[str, OrderIntent] = {}
        self._judged: dict[tuple[str, bytes], tuple[OrderIntent | None, Verdict]] = {}
        self._performed: dict[str, int] = {}  # and until when it may leave, monotonic
        self._reducing: set[str] = set()
        self._warned_ns = -1

    def hear(self, stream: Stream, frames: Sequence[bytes]) -> None:
        """Take what was appended to a journal."""
        if stream.name not in HEARD:
            return
        for raw in frames:
            frame = unpack(raw)
            if frame.kind == Kind.DATA:
                for message in read_body(stream, frame.body):
                    self._take(message)

    def refold(self) -> None:
        """Forget what a power cut took."""
        self.record.forget()
        reader, pos = self.journals.reader(ORDER), 0
        while frames := reader.read(pos):
            pos = frames[-1].last
            for frame in frames:
                if frame.kind == Kind.DATA:
                    for message in read_body(ORDER, frame.body):
                        self.record.fold(message)

    def performed(self, effect: Effect) -> None:
        """Assert that the core may want what it wants."""
        wall_ns = self._clock.wall_ns()
        left_ns = self.record.retry_after_ns - wall_ns
        # What was wanted earlier in the turn that heard of it, the edge holds back by itself.
        soon = self._clock.mono_ns() == self._warned_ns or left_ns <= ROUNDING_NS
        assert soon, f"I12: {effect} leaves {left_ns} ns before Retry-After"
        if isinstance(effect, SENDS):
            until_ns = effect.deadline_wall_ms * NS_PER_MS - wall_ns + self._clock.mono_ns()
            for intent in intents_of(effect):
                self._check(intent, until_ns)
                self._check_place(effect, intent)

    def departed(self, effect: Effect) -> None:
        """Assert that the line before the call let through what it may."""
        if not isinstance(effect, SENDS):
            return
        wall_ns, mono_ns = self._clock.wall_ns(), self._clock.mono_ns()
        late_ns = wall_ns - effect.deadline_wall_ms * NS_PER_MS
        assert late_ns <= ROUNDING_NS, f"I5: {effect} leaves {late_ns} ns late"
        for intent in intents_of(effect):
            order_id, record = intent.client_order_id, self.record
            late_ns = mono_ns - self._performed[order_id]
            assert late_ns <= ROUNDING_NS, f"I5: {intent} leaves {late_ns} ns late, monotonic"
            if order_id not in self._reducing:
                assert record.level == "ACTIVE", f"I8: the level is {record.level}: {intent}"
                assert not self.kill_file, f"I8: the kill file lies there: {intent}"
                assert intent.symbol not in record.halted, f"I19: it is halted: {intent}"

    def took(self, intent: OrderIntent) -> None:
        """Assert that the exchange takes each order once, and none that is over for the house."""
        order_id = intent.client_order_id
        assert order_id not in self.truth.taken, f"I2: {order_id} was taken twice"
        why = self.record.dead.get(order_id)
        assert why is None, f"I4: {order_id} is taken, and was given up: {why}"
        gives_way = not intent.replaces or intent.replaces in self.record.giving_way
        assert gives_way, f"I4: {intent.replaces} is replaced, and was said to stay: {intent}"
        self.truth.take(intent)

    def _take(self, message: Message | None) -> None:
        match message:
            case OrderIntent():
                self._intents[message.client_order_id] = message
            case Verdict():
                order_id = message.client_order_id
                key = (order_id, message.order_hash)
                self._judged.setdefault(key, (self._intents.get(order_id), message))
            case Message():
                if isinstance(message, RequestWeight):
                    self._warned_ns = self._clock.mono_ns()
                self.record.hear(message)

    def _check(self, intent: OrderIntent, until_ns: int) -> None:
        order_id = intent.client_order_id
        assert order_id not in self._performed, f"I2: {order_id} is sent twice"
        self._performed[order_id] = until_ns
        self._check_record(intent)
        reduces = self.reduces(intent)
        if reduces:
            self._reducing.add(order_id)
        self._check_verdict(self.record.submitted[order_id], reduces=reduces)

    def _check_place(self, effect: SENDS, intent: OrderIntent) -> None:
        """Assert that an order takes another's place by the one request that does both."""
        of_effect = effect.replaced if isinstance(effect, SendReplace) else ""
        assert of_effect == intent.replaces, f"I2: {intent} leaves by {type(effect).__name__}"
        gives_way = not of_effect or of_effect in self.record.giving_way
        assert gives_way, f"I3: {of_effect} is cancelled and stands in no journal: {intent}"

    def reduces(self, intent: OrderIntent) -> bool:
        """Return whether an order can only shrink what is held at the exchange."""
        qty = intent.qty * int(10 ** (EXP - intent.qty_exp))
        return qty <= self.truth.closable(intent)

    def _check_record(self, intent: OrderIntent) -> None:
        order_id = intent.client_order_id
        found = self.record.submitted.get(order_id)
        assert found is not None, f"I3: {order_id} is sent and stands in no journal"
        assert found.intent == intent, f"I1: sent {intent}, submitted {found.intent}"
        tape = self.journals.tape(ORDER)  # type: ignore[attr-defined]
        assert tape.synced == len(tape.frames), f"I3: {order_id} is sent and is not on the disk"
        assert min(intent.qty, intent.px_exp, intent.qty_exp) > 0, f"I20: {intent}"
        assert min(intent.limit_px, intent.stop_px) >= 0, f"I20: {intent}"

    def _check_verdict(self, submitted: OrderSubmitted, *, reduces: bool) -> None:
        verdict, intent = submitted.verdict, submitted.intent
        assert verdict.approved, f"I1: {submitted}"
        assert submitted.ts_event <= verdict.expires_ns, f"I1: the verdict had expired: {submitted}"
        if verdict.by == CLOSER:
            assert reduces, f"I6: the gateway approved what does not reduce: {submitted}"
            return
        judged, said = self._judged.get((intent.client_order_id, verdict.order_hash), (None, None))
        assert said is not None, f"I1: risk said no such verdict: {submitted}"
        assert said == verdict, f"I1: risk said {said}, submitted was {verdict}"
        assert judged == intent, f"I1: risk judged {judged}, submitted was {intent}"
        if not reduces:
            silent_ns = self._clock.mono_ns() - self.hub.beats.get("risk", 0)
            most_ns = self._silence_ns + self._ttl_ns + SLACK_NS + self.paused_ns
            assert silent_ns <= most_ns, f"I6: risk is silent for {silent_ns} ns: {submitted}"


def intents_of(effect: SENDS) -> tuple[OrderIntent, ...]:
    """Return the orders of one request."""
    return (effect.stop, effect.target) if isinstance(effect, SendPair) else (effect.intent,)
