"""What a core is told of the services that it cannot do without."""

from pathlib import Path

from bus.clock import ManualClock
from bus.hub import Hub
from bus.memory import MemoryJournals
from bus.peers import BEHIND_NS, Peers
from bus.pulse import Pulse
from bus.service import Parts
from schema.house import Heartbeat, PeerSeen
from schema.streams import STREAMS
from tests.bus.toy import Source, Toy, launch, settle

MS = 1_000_000
INTENT = STREAMS["engine.intent"].number


def heartbeat(service: str, state: str = "READY", cursor: int = 0, last: int = 0) -> Heartbeat:
    return Heartbeat(
        ts_event=1,
        service=service,
        state=state,
        reason="",
        world="",
        pid=1,
        started_ns=0,
        turn=0,
        last=((INTENT, last),) if last else (),
        synced=(),
        cursors=((INTENT, cursor),) if cursor else (),
    )


def peers(**needs: int) -> tuple[Peers, ManualClock]:
    clock = ManualClock(1)
    return Peers(needs, clock), clock


def states(found: list[PeerSeen]) -> list[tuple[str, str]]:
    return [(seen.service, seen.state) for seen in found]


def test_what_was_never_heard_is_no_news() -> None:
    watched, clock = peers(risk=500)
    clock.advance(10_000 * MS)
    assert watched.changes() == []


def test_a_state_is_told_once_and_again_when_it_changes() -> None:
    watched, _ = peers(risk=500)
    watched.heard(heartbeat("risk"))
    assert states(watched.changes()) == [("risk", "READY")]
    watched.heard(heartbeat("risk"))
    assert watched.changes() == []
    watched.heard(heartbeat("risk", "DEGRADED"))
    assert states(watched.changes()) == [("risk", "DEGRADED")]


def test_silence_is_told_once_its_time_is_over_and_so_is_its_end() -> None:
    watched, clock = peers(risk=500)
    watched.heard(heartbeat("risk"))
    watched.changes()
    clock.advance(499 * MS)
    assert watched.changes() == []
    clock.advance(1 * MS)
    assert states(watched.changes()) == [("risk", "SILENT")]
    watched.heard(heartbeat("risk"))
    assert states(watched.changes()) == [("risk", "READY")]


def test_nobody_is_told_of_strangers() -> None:
    watched, _ = peers(risk=500)
    watched.heard(heartbeat("ingest"))
    assert watched.changes() == []


def test_a_reader_that_does_not_pass_a_mark_for_a_minute_is_behind() -> None:
    watched, clock = peers(writer_trading=5_000)
    for _ in range(BEHIND_NS // (1_000 * MS) + 1):
        watched.heard(heartbeat("engine", last=9))
        watched.heard(heartbeat("writer_trading", cursor=4))
        found = watched.changes()
        clock.advance(1_000 * MS)
    assert states(found) == [("writer_trading", "BEHIND")]
    watched.heard(heartbeat("writer_trading", cursor=9))
    assert states(watched.changes()) == [("writer_trading", "READY")]


class Needy(Toy):
    """Cannot do without the engine."""

    needs = {"engine": 500}  # noqa: RUF012 - a card is never changed


def test_a_change_enters_the_turn_and_is_run_again_after_a_kill(tmp_path: Path) -> None:
    clock, hub = ManualClock(1_000), Hub()
    journals = MemoryJournals(clock)
    Source(journals, hub, clock)
    engine = Pulse("engine", hub.join(()), clock)
    runner = launch(Parts(Needy()), journals, hub, clock, tmp_path)
    engine.become("READY")
    engine.beat()
    settle(runner)
    clock.advance(2_000 * MS)
    settle(runner)
    again = Needy()
    launch(Parts(again), journals, hub, clock, tmp_path)
    seen = [(m.service, m.state) for m in again.heard if isinstance(m, PeerSeen)]
    assert seen == [("engine", "READY"), ("engine", "SILENT")]
