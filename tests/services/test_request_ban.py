"""A ban of the exchange's, met by one: both are quiet until its end, through their deaths."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest

from bus.clock import MarketTime, SystemClock, write_market_time
from tests.services.gateway.failing import Answer, Failing, failing, wait_for
from tests.services.gateway.published import error

ROOT = Path(__file__).parents[2]
CLOCK = SystemClock()
WORLD = "local-synthetic-7"
NAMES = ("gateway", "ingest")
LISTING, TIME, ACCOUNT = "exchangeInfo", "time", "account"
BAN_S = 7
SOON_MS = 1_000
"""By then both have heard of it."""

pytestmark = pytest.mark.slow


class Pair:
    """The two processes that ask the exchange, at one that a test plays."""

    def __init__(self, folder: Path, exchange: Failing) -> None:
        self.exchange = exchange
        self.run = Path(mkdtemp(prefix="rrr.", dir="/tmp"))
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("RRR_", "MODE"))},
            "RRR_HOME": str(folder / "home"),
            "RRR_RUN": str(self.run),
            "RRR_PORTS__VENUE": str(exchange.port),
            "RRR_CLOCK__SCALE": "1",
        }
        now_ns = CLOCK.wall_ns()
        write_market_time(self.run / "clock.json", MarketTime(now_ns, now_ns, 1.0, WORLD))
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *names: str) -> None:
        for name in names or NAMES:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", f"services.{name}"],
                cwd=ROOT,
                env=self.env,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def kill(self, *names: str) -> None:
        for process in [self.processes.pop(name) for name in names or tuple(self.processes)]:
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=10)  # Closes its standard input too.

    def asked(self, call: str, answer: Answer | None = None) -> int:
        """Wait until a call is asked once more; return how many requests there were."""
        request = f"GET /api/v3/{call}"
        before = self.exchange.count(request)
        if answer is not None:
            self.exchange.answers[request] = answer
        wait_for(lambda: self.exchange.count(request) > before, lambda: f"nobody asked {call}")
        return len(self.exchange.asked)


@contextmanager
def both(folder: Path) -> Iterator[Pair]:
    with failing() as exchange:
        pair = Pair(folder, exchange)
        try:
            pair.start()
            pair.asked(LISTING)
            pair.asked(ACCOUNT)
            yield pair
        finally:
            pair.kill()
            rmtree(pair.run, ignore_errors=True)


def quiet(pair: Pair, until_ns: int, do: Callable[[], None] = lambda: None) -> None:
    """Do something, and see that nothing is asked until a time."""
    before = len(pair.exchange.asked)
    do()
    while CLOCK.mono_ns() < until_ns:
        assert len(pair.exchange.asked) == before, pair.exchange.asked[before:]
        CLOCK.pause_ms(20)


@pytest.mark.parametrize(("seen_by", "status"), [(LISTING, 418), (ACCOUNT, 429)])
def test_a_ban_that_one_meets_is_kept_by_both_through_their_deaths(
    tmp_path: Path, seen_by: str, status: int
) -> None:
    with both(tmp_path) as pair:
        ban = Answer(status, error(-1003), {"Retry-After": str(BAN_S)})
        pair.asked(seen_by, ban)
        met_ns = CLOCK.mono_ns()
        CLOCK.pause_ms(SOON_MS)

        def die() -> None:
            pair.kill()
            pair.start()

        quiet(pair, met_ns + (BAN_S * 1_000 - 300) * 1_000_000, die)
        pair.exchange.answers.clear()
        pair.asked(LISTING)
        pair.asked(ACCOUNT)


def test_who_was_dead_when_it_was_met_learns_of_a_ban_at_its_start(tmp_path: Path) -> None:
    with both(tmp_path) as pair:
        pair.kill("ingest")
        pair.asked(ACCOUNT, Answer(429, error(-1003), {"Retry-After": str(BAN_S)}))
        met_ns = CLOCK.mono_ns()
        CLOCK.pause_ms(SOON_MS)
        end_ns = met_ns + (BAN_S * 1_000 - 300) * 1_000_000
        quiet(pair, end_ns, lambda: pair.start("ingest"))
        pair.exchange.answers.clear()
        pair.asked(LISTING)
