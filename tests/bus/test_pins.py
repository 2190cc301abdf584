"""Who holds a write-ahead log back, told without opening a file that would drop locks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bus import pins
from bus.migrations import KINDS
from bus.pins import Pin, pinned_by
from bus.reading import attach, open_reader
from bus.shard import open_writer

KIND = KINDS["market"]
HOLDER = """
import sys
from pathlib import Path
from bus.migrations import KINDS
from bus.reading import attach, open_reader
db = open_reader()
assert attach(db, KINDS["market"], Path(sys.argv[1]), "m")
held = db.execute("SELECT * FROM m.migration")
next(held)
print("held", flush=True)
sys.stdin.read()
"""
told = pytest.mark.skipif(not pins.LOCKS.exists(), reason="this kernel tells nobody who locks what")


@told
def test_a_process_that_holds_the_log_back_is_named(tmp_path: Path) -> None:
    shard = open_writer(KIND, tmp_path / "m.db", "w")
    assert pinned_by(shard.path, os.getpid()) == []
    command = [sys.executable, "-c", HOLDER, str(shard.path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "held\n"
        (pin,) = pinned_by(shard.path, os.getpid())
        assert pin.pid == other.pid
        assert pin.program.startswith(Path(sys.executable).name)
        other.stdin.close()
    assert pinned_by(shard.path, os.getpid()) == []
    shard.close()


@told
def test_the_own_process_is_left_out_and_its_locks_stay(tmp_path: Path) -> None:
    shard = open_writer(KIND, tmp_path / "m.db", "w")
    reader = open_reader()
    assert attach(reader, KIND, shard.path, "m")
    held = reader.execute("SELECT * FROM m.migration")
    next(held)
    assert pinned_by(shard.path, os.getpid()) == []
    assert [pin.pid for pin in pinned_by(shard.path, 0)] == [os.getpid()]
    with shard.transaction() as db:
        db.execute("INSERT INTO dead_letter VALUES (NULL, 0, 't', 'r', x'00')")
    assert not shard.checkpoint(truncate=True)  # The reader's lock is where it was.
    reader.close()
    assert shard.checkpoint(truncate=True)
    shard.close()


def test_a_shard_without_a_log_has_nobody_that_holds_it(tmp_path: Path) -> None:
    assert pinned_by(tmp_path / "none.db", os.getpid()) == []


def test_lines_of_other_files_and_other_locks_are_passed_over() -> None:
    lines = (
        ("1: POSIX  ADVISORY  READ 7 fe:00:12 124 124", 7),
        ("1: POSIX  ADVISORY  WRITE 7 fe:00:12 120 EOF", 7),
        ("1: POSIX  ADVISORY  READ 7 fe:00:12 128 128", 0),
        ("1: POSIX  ADVISORY  READ 7 fe:00:12 120 122", 0),
        ("1: POSIX  ADVISORY  READ 7 fe:00:13 124 124", 0),
        ("1: FLOCK  ADVISORY  WRITE 7 fe:00:12 0 EOF", 0),
        ("1: OFDLCK ADVISORY  READ -1 fe:00:12 124 124", 0),
        ("2: -> POSIX  ADVISORY  READ 7 fe:00:12 124 124", 0),
        ("", 0),
    )
    for line, expected in lines:
        assert pins._holder(line.split(), "fe:00:12") == expected, line


def test_a_program_is_named_by_its_words() -> None:
    assert pins.program_of(0) == ""
    if Path("/proc/self/cmdline").exists():
        assert pins.program_of(os.getpid())
    assert Pin(1, "a") < Pin(2, "a")
