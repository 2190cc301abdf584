"""What a running service does for its streams beside its work, and tells of how far it came."""

import threading
from pathlib import Path

import msgspec
import pytest

from bus.archive import archive_of, archive_path, bases, packed_bases, plain_bases
from bus.cursors import NAME, read_cursors, registered, write_cursors
from bus.janitor import Janitor
from bus.journals import DiskJournals
from bus.keeper import kept, put_away
from bus.log import Log
from bus.retention import Limits
from bus.runner import Runner
from bus.service import Parts
from bus.upkeep import LOOK_NS, MIRROR_NS, DiskUpkeep
from schema.streams import STREAMS
from schema.units import DAY_NS, MINUTE_NS
from tests.bus.rigs import C, DiskRig, said
from tests.bus.test_archive import archive, days, heard
from tests.bus.toy import Desk, Ledger, Shelf, launch, settle

NUMBER = C.number
SOON = Limits(archive_after_ns=DAY_NS, plain_bytes=1 << 30, cap_bytes=1 << 30)
CAPPED = Limits(archive_after_ns=DAY_NS, plain_bytes=0, cap_bytes=1500)


class Owner:
    """A service's upkeep, its log, and the one stream of it that there is."""

    def __init__(self, tmp_path: Path, limits: Limits = SOON) -> None:
        self.rig = days(DiskRig(tmp_path / "journal", C), 6)
        self.journals = tmp_path / "journal"
        self.log = Log(tmp_path / "logs", "ingest", "w", self.rig.clock, (1 << 20, 2))
        self.log.console = -1
        self.upkeep = DiskUpkeep(self.journals, "ingest", limits, self.rig.clock)

    def look(self) -> dict[str, int]:
        """Let a minute pass, wait for the look that is due then, and return the counters."""
        self.rig.clock.advance(MINUTE_NS + 1)
        self.upkeep.tick((), self.log)
        assert self.upkeep.janitor.rest(30)
        self.rig.clock.advance(LOOK_NS)
        self.upkeep.tick((), self.log)
        assert self.upkeep.janitor.rest(30)
        return dict(self.upkeep.counters())

    def story(self) -> str:
        return (self.journals.parent / "logs" / "system" / "ingest.jsonl").read_text()


def test_an_owner_archives_what_is_a_day_old_and_keeps_what_is_not_read(tmp_path: Path) -> None:
    owner = Owner(tmp_path)
    expected = heard(owner.rig)
    owner.look()
    counters = owner.look()
    assert counters["archived_segments"] == 5
    assert (counters["archive_failed"], counters["retention_held"]) == (0, 1)
    assert len(packed_bases(owner.rig.folder)) == 5
    assert heard(owner.rig) == expected
    assert "journal_put_away" in owner.story()
    owner.upkeep.stop(())


def test_an_owner_deletes_once_its_consumer_is_behind_it_for_a_minute(tmp_path: Path) -> None:
    owner = Owner(tmp_path)
    every = bases(owner.rig.folder)
    owner.look()
    write_cursors(owner.journals / "writer_market", [(NUMBER, every[2])])
    owner.look()
    assert bases(owner.rig.folder) == every
    owner.look()
    assert bases(owner.rig.folder) == every[2:]
    assert dict(owner.upkeep.counters())["retention_held"] == 1
    owner.upkeep.stop(())


def test_a_cursor_that_went_back_is_believed_at_once(tmp_path: Path) -> None:
    owner = Owner(tmp_path)
    every = bases(owner.rig.folder)
    owner.look()
    write_cursors(owner.journals / "writer_market", [(NUMBER, every[3])])
    owner.look()
    # An older shard was brought back: what it lacks is in the journal alone.
    write_cursors(owner.journals / "writer_market", [(NUMBER, every[1])])
    owner.look()
    assert bases(owner.rig.folder) == every[1:]
    owner.upkeep.stop(())


def test_cursors_that_are_gone_hold_everything_at_once(tmp_path: Path) -> None:
    owner = Owner(tmp_path)
    every = bases(owner.rig.folder)
    owner.look()
    write_cursors(owner.journals / "writer_market", [(NUMBER, every[3])])
    owner.look()
    (owner.journals / "writer_market" / NAME).unlink()
    owner.look()
    assert bases(owner.rig.folder) == every
    owner.upkeep.stop(())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_look_that_dies_of_a_defect_is_told_and_the_next_one_is_made(tmp_path: Path) -> None:
    clock = DiskRig(tmp_path / "journal", C).clock
    nowhere = msgspec.structs.replace(C, name="ingest.\0")
    janitor = Janitor(tmp_path / "journal", (nowhere,), SOON, clock)
    for _ in range(2):
        assert janitor.look()
        assert janitor.rest(30)
        (look,) = janitor.looks()
        assert "a defect" in look.done.failure
        for thread in threading.enumerate():
            if thread.name == "janitor":
                thread.join(30)
    janitor.stop()


def test_an_owner_beyond_its_cap_takes_what_is_not_read_and_says_so(tmp_path: Path) -> None:
    owner = Owner(tmp_path, CAPPED)
    write_cursors(owner.journals / "writer_market", [(NUMBER, 1)])
    archive(owner.rig)
    every = bases(owner.rig.folder)
    owner.look()
    assert bases(owner.rig.folder) == every
    counters = owner.look()
    assert counters["retention_forced"] > 0
    assert counters["retention_over"] == 0
    assert sum(one.size for one in kept(owner.rig.folder, C)) <= CAPPED.cap_bytes
    assert "retention_forced" in owner.story()
    owner.rig.clock.advance(2 * DAY_NS)
    assert dict(owner.upkeep.counters())["retention_forced"] == 0
    owner.upkeep.stop(())


def test_what_cannot_be_archived_is_told_once_and_tried_again(tmp_path: Path) -> None:
    owner = Owner(tmp_path)
    archive_of(owner.rig.folder).parent.parent.mkdir()
    archive_of(owner.rig.folder).parent.write_text("a file where a folder should be")
    assert owner.look()["archive_failed"] == 1
    assert owner.look()["archive_failed"] == 1
    assert owner.story().count("archive_failed") == 1
    archive_of(owner.rig.folder).parent.unlink()
    assert owner.look()["archive_failed"] == 0
    assert len(packed_bases(owner.rig.folder)) == 5
    owner.upkeep.stop(())


def test_a_roll_is_looked_at_before_the_minute_is_over(tmp_path: Path) -> None:
    owner = Owner(tmp_path, Limits(DAY_NS, plain_bytes=0, cap_bytes=1 << 30))
    owner.look()
    assert len(plain_bases(owner.rig.folder)) == 1
    writer = owner.rig.start()
    owner.rig.clock.advance(2_000_000_000)
    owner.upkeep.tick((), owner.log)
    assert owner.upkeep.janitor.rest(30)
    writer.append([said(1)])
    assert len(plain_bases(owner.rig.folder)) == 1
    owner.upkeep.stop(())


def test_cursors_are_told_every_ten_seconds_and_at_a_clean_stop(tmp_path: Path) -> None:
    rig = DiskRig(tmp_path / "journal", C)
    log = Log(tmp_path / "logs", "writer_market", "w", rig.clock, (1 << 20, 2))
    upkeep = DiskUpkeep(tmp_path / "journal", "writer_market", SOON, rig.clock)
    assert upkeep.counters() == ()
    upkeep.tick((), log)
    assert read_cursors(tmp_path / "journal", C) == {"writer_market": None}
    rig.clock.advance(MIRROR_NS)
    upkeep.tick(((NUMBER, 7),), log)
    upkeep.tick(((NUMBER, 8),), log)
    assert read_cursors(tmp_path / "journal", C) == {"writer_market": 7}
    rig.clock.advance(MIRROR_NS)
    upkeep.tick(((NUMBER, 8),), log)
    assert read_cursors(tmp_path / "journal", C) == {"writer_market": 8}
    upkeep.stop(((NUMBER, 9),))
    assert read_cursors(tmp_path / "journal", C) == {"writer_market": 9}


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"ingest.trade": "far"}', b"\xff\xfe", b"{}"])
def test_cursors_that_cannot_be_read_say_nothing(tmp_path: Path, data: bytes) -> None:
    write_cursors(tmp_path / "writer_market", [(NUMBER, 7)])
    (tmp_path / "writer_market" / NAME).write_bytes(data)
    assert read_cursors(tmp_path, C) == {"writer_market": None}


def test_only_who_is_registered_is_waited_for() -> None:
    assert registered("writer_trading")
    assert not registered("engine")


def runner_of(desk: Desk, shelf: Shelf) -> Runner:
    journals = DiskJournals(desk.path / "journal", desk.clock, SOON)
    return launch(Parts(Ledger(), store=shelf), journals, desk.hub, desk.clock, desk.path)


def test_a_sink_tells_what_it_committed_and_nothing_before(tmp_path: Path) -> None:
    desk, shelf = Desk(tmp_path, "disk"), Shelf()
    stream = STREAMS["engine.intent"]
    sink = runner_of(desk, shelf)
    desk.source.say(1, 2)
    settle(sink)
    desk.clock.advance(MIRROR_NS)
    settle(sink)
    told = read_cursors(tmp_path / "journal", stream)["writer_trading"]
    assert told == shelf.kept[stream.number] > 0
    desk.source.say(3)
    shelf.break_at = 2
    with pytest.raises(OSError, match="killed before its commit"):
        settle(sink)
    assert read_cursors(tmp_path / "journal", stream)["writer_trading"] == told


def test_a_processor_that_folds_from_archived_segments_has_equal_books(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "disk")
    journals = DiskJournals(tmp_path / "journal", desk.clock, SOON)
    desk.start(journals)
    for day in range(5):
        desk.story(10 * day + 1, 10 * day + 6)
        desk.clock.advance(DAY_NS)
    desk.story(90, 93)
    upkeep = desk.runner._upkeep
    assert isinstance(upkeep, DiskUpkeep)
    assert upkeep.janitor.rest(30)
    desk.clock.advance(MINUTE_NS)
    settle(desk.runner)
    assert upkeep.janitor.rest(30)
    books = desk.toy.state
    desk.runner.stop("told to stop")
    desk.hub.places[-1].close()
    folder = tmp_path / "journal" / "risk" / "verdict"
    assert packed_bases(folder)
    (tmp_path / "journal" / "risk" / "snapshot").unlink()
    desk.start(journals, code="another")
    assert desk.toy.state == books
    settle(desk.runner)
    desk.runner.stop("told to stop")


def test_an_exact_recovery_reads_its_turns_from_the_archive(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "disk")
    desk.start()
    for day in range(3):
        desk.story(10 * day + 1, 10 * day + 6)
        desk.clock.advance(DAY_NS)
    (tmp_path / "journal" / "risk" / "snapshot").unlink()
    books = desk.toy.state
    desk.hub.places[-1].close()
    for name in ("risk.verdict", "risk.event", "engine.intent"):
        rig = DiskRig(tmp_path / "journal", STREAMS[name])
        for base in bases(rig.folder)[:-1]:
            pack(rig, base)
            assert archive_path(rig.folder, base).exists()
    desk.start()
    assert desk.toy.state == books
    assert desk.toy.heard


def pack(rig: DiskRig, base: int) -> None:
    for _ in put_away(rig.folder, base, rig.stream):
        pass
