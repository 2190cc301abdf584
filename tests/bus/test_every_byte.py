"""A journal cut at every byte and turned over at every bit: what is whole is kept, nothing silent.

The long proofs go over the last 64 KiB and the last 4 KiB; the short ones over a sample of them.
"""

import os
import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from bus.repair import DamageError, foreign_at, survey
from bus.segments import segment_path
from schema.streams import Stream
from tests.bus.rigs import A, B, C, DiskRig
from tests.bus.strips import BASE, Readings, Strip, flipped, positions, written

CUT_BYTES = 64 << 10
FLIP_BYTES = 4 << 10
CLASSES = pytest.mark.parametrize("stream", [A, B, C], ids=lambda stream: stream.durability)


def long(root: Path, stream: Stream) -> Strip:
    """Return a little more than what is cut, in records of every size."""
    chance = random.Random(5)
    return written(root, stream, [chance.choice((110, 400, 2000, 9000)) for _ in range(26)])


def short(root: Path, stream: Stream) -> Strip:
    return written(root, stream, [110, 130, 300] * 8)


def require_cut(strip: Strip, length: int) -> None:
    """Require that a survey keeps what is whole before a cut, and calls nothing damage."""
    found = survey(strip.data[:length], strip.stream.name, BASE)
    kept = strip.kept(length)
    assert (found.end, found.damage) == (strip.starts[kept], [])
    assert (found.last or BASE - 1, found.sealed) == (strip.lasts[kept], False)


def require_read(strip: Strip, readings: Readings, length: int) -> None:
    """Require that a reader gives out what is whole near the cut, and waits for the rest."""
    os.truncate(readings.path, length)
    kept = strip.kept(length)
    after = strip.lasts[max(0, kept - 3)]
    assert readings.read_again(after) == ([*range(after + 1, strip.lasts[kept] + 1)], False)
    assert readings.holes == 0


def cuts(strip: Strip, lengths: Iterable[int], root: Path) -> None:
    readings = Readings(root, strip)
    readings.path.write_bytes(strip.data)
    for length in lengths:
        require_cut(strip, length)
        require_read(strip, readings, length)


def near(strip: Strip, within: int) -> list[int]:
    """Return the lengths around the beginning of each record and of its body, longest first."""
    last = len(strip.data)
    edges = {start + step for start in strip.starts for step in (-1, 0, 1, 27, 35, 71, 72, 73)}
    return sorted((edge for edge in edges if max(1, last - within) <= edge <= last), reverse=True)


@CLASSES
def test_a_cut_near_the_edges_of_records_keeps_what_is_whole(
    tmp_path: Path, stream: Stream
) -> None:
    strip = long(tmp_path / "made", stream)
    assert len(strip.data) > CUT_BYTES
    cuts(strip, near(strip, CUT_BYTES), tmp_path)


@pytest.mark.slow
@CLASSES
def test_a_cut_at_every_byte_keeps_what_is_whole(tmp_path: Path, stream: Stream) -> None:
    strip = long(tmp_path / "made", stream)
    last = len(strip.data)
    for length in range(last - CUT_BYTES, last + 1):
        require_cut(strip, length)
    cuts(strip, range(last, last - CUT_BYTES, -29), tmp_path)


def require_told(strip: Strip, data: bytes, bit: int) -> None:
    """Require that a survey tells of the one record that a bit costs, and keeps all others."""
    begin, end = strip.starts[(hit := strip.record_of(bit // 8)) : hit + 2]
    found = survey(data, strip.stream.name, BASE)
    if end < len(data):
        assert (found.end, found.damage) == (len(data), [(begin, end)])
        return
    assert (found.end, found.damage) == (begin, [])  # At the very end it is a tear.
    other = foreign_at(data, begin, strip.stream.name)
    assert bool(other) <= (bit // 8 - begin < 24)


def require_heard(strip: Strip, readings: Readings, data: bytes, bit: int) -> None:
    """Require that a reader gives out all others, or stops and says so, as the class asks."""
    hit = strip.record_of(bit // 8)
    heard, refused = readings.read(data, strip.lasts[max(0, hit - 2)])
    before = [*range(strip.lasts[max(0, hit - 2)] + 1, strip.lasts[hit] + 1)]
    behind = [*range(strip.lasts[hit + 1] + 1, strip.lasts[-1] + 1)]
    if strip.starts[hit + 1] == len(data):
        assert (heard, refused, readings.holes) == (before, False, 0)
    elif strip.stream.durability == "C":
        assert (heard, refused, readings.holes) == (before + behind, False, 1)
    else:
        assert (heard, refused) == (before, True)


def flips(root: Path, stream: Stream, every: int) -> None:
    strip = short(root / "made", stream)
    readings = Readings(root, strip)
    last = len(strip.data) * 8
    for bit in range(last - FLIP_BYTES * 8, last, every):
        data = flipped(strip.data, bit)
        require_told(strip, data, bit)
        if bit % 9 == 0:
            require_heard(strip, readings, data, bit)


@CLASSES
def test_a_bit_turned_over_costs_one_record_and_is_told(tmp_path: Path, stream: Stream) -> None:
    flips(tmp_path, stream, 57)


@pytest.mark.slow
@CLASSES
def test_every_bit_turned_over_costs_one_record_and_is_told(tmp_path: Path, stream: Stream) -> None:
    flips(tmp_path, stream, 1)


@CLASSES
def test_a_sealed_segment_cut_anywhere_is_never_passed_in_silence(
    tmp_path: Path, stream: Stream
) -> None:
    rig = DiskRig(tmp_path, stream)
    writer = rig.start()
    path = rig.newest()
    strip = written(tmp_path / "made", stream, [110, 130, 300] * 3)
    writer._release()
    path.write_bytes(strip.data)
    rig.start()._release()  # The next epoch: what it seals is no longer the newest.
    whole = path.read_bytes()
    assert len(whole) > len(strip.data)
    for length in range(len(whole) - 1, 0, -7):
        os.truncate(path, length)
        kept = [*range(BASE, strip.lasts[strip.kept(min(length, len(strip.data)))] + 1)]
        heard, holes, refused = read_all(rig)
        assert heard[: len(kept)] == kept
        if stream.durability == "C":
            assert (refused, holes) == (False, 1)
        else:
            assert (heard, refused) == (kept, True)


def read_all(rig: DiskRig) -> tuple[list[int], int, bool]:
    """Return positions, holes, and whether the reader refused."""
    readings = rig.journals.reader(rig.stream)
    found: list[int] = []
    refused = False
    try:
        while frames := readings.read(found[-1] if found else 0):
            found += positions(frames)
    except DamageError:
        refused = True
    holes = readings.holes
    readings.close()
    return found, holes, refused


def test_what_is_not_yet_whole_is_read_once_it_is(tmp_path: Path) -> None:
    strip = short(tmp_path / "made", B)
    folder = tmp_path / B.owner / B.channel
    folder.mkdir(parents=True)
    path = segment_path(folder, BASE)
    reader = DiskRig(tmp_path, B).journals.reader(B)
    heard: list[int] = []
    with path.open("wb", buffering=0) as file:
        for at in range(0, len(strip.data), 37):
            file.write(strip.data[at : at + 37])
            heard += positions(reader.read(heard[-1] if heard else 0))
    assert heard == [*range(BASE, strip.lasts[-1] + 1)]
    reader.close()
