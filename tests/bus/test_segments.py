"""How a stream lies on the disk: rolls, modes, retention, failing disks."""

import hashlib
import os
import random
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bus.epoch import EPOCH_MAX, EpochCounter
from bus.errors import JournalError
from bus.journal import SEGMENT_BYTES_MAX, boot_id
from bus.mend import UNSYNCED
from bus.record import JournalReader
from bus.repair import DamageError, end_mark, record_at, survey
from bus.segments import bases, segment_path
from schema.frame import FRAME_BYTES_MAX, HEADER_BYTES, Kind, position, topic
from schema.house import SegmentEnd
from schema.messages import decode
from schema.units import DAY_NS
from tests.bus.rigs import A, B, DiskRig, said


@pytest.fixture
def rig(tmp_path: Path) -> DiskRig:
    return DiskRig(tmp_path / "a journal")


def count(reader: JournalReader) -> int:
    """Return how many positions a reader finds, and that none is missing between them."""
    total, after = 0, 0
    while frames := reader.read(after):
        for frame in frames:
            assert after in (0, frame.pos - 1) or frame.kind == Kind.EPOCH
            total, after = total + frame.count, frame.last
    return total


def marks(path: Path) -> tuple[SegmentEnd, SegmentEnd | None, bytes]:
    """Return the marks that a segment begins and ends with, and the bytes before the last."""
    data = path.read_bytes()
    at = data.rindex(topic(B.name))
    first, last = record_at(data, 0, B.name), record_at(data, at, B.name)
    assert first is not None and last is not None and first.kind == Kind.EOF
    begin = decode(B.number, first.body)[0]
    assert isinstance(begin, SegmentEnd)
    return begin, end_mark(last, int(path.stem)), data[:at]


def test_directories_and_files_are_the_owners_alone(rig: DiskRig) -> None:
    rig.start()
    for path in (rig.folder, rig.folder.parent, rig.folder.parent.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in (rig.newest(), rig.folder.parent / "EPOCH"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_segment_ends_with_its_hash_and_the_next_one_repeats_it(rig: DiskRig) -> None:
    rig.start().append([said(1)])
    first = rig.newest()
    rig.start().close("done")
    second = rig.newest()
    begin, end, sealed = marks(first)
    assert begin.blake2b == b""
    assert end is not None
    assert hashlib.blake2b(sealed, digest_size=32).digest() == end.blake2b
    assert marks(second)[0].blake2b == end.blake2b


def test_a_segment_rolls_at_64_mebibytes_and_readers_go_on(rig: DiskRig) -> None:
    writer = rig.start()
    reader = rig.journals.reader(B)
    body = bytes(FRAME_BYTES_MAX - HEADER_BYTES)
    for _ in range(SEGMENT_BYTES_MAX // FRAME_BYTES_MAX + 2):
        writer.append_body(Kind.SNAPSHOT, body, 1)
        assert reader.last() == writer.last
    assert len(bases(rig.folder)) == 2
    assert segment_path(rig.folder, bases(rig.folder)[0]).stat().st_size < SEGMENT_BYTES_MAX + 4096
    assert writer.synced >= bases(rig.folder)[1] - 1
    assert count(reader) == SEGMENT_BYTES_MAX // FRAME_BYTES_MAX + 3
    path = segment_path(rig.folder, bases(rig.folder)[0])
    assert survey(path.read_bytes(), B.name, bases(rig.folder)[0]).sealed


def test_a_segment_rolls_at_midnight_of_utc_and_never_back(rig: DiskRig) -> None:
    writer = rig.start()
    reader = rig.journals.reader(B)
    for day in range(4):
        writer.append([said(day)])
        rig.clock.advance(DAY_NS)
    assert len(bases(rig.folder)) == 4
    rig.clock.now_ns -= 2 * DAY_NS
    writer.append([said(5)])
    assert len(bases(rig.folder)) == 4
    assert count(reader) == 6
    writer._release()
    assert rig.start().before.last == position(1, 5)


def test_a_roll_while_a_reader_is_at_the_tail_loses_nothing(rig: DiskRig) -> None:
    writer = rig.start()
    reader = rig.journals.reader(B)
    after = reader.read(0)[-1].last
    for n in range(50):
        writer.append([said(n)])
        if n % 3 == 0:
            rig.clock.advance(DAY_NS)
        if n % 2 == 0:
            while frames := reader.read(after):
                assert frames[0].pos == after + 1
                after = frames[-1].last
    assert count(rig.journals.reader(B)) == 51


def test_a_reader_finds_any_position_of_a_large_segment(rig: DiskRig) -> None:
    rng = random.Random(3)
    writer = rig.start()
    for _ in range(120):
        writer.append_body(Kind.SNAPSHOT, rng.randbytes(rng.choice((9, 900, 90_000, 300_000))), 3)
    for seal in (False, True):
        if seal:
            writer.close("done")
        reader = rig.journals.reader(B)
        for after in rng.sample(range(1 << 40, writer.last), 150):
            frame = reader.read(after, 1)[0]
            assert frame.pos <= after + 1 <= frame.last
        assert reader.read(writer.last) == []


def test_a_reader_outlives_the_deletion_of_what_it_reads(rig: DiskRig) -> None:
    writer = rig.start()
    for n in range(6):
        writer.append([said(n)])
        rig.clock.advance(DAY_NS)
    reader = rig.journals.reader(B)
    after = reader.read(0, 1)[-1].last
    for base in bases(rig.folder)[:3]:
        segment_path(rig.folder, base).unlink()
    found = []
    while frames := reader.read(after):
        found += [frame.pos for frame in frames]
        after = frames[-1].last
    assert found == [position(1, n) for n in (1, 4, 5, 6)]  # The merge names what is missing.
    assert rig.journals.reader(B).first() == position(1, 4)


def test_a_position_before_everything_kept_gives_what_is_kept(rig: DiskRig) -> None:
    for n in range(3):
        rig.start().append([said(n)])
    segment_path(rig.folder, bases(rig.folder)[0]).unlink()
    assert rig.journals.reader(B).read(position(1, 0))[0].pos == position(2, 0)


def test_a_foreign_file_between_the_segments_disturbs_nobody(rig: DiskRig) -> None:
    rig.start().append([said(1)])
    for name in (".DS_Store", "notes.seg", "00000001099511627776.seg.torn"):
        (rig.folder / name).write_bytes(b"not a segment")
    rig.start()
    assert count(rig.journals.reader(B)) == 3


def test_the_epoch_counter_only_grows(tmp_path: Path) -> None:
    counter = EpochCounter(tmp_path / "a b" / "ingest")
    assert [counter.open(), counter.open(), counter.open(found=7), counter.open()] == [1, 2, 8, 9]
    assert counter.path.read_text() == "9\n"


def test_a_lost_epoch_counter_goes_on_behind_the_names_of_the_segments(rig: DiskRig) -> None:
    for _ in range(3):
        rig.start()
    (rig.folder.parent / "EPOCH").unlink()
    assert rig.start().epoch == 4


@pytest.mark.parametrize("text", ["", "seven", "-1", "1.5", "\0\0\0\0"])
def test_a_damaged_epoch_counter_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "EPOCH").write_text(text)
    with pytest.raises(DamageError, match="expected a whole number") as failure:
        EpochCounter(tmp_path).open()
    assert failure.value.exit_code == 78


def test_the_last_epoch_is_refused(tmp_path: Path) -> None:
    (tmp_path / "EPOCH").write_text(str(EPOCH_MAX))
    with pytest.raises(JournalError, match="no epoch is left"):
        EpochCounter(tmp_path).open()


def test_a_segment_that_exists_is_never_opened_again(rig: DiskRig) -> None:
    rig.start().append([said(1)])
    path = rig.newest()
    before = path.read_bytes()
    with pytest.raises((JournalError, AssertionError)):
        rig.start(epoch=1)
    assert path.read_bytes() == before


def test_after_a_failed_sync_nothing_more_is_said_and_the_next_start_writes_anew(
    rig: DiskRig,
) -> None:
    writer = rig.start()
    writer.append([said(1)])
    os.close(writer.detach()[0])
    promised = writer.synced
    _close_under(writer.stream.name, rig)
    for _ in range(2):
        with pytest.raises(JournalError, match="cannot be written"):
            writer.sync()
    with pytest.raises(JournalError, match="cannot be written"):
        writer.append([said(2)])
    assert writer.synced == promised
    assert (rig.folder / UNSYNCED).exists()
    assert rig.start().before.last == position(1, 1)
    assert not (rig.folder / UNSYNCED).exists()


def test_a_directory_that_cannot_be_written_is_told_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "gateway").write_text("a file where a directory should be")
    with pytest.raises(JournalError) as failure:
        DiskRig(tmp_path, A).start()
    assert str(tmp_path / "gateway") in failure.value.what
    assert failure.value.exit_code == 74


def test_a_full_disk_stops_the_writer_and_costs_only_what_was_not_appended(tmp_path: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True
    )
    said_last = int(child.stdout)
    rig = DiskRig(tmp_path)
    assert rig.journals.reader(B).last() == said_last
    writer = rig.start()
    assert writer.before.last == said_last
    assert writer.before.torn_bytes > 0
    assert count(rig.journals.reader(B)) == (said_last & 0xFFFFFFFF) + 2


def test_a_disk_too_full_to_keep_a_torn_tail_leaves_it_where_it_is(tmp_path: Path) -> None:
    rig = DiskRig(tmp_path)
    rig.start()._release()
    with rig.newest().open("ab") as file:
        file.write(b"x" * 9000)
    before = rig.newest().read_bytes()
    subprocess.run([sys.executable, "-c", FULL_AT_START, str(tmp_path)], check=True)
    assert rig.newest().read_bytes() == before
    assert rig.start().before.torn_bytes == 9000


def test_the_boot_id_is_the_same_until_the_machine_starts_again() -> None:
    assert boot_id() == boot_id() != ""


FULL_DISK = """
import resource, sys
from pathlib import Path
from bus.errors import JournalError
from tests.bus.rigs import DiskRig, said
writer = DiskRig(Path(sys.argv[1])).start()
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
failures = 0
while failures < 3:
    before = writer.last
    try:
        writer.append([said(1)])
    except JournalError as error:
        assert "cannot be written" in str(error), error
        assert writer.last == before
        failures += 1
print(before)
"""

FULL_AT_START = """
import resource, sys
from pathlib import Path
from bus.errors import JournalError
from tests.bus.rigs import DiskRig
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    DiskRig(Path(sys.argv[1])).start()
except JournalError as error:
    assert "cannot be written" in str(error), error
else:
    sys.exit(1)
"""


def _close_under(name: str, rig: DiskRig) -> None:
    """Make the descriptor that this process appends to the newest segment with unfit to write."""
    for entry in Path("/dev/fd").iterdir():
        if entry.is_symlink() and os.path.realpath(entry) == os.path.realpath(rig.newest()):
            unfit = os.open(os.devnull, os.O_RDONLY)
            os.dup2(unfit, int(entry.name))
            os.close(unfit)
            return
    pytest.skip(f"the system does not tell which descriptor writes {name}")
