"""The sync thread: it tells what reached the disk, and never says yes after a no."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bus.disk import sync_file
from bus.errors import JournalError
from bus.sync import Syncer
from schema.frame import position
from schema.streams import STREAMS
from tests.bus.rigs import NOON_NS, DiskRig, MemoryRig, said


def test_what_was_requested_is_synced_and_no_more(tmp_path: Path) -> None:
    writer = DiskRig(tmp_path).start()
    syncer = Syncer()
    writer.append([said(1)])
    syncer.request(writer)
    writer.append([said(2)])
    syncer.close()
    assert writer.synced == position(1, 1)
    assert writer.due(NOON_NS + 10**10)


def test_the_loop_does_not_wait_for_a_slow_disk(tmp_path: Path) -> None:
    release = threading.Event()

    def slow(fd: int) -> None:
        assert release.wait(10)
        sync_file(fd)

    writer = DiskRig(tmp_path).start()
    syncer = Syncer(slow)
    before = writer.synced
    for n in range(3):
        writer.append([said(n)])
        syncer.request(writer)
        syncer.settle()
        assert writer.synced == before
    release.set()
    syncer.close()
    assert writer.synced == writer.last


def test_nothing_is_due_while_a_request_is_on_its_way(tmp_path: Path) -> None:
    rig = DiskRig(tmp_path)
    writer, syncer = rig.start(), Syncer()
    writer.append([said(1)])
    rig.clock.advance(10**9)
    assert writer.due(rig.clock.mono_ns())
    syncer.request(writer)
    writer.append([said(2)])
    rig.clock.advance(10**9)
    assert not writer.due(rig.clock.mono_ns())
    syncer.close()
    assert writer.due(rig.clock.mono_ns())


def test_a_roll_while_a_request_is_on_its_way_is_safe(tmp_path: Path) -> None:
    rig = DiskRig(tmp_path)
    writer, syncer = rig.start(), Syncer()
    for n in range(40):
        writer.append([said(n)])
        syncer.request(writer)
        rig.clock.advance(86_400 * 10**9)
    syncer.close()
    assert writer.synced == writer.last


def test_a_failure_breaks_the_writer_and_nothing_is_tried_again(tmp_path: Path) -> None:
    tried: list[int] = []

    def failing(fd: int) -> None:
        tried.append(fd)
        raise OSError(5, os.strerror(5))

    writer = DiskRig(tmp_path).start()
    before = writer.synced
    syncer = Syncer(failing)
    for n in range(3):
        writer.append([said(n)])
        syncer.request(writer)
    with pytest.raises(JournalError, match="the disk did not take"):
        syncer.close()
    assert len(tried) == 1
    assert writer.synced == before
    with pytest.raises(JournalError, match="the disk did not take"):
        writer.append([said(9)])
    with pytest.raises(JournalError, match="the disk did not take"):
        syncer.request(writer)


def test_a_memory_journal_is_as_safe_as_it_will_ever_be() -> None:
    writer, syncer = MemoryRig().start(), Syncer()
    writer.append([said(1)])
    syncer.request(writer)
    assert writer.synced == writer.last
    syncer.close()


LOOK = """
import os, sys
from pathlib import Path
from bus.journal import open_reader
from schema.streams import STREAMS
synced, real = [], os.fdatasync
os.fdatasync = lambda fd: synced.append(real(fd))
reader = open_reader(Path(sys.argv[1]), STREAMS["risk.event"], acts=sys.argv[2] == "acts")
found = reader.read(0)
print(len(found), len(synced))
"""


@pytest.mark.skipif(sys.platform == "darwin", reason="a sync is another call there")
@pytest.mark.parametrize(("who", "syncs"), [("acts", 1), ("looks", 0)])
def test_who_only_looks_at_class_a_costs_the_disk_nothing(
    tmp_path: Path, who: str, syncs: int
) -> None:
    rig = DiskRig(tmp_path, STREAMS["risk.event"])
    rig.start()
    words = [sys.executable, "-c", LOOK, str(rig.folder), who]
    shown = subprocess.run(words, capture_output=True, check=True, text=True).stdout.split()
    assert shown == ["1", str(syncs)]


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    rig = DiskRig(tmp_path)
    writer, syncer = rig.start(), Syncer()
    before = descriptors_below(tmp_path)
    for n in range(20):
        writer.append([said(n)])
        syncer.request(writer)
    syncer.close()
    assert len(before) == 1
    assert descriptors_below(tmp_path) == before


def descriptors_below(folder: Path) -> list[str]:
    """Return the files below `folder` that this process holds open, once for each descriptor.

    Those of other tests in this process are left out: a collector may close them at any time.
    """
    mine = [named(descriptor) for descriptor in Path("/dev/fd").iterdir()]
    return sorted(path for path in mine if path.startswith(str(folder.resolve())))


def named(descriptor: Path) -> str:
    """Return what a descriptor is open on; nothing for one that was closed meanwhile."""
    try:
        return str(descriptor.readlink())
    except OSError:
        return ""
