"""One seed's story: a day of trading with faults, then none, then everything must have settled."""

import random
from pathlib import Path

import msgspec

from schema.lifecycle import State
from schema.units import to_text
from tests.sim.again import check_past
from tests.sim.audited import check_audit
from tests.sim.harm import Harm
from tests.sim.joining import check_joining
from tests.sim.keeper import Keeper
from tests.sim.laws import Laws, check_rest, cores
from tests.sim.odds import Plan
from tests.sim.stand import NAMES, START_NS, Stand

REST_STEPS_MAX, CALM_STEPS_MAX = 300, 1_100
"""Thirty seconds to settle: a request that was lost last is proven dead after seven and a half
(its window, the exchange's lag, two answers a second apart), a ban lasts ten or twenty, and the
comparison after it needs two tries at the slowest pace of five seconds each."""

LONG_STEPS_MAX = 900
"""A difference counts when two comparisons in a row saw it, and nothing moved meanwhile."""

LOOK_EVERY = 50
"""Passes between two comparisons of the books that are made on purpose."""

PATIENCE = 150
"""Passes in which evidence is waited for before a person says what became of an order: a trade by
hand may be of an order in doubt, and no answer tells which."""

EVENING_NS = START_NS // 86_400_000_000_000 * 86_400_000_000_000 + 86_000_000_000_000
"""A little before midnight."""


class Story:
    """Lives through a plan."""

    def __init__(self, path: Path, plan: Plan) -> None:
        chance = random.Random(f"story {plan.seed}")
        scale = chance.choice((10, 60, 60, 60, 120))
        start_ns = chance.choice((START_NS, EVENING_NS))
        self.plan = plan
        self.stand = Stand(path, plan, scale=scale, start_ns=start_ns)
        random.seed(f"moods {plan.seed}")  # for strategies that look at something outside
        self.keeper = Keeper(self.stand, plan.seed)
        self.laws = Laws(self.stand)
        self.harm = Harm(self.stand, self._endure)
        self._chance = chance
        self._restarts: dict[str, int] = {}
        self._n = 0

    def run(self) -> None:
        """Live through it."""
        while self._n < self.plan.steps:
            self.harm.act()
            self.keeper.act()
            self._pass(self._chance.choice((20, 100, 100, 250)))
        self._heal()
        self.keeper.put_right(lambda: self._pass(100))
        self._settle()
        self._trade_again()
        check_audit(self.stand.journals)
        check_past(self.stand)
        check_joining(self.stand.journals)

    def _endure(self, passes: int) -> None:
        """Let long passes go by; who is dead stays so."""
        for name in NAMES:
            if name not in self.stand.lives:
                self._restarts[name] = self._n + passes + 1
        for _ in range(passes):
            self._pass(20_000)

    def _pass(self, ms: int) -> None:
        self._n += 1
        self.stand.step(ms)
        self.laws.check_step()
        for name in NAMES:
            if name not in self.stand.lives:
                at = self._restarts.setdefault(
                    name, self._n + self._chance.choice((1, 1, 3, 10, 40))
                )
                if self._n >= at:
                    del self._restarts[name]
                    self.stand.start(name)

    def _heal(self) -> None:
        stand = self.stand
        self.harm.heal()
        for name in NAMES:
            if name not in stand.lives:
                stand.start(name)
        edge = stand.gateway_edge()
        assert edge is not None
        edge.ban_ms = min(edge.ban_ms, stand.clock.wall_ns() // 1_000_000 + 10_000)
        edge.switch_stream(up=True)
        edge.tell_clock()
        self._pass(100)
        stand.ask("gateway", "resume", "it is over")
        self._pass(100)
        for limit in list(cores(stand)[1].state.books.latched):
            stand.ask("risk", "release", limit, "it is over")

    def _settle(self) -> None:
        why: AssertionError | None = None
        self.stand.script.quiet = True
        for passes in range(LONG_STEPS_MAX if self.stand.truth.foreign else REST_STEPS_MAX):
            self._tidy_up(patient=passes < PATIENCE)
            self._look_again(passes)
            self._pass(100)
            try:
                check_rest(self.stand)
                self.harm.check_strangers()
            except AssertionError as error:
                why = error
            else:
                self.stand.script.quiet = False
                return
        assert why is not None
        raise why

    def _look_again(self, passes: int) -> None:
        """Have the books compared anew, with what others did: that is what a new stream is for."""
        edge = self.stand.gateway_edge()
        if edge is not None and self.stand.truth.foreign:
            edge.switch_stream(up=passes % LOOK_EVERY > 0)

    def _tidy_up(self, *, patient: bool) -> None:
        """Do by hand what a person has to: end orders, adopt differences, resume symbols."""
        stand = self.stand
        if not (stand.truth.disturbed or stand.exchange.lied):
            return
        books = cores(stand)[2].state.books
        for order in stand.exchange.desk.records.all_open():
            told = order.client_id in books.ended or self.harm.is_told(order)
            if told and order.client_id not in books.open and not order.tied:
                stand.exchange.desk.cancel(order)
        for asset, seen in books.differences.items():
            if seen.n:
                amount = to_text(seen.n, seen.exp)
                stand.ask("gateway", "adopt", "balance", asset, amount, "external", "by hand")
        for order in () if patient else books.open.values():
            if order.place.state is State.UNCONFIRMED and stand.exchange.order(order.id) is None:
                wish = {"order": order.id, "fate": "absent", "evidence": "it is not on its page"}
                stand.ask("gateway", "resolve", msgspec.json.encode(wish).decode())
        for symbol in books.halted:
            stand.ask("gateway", "resume-symbol", symbol, "it is tidied up")

    def _trade_again(self) -> None:
        books = cores(self.stand)[2].state.books
        fills = books.fills
        for _ in range(CALM_STEPS_MAX):
            self._tidy_up(patient=False)
            self._pass(200)
            if cores(self.stand)[2].state.books.fills > fills + 1:
                return
        raise AssertionError("I37: nothing was traded again")
