"""Random kills of the writers, their jobs and the hands of a person, in a house that trades.

It ends when everything is READY again; what is there then is held against what was said.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import msgspec

from tests.chaos.shards_house import (
    DAYS,
    FIRST_MS,
    JOB,
    WRITERS,
    Row,
    candles,
    house_over_a_month,
    rss_mib,
    running,
)
from tests.chaos.shards_proof import prove
from tests.system.checkout import ROOT, Checkout

HISTORY_MS = 1_735_689_600_000  # 2025-01-01
POLL_MS = 100
READY_S = 240
DEATHS_MAX = 3
WITHIN_NS = 60_000_000_000
"""A fifth death within a minute would be a crash loop, which rests."""

HANDS = ("optimize", "backup", "archive", "verify", "import")
UNTRUE = 5
SUPERVISOR = "supervisord"


class Weather(msgspec.Struct, frozen=True):
    """How long the storm lasts, how often somebody dies meanwhile, and by which dice."""

    seconds: int
    seed: int
    every_ms: int = 1500  # from one kill to the next, on the average
    month_ends_s: int = 45
    supervisor: bool = True
    history_days: int = 61  # from the first of a year: two whole months and some of the third


class Report(msgspec.Struct):
    """What came of it."""

    name: str
    seed: int
    seconds: float
    kills: dict[str, int]
    hands: dict[str, int]
    reads: int
    rss_mib: dict[str, float]
    bars: int
    ticks: int
    fills: int
    history: int
    differences: list[str]


class Storm:
    """One house in it; whoever is due dies, and the house is left to mend itself."""

    def __init__(self, house: Checkout, weather: Weather, imports: Path) -> None:
        self.house = house
        self.kills: Counter[str] = Counter()
        self.hands: Counter[str] = Counter()
        self.most_mib: dict[str, float] = {}
        self.wrong: list[str] = []
        self._chance = random.Random(weather.seed)
        self._weather = weather
        self._imports = imports
        self._deaths: dict[str, list[int]] = {}
        self._working: dict[str, tuple[subprocess.Popen[str], int]] = {}
        self._next_ns = house.clock.mono_ns()

    def rage(self) -> None:
        """Kill until the time is over, then let the hands end in peace."""
        end_ns = self.house.clock.mono_ns() + self._weather.seconds * 1_000_000_000
        while self.house.clock.mono_ns() < end_ns:
            self._look()
            self.house.clock.pause_ms(POLL_MS)
        while self._working:
            self._tend_hands(self.house.clock.mono_ns())
            self.house.clock.pause_ms(POLL_MS)
        self._recover()

    def _look(self) -> None:
        now_ns = self.house.clock.mono_ns()
        for name, mib in rss_mib(self.house).items():
            self.most_mib[name] = max(mib, self.most_mib.get(name, 0.0))
        self._tend_hands(now_ns)
        jobs = running(self.house, JOB)
        if jobs and self._chance.random() < 0.3:  # They are rare, and soon over.
            self._kill(JOB)
        if now_ns >= self._next_ns:
            self._next_ns = now_ns + self._chance.randrange(2 * self._weather.every_ms) * 1_000_000
            self._strike(now_ns)

    def _strike(self, now_ns: int) -> None:
        if self._weather.supervisor and self._chance.random() < 0.03:
            pid = int((self.house.run_dir / "supervisord.pid").read_text())
            os.kill(pid, signal.SIGKILL)
            self.kills[SUPERVISOR] += 1
            self._recover()
            return
        for name in self._chance.sample(WRITERS, self._chance.choice((1, 1, 1, 2))):
            recent = [at for at in self._deaths.get(name, []) if now_ns - at < WITHIN_NS]
            if len(recent) < DEATHS_MAX:
                self._deaths[name] = [*recent, now_ns]
                self._kill(name)

    def _kill(self, name: str) -> None:
        for process in running(self.house, name):
            process.kill()
            self.kills[name] += 1

    def _recover(self) -> None:
        self.house.rrr("up", timeout_s=READY_S)
        self.house.until("all is READY", lambda: self.house.status()["ready"], READY_S)

    def _tend_hands(self, now_ns: int) -> None:
        for verb, (process, dies_ns) in list(self._working.items()):
            if process.poll() is not None:
                self._judge(verb, process)
            elif now_ns >= dies_ns:
                process.kill()
                self.kills[verb] += 1
                self._judge(verb, process)
        if len(self._working) < 2 and now_ns < self._next_ns:
            self._take_up(self._chance.choice(HANDS), now_ns)

    def _take_up(self, verb: str, now_ns: int) -> None:
        if verb in self._working:
            return
        words = ["data", verb, str(self._imports)] if verb == "import" else ["db", verb]
        program = self.house.root / ".venv" / "bin" / "python"
        process = subprocess.Popen(
            [str(program), "-m", "services.rrr", *words],
            cwd=self.house.root,
            env=self.house.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lives_ms = self._chance.choice((self._chance.randrange(300, 3_000), 600_000))
        self._working[verb] = process, now_ns + lives_ms * 1_000_000
        self.hands[verb] += 1

    def _judge(self, verb: str, process: subprocess.Popen[str]) -> None:
        said, _ = process.communicate()
        del self._working[verb]
        code = process.returncode
        if code == UNTRUE or any(word in said for word in ("Traceback", "is locked")):
            self.wrong.append(f"{verb} ended with {code}: {said[-600:]}")


def rage(weather: Weather) -> Report:
    """Let all of it happen in a house of its own; return what is there afterwards."""
    with tempfile.TemporaryDirectory() as directory:
        market = Path(directory) / "a market.csv.gz"
        source = candles(market, FIRST_MS, DAYS, weather.seed)
        imports = Path(directory) / "BTCUSDT-1m.csv.gz"
        history = candles(imports, HISTORY_MS, weather.history_days, weather.seed + 1)
        house = house_over_a_month(market, weather.month_ends_s)
        try:
            house.up()
            return _in(house, weather, imports, source, history)
        finally:
            house.close()


def _in(
    house: Checkout,
    weather: Weather,
    imports: Path,
    source: dict[int, Row],
    history: dict[int, Row],
) -> Report:
    began_ns = house.clock.mono_ns()
    storm = Storm(house, weather, imports)
    db_dir = house.journal_dir().parent / "db"
    reader = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.shards_reader", str(db_dir)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        storm.rage()
    finally:
        told, _ = reader.communicate("")
    *errors, last = map(msgspec.json.decode, told.splitlines())
    seen = prove(house, imports, source, history)
    wrong = [*storm.wrong, *(one["error"] for one in errors), *seen.differences]
    return Report(
        name="shards.chaos",
        seed=weather.seed,
        seconds=round((house.clock.mono_ns() - began_ns) / 1e9, 1),
        kills=dict(storm.kills),
        hands=dict(storm.hands),
        reads=last["reads"],
        rss_mib={name: round(mib, 1) for name, mib in storm.most_mib.items()},
        bars=seen.bars,
        ticks=seen.ticks,
        fills=seen.fills,
        history=seen.history,
        differences=wrong,
    )
