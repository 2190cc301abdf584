"""Subscribers that come late, stand still or are held: they miss nothing, and hold nobody up."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from bus.errors import UnreachableError
from bus.health import Vitals, limits
from bus.house import House
from bus.journals import DiskJournals
from bus.wire import Subscriber, ask
from schema.frame import Kind, unpack
from schema.house import Heartbeat
from schema.messages import decode
from schema.streams import STREAMS
from tests.chaos.parts import Mint, Tally
from tests.chaos.shelf import counted
from tests.chaos.storm import trades_said
from tests.chaos.troupe import ROOT, Troupe
from tests.services.bare import bare_house

pytestmark = pytest.mark.slow

QUEUE_BYTES = 16 << 20
"""What one stuck subscriber may cost its publisher: 256 frames of 64 KiB."""

SLACK_BYTES = 24 << 20
"""What a publisher may grow by for reasons of its own."""

TRADES = 1_000_000

WATCHER = """
import sys
from pathlib import Path
from bus.wire import Subscriber
watcher = Subscriber(Path(sys.argv[1]), ["ingest.trade"])
while not watcher.receive(100):
    pass
print("heard", flush=True)
while True:
    watcher.receive(100)
"""


@pytest.fixture
def house() -> Iterator[House]:
    with bare_house() as made:
        yield made


@contextlib.contextmanager
def troupe(house: House, until: int, rate: int) -> Iterator[Troupe]:
    made = Troupe(house, until, rate)
    try:
        yield made
    finally:
        made.close()


def all_said(troupe: Troupe, trades: int) -> None:
    """Wait until so many trades stand in the journal."""
    said = trades_said(DiskJournals(troupe.house.journal_dir, troupe.clock))
    troupe.until(f"{trades} are said", lambda: next(said) >= trades)


def require_the_whole_story(troupe: Troupe, trades: int) -> None:
    """Wait for the last trade in the shard, and require each of them once and in order."""
    troupe.until("the last trade is counted", lambda: troupe.trades_counted() >= trades)
    for name in ("ingest.trade", "ingest.feed"):
        count = counted(troupe.house.db_dir)[name]
        assert (count.lost, count.doubled, count.reordered) == (0, 0, 0), name
        assert count.count == count.last
    assert troupe.trades_counted() == trades


def test_who_joins_in_the_middle_has_everything_from_the_beginning(house: House) -> None:
    with troupe(house, 10_000, 20_000) as cast:
        cast.start(Mint.name)
        all_said(cast, 5_000)
        cast.start(Tally.name)
        require_the_whole_story(cast, 10_000)


def test_a_subscriber_that_stands_still_while_its_publisher_is_replaced_misses_nothing(
    house: House,
) -> None:
    with troupe(house, 60_000, 20_000) as cast:
        cast.start(Mint.name)
        cast.start(Tally.name)
        cast.until("it counts", lambda: cast.trades_counted() > 1_000)
        with contextlib.suppress(UnreachableError):  # It answers when it is awake again.
            ask(cast.house.run, Tally.name, "nap", ("2000",), timeout_ms=100)
        cast.kill(Mint.name)
        cast.revive()
        assert cast.starts[Mint.name] == 2
        require_the_whole_story(cast, 60_000)


def test_a_held_subscriber_has_the_end_of_a_burst_after_one_sign_of_life(house: House) -> None:
    with troupe(house, 120_000, 60_000) as cast:
        cast.start(Mint.name)
        cast.start(Tally.name)
        cast.until("it counts", lambda: cast.trades_counted() > 1_000)
        cast.send(Tally.name, signal.SIGSTOP)
        all_said(cast, 120_000)
        cast.clock.pause_ms(1_000)  # Now the publisher is idle.
        cast.send(Tally.name, signal.SIGCONT)
        require_the_whole_story(cast, 120_000)


def test_a_held_watcher_costs_a_bounded_queue_and_disturbs_nobody(house: House) -> None:
    with troupe(house, TRADES, 2_000_000) as cast, watcher(cast) as held:
        cast.start(Tally.name)
        cast.start(Mint.name)
        assert held.stdout is not None
        assert held.stdout.readline() == "heard\n"
        held.send_signal(signal.SIGSTOP)
        before = rss_bytes(cast)
        all_said(cast, TRADES)
        grown = rss_bytes(cast) - before
        require_the_whole_story(cast, TRADES)
        written = size_bytes(cast)
    assert written > 2 * QUEUE_BYTES, "it would not fit into any queue"
    assert grown < QUEUE_BYTES + SLACK_BYTES, f"{grown >> 20} MiB"


@contextlib.contextmanager
def watcher(cast: Troupe) -> Iterator["subprocess.Popen[str]"]:
    """Yield a process that watches trades by the socket; it is gone afterwards, held or not."""
    command = [sys.executable, "-c", WATCHER, str(cast.house.run)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def rss_bytes(cast: Troupe) -> int:
    """Return what the mint holds of memory."""
    found: list[int] = []

    def ask_it() -> bool:
        beat = cast.status(Mint.name)
        found.append(beat.rss_bytes if beat else 0)
        return bool(beat)

    cast.until("it answers", ask_it)
    return found[-1]


def size_bytes(cast: Troupe) -> int:
    """Return how much of trades was written."""
    folder = cast.house.journal_dir / "ingest" / "trade"
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def test_a_process_that_is_held_is_dead_after_three_seconds_of_silence(house: House) -> None:
    vitals = None
    with troupe(house, 1, 1_000) as cast:
        cast.start(Mint.name)
        ear = Subscriber(cast.house.run, [f"{Mint.name}.hb"])
        vitals = Vitals([Mint.name], cast.clock.mono_ns(), limits())

        def hear() -> str:
            for frame in map(unpack, ear.receive(20)):
                for beat in decode(STREAMS[frame.stream].number, frame.body):
                    assert frame.kind == Kind.HEARTBEAT
                    assert isinstance(beat, Heartbeat)
                    vitals.heard(beat, cast.clock.mono_ns())
            return vitals.verdict(Mint.name, cast.clock.mono_ns()).state

        cast.until("it is READY", lambda: hear() == "READY")
        held_ns = cast.clock.mono_ns()
        cast.send(Mint.name, signal.SIGSTOP)
        cast.until("it is suspect", lambda: hear() == "SUSPECT")
        cast.until("it is dead", lambda: hear() == "DEAD")
        assert cast.clock.mono_ns() - held_ns >= 2_500_000_000, "not before its time"
        cast.send(Mint.name, signal.SIGCONT)
        cast.until("it lives", lambda: hear() == "READY")
        ear.close()
