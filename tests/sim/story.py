"""One seed's story: a day of trading with faults, then none, then everything must have settled."""

import random
from pathlib import Path
from random import Random

from tests.sim.again import check_past
from tests.sim.joining import check_joining
from tests.sim.keeper import Keeper
from tests.sim.laws import check_rest, check_step
from tests.sim.stand import NAMES, START_NS, Stand

BUSY_STEPS, REST_STEPS_MAX, CALM_STEPS_MAX = 500, 300, 900
EVENING_NS = START_NS // 86_400_000_000_000 * 86_400_000_000_000 + 86_000_000_000_000
"""A little before midnight."""


class Story:
    """Does something bad now and then, by chance."""

    def __init__(self, path: Path, seed: int, *, flips: bool = False) -> None:
        self.chance = Random(f"story {seed}")
        scale = self.chance.choice((1, 10, 10, 60, 60, 60))
        start_ns = self.chance.choice((START_NS, EVENING_NS))
        self.stand = Stand(path, seed, scale=scale, start_ns=start_ns, flips=flips)
        random.seed(f"moods {seed}")  # for strategies that look at something of the world outside
        self.keeper = Keeper(self.stand, seed)
        self._restarts: dict[str, int] = {}
        self._n = 0
        self._absent = False
        bad = self.chance.choice((0.0, 0.02, 0.1))
        faults = self.stand.faults
        for name in ("lost_request", "lost_answer", "late", "lost_push", "doubled_push"):
            setattr(faults, name, self.chance.choice((0.0, bad)))
        self._kills = self.chance.choice((0.0, 0.01, 0.04))
        self._mishaps = self.chance.choice((0.0, 0.01, 0.02))
        self.stand.exchange.lags = self.chance.random() < 0.5

    def run(self) -> None:
        """Live through it."""
        while self._n < BUSY_STEPS:
            self._harm()
            self.keeper.act()
            self._pass(self.chance.choice((20, 100, 100, 250)))
        self._heal()
        self.keeper.put_right(lambda: self._pass(100))
        self._settle()
        self._trade_again()
        check_past(self.stand)
        check_joining(self.stand.journals)

    def _pass(self, ms: int) -> None:
        self._n += 1
        self.stand.step(ms)
        check_step(self.stand)
        for name in NAMES:
            if name not in self.stand.lives:
                at = self._restarts.setdefault(name, self._n + self._rest())
                if self._n >= at:
                    del self._restarts[name]
                    self.stand.start(name)

    def _rest(self) -> int:
        return self.chance.choice((1, 3, 10, 60))

    def _harm(self) -> None:
        stand, chance = self.stand, self.chance
        if chance.random() < self._kills:
            self._kill()
        if chance.random() >= self._mishaps:
            return
        match chance.randrange(9):
            case 0:
                stand.cut_power()
            case 1:
                stand.clock.set_ms(chance.choice((-3_000, 700, 5_000, 60_000)))
            case 2 | 3 if "gateway" in stand.lives:
                level = chance.choice(("REDUCING", "HALTED", "FLATTEN"))
                stand.ask("gateway", "kill", level, "because")
            case 4 | 5 if "gateway" in stand.lives:
                stand.ask("gateway", "resume", "because")
            case 6:
                stand.feeding = not stand.feeding
            case 7:
                self._touch_edge()
            case 8 if not self._absent:
                self._be_absent()

    def _kill(self) -> None:
        name = self.chance.choice(NAMES)
        if self.chance.random() < 0.3:
            self.stand.codes[name] += "'"
        if self.chance.random() < 0.5:
            self.stand.kill(name)
        else:
            self.stand.journals.after = self.chance.random() < 0.5
            self.stand.journals.fuses[name] = self.chance.randrange(4)

    def _be_absent(self) -> None:
        """Let a service, or two, be dead for ten minutes."""
        self._absent = True
        for name in self.chance.sample(NAMES, self.chance.choice((1, 1, 2))):
            self.stand.kill(name)
            self._restarts[name] = self._n + 31
        for _ in range(30):
            self._pass(20_000)

    def _touch_edge(self) -> None:
        life = self.stand.lives.get("gateway")
        if life is None or life.edge is None:
            return
        life.edge.switch_stream(up=not life.edge.stream)
        self.stand.exchange.offset_ms = self.chance.choice((0, 300, -300, 900, -900))
        life.edge.tell_clock()

    def _heal(self) -> None:
        stand = self.stand
        stand.faults.lost_request = stand.faults.lost_answer = stand.faults.late = 0.0
        stand.faults.lost_push = stand.faults.doubled_push = 0.0
        stand.journals.fuses.clear()
        stand.feeding, stand.exchange.lags, stand.exchange.offset_ms = True, False, 0
        for name in NAMES:
            if name not in stand.lives:
                stand.start(name)
        edge = stand.lives["gateway"].edge
        assert edge is not None
        edge.switch_stream(up=True)
        edge.tell_clock()
        stand.ask("gateway", "resume", "it is over")
        self._pass(100)
        if "daily_loss" in stand.lives["risk"].core.state.books.latched:
            stand.ask("risk", "release", "daily_loss", "it is over")

    def _settle(self) -> None:
        why: AssertionError | None = None
        for _ in range(REST_STEPS_MAX):
            self._pass(100)
            try:
                check_rest(self.stand)
            except AssertionError as error:
                why = error
            else:
                return
        assert why is not None
        raise why

    def _trade_again(self) -> None:
        fills = self.stand.lives["gateway"].core.state.books.fills
        for _ in range(CALM_STEPS_MAX):
            self._pass(250)
            if self.stand.lives["gateway"].core.state.books.fills > fills + 1:
                return
        raise AssertionError("nothing was traded again")
