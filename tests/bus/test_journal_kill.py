"""Real processes, really killed: what a writer has told of is there, all of it, once."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bus.merge import Merge
from schema.frame import Kind
from schema.streams import Stream
from tests.bus.rigs import A, B, C, DiskRig, numbers

ROUNDS = 12

WRITER = """
import sys
from pathlib import Path
from schema.streams import STREAMS
from tests.bus.rigs import DiskRig, said
rig = DiskRig(Path(sys.argv[1]), STREAMS[sys.argv[2]])
n = int(sys.argv[3])
writer = rig.start()
while True:
    writer.append([said(n + i) for i in range(7)])
    if rig.stream.durability == "A":
        writer.sync()
    n += 7
    sys.stdout.write(f"{n}\\n")
    sys.stdout.flush()
    if n % 70 == 0:
        rig.clock.advance(86_400 * 10**9)
"""


def life(root: Path, stream: Stream, first: int, lines: int) -> int:
    """Let a writer live until it has told of some appends, kill it; return what it told last."""
    command = [sys.executable, "-c", WRITER, str(root), stream.name, str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told = first
        for _ in range(lines):
            told = int(child.stdout.readline())
        os.kill(child.pid, signal.SIGKILL)
        rest = [line for line in child.stdout.read().splitlines() if line]
        child.wait()
    return int(rest[-1]) if rest else told


def follow(rig: DiskRig, merge: Merge, heard: list[int]) -> None:
    """Read on to the end, as a subscriber does."""
    reader = rig.journals.reader(rig.stream)
    while frames := reader.read(merge.pos):
        for frame in frames:
            step = merge.journal(frame)
            assert step.action == "deliver", step
            heard += numbers(rig.stream, frame.body) if frame.kind == Kind.DATA else []
    reader.close()


@pytest.mark.slow
@pytest.mark.parametrize("stream", [A, B, C])
def test_a_killed_writer_loses_nothing_that_it_told_of(tmp_path: Path, stream: Stream) -> None:
    rng = random.Random(7)
    rig, merge = DiskRig(tmp_path / "with a space", stream), Merge()
    heard: list[int] = []
    for _ in range(ROUNDS):
        first = heard[-1] + 1 if heard else 0
        told = life(tmp_path / "with a space", stream, first, rng.randint(1, 300))
        follow(rig, merge, heard)
        assert heard[-1] >= told - 1
    assert heard == list(range(heard[-1] + 1))
    again: list[int] = []
    follow(rig, Merge(), again)
    assert again == heard


@pytest.mark.slow
def test_a_reader_beside_a_living_writer_sees_whole_records_in_order(tmp_path: Path) -> None:
    rig, merge = DiskRig(tmp_path), Merge()
    heard: list[int] = []
    command = [sys.executable, "-c", WRITER, str(tmp_path), B.name, "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        reader = rig.journals.reader(B)
        while len(heard) < 20_000:
            child.stdout.readline()
            for frame in reader.read(merge.pos):
                assert merge.journal(frame).action == "deliver"
                heard += numbers(B, frame.body) if frame.kind == Kind.DATA else []
        os.kill(child.pid, signal.SIGKILL)
        child.stdout.read()
    assert heard == list(range(len(heard)))
