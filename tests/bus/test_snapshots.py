"""Records of snapshots: alone in their frames, found from the end, never ahead of their stream."""

import random
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.archive import plain_bases
from bus.journal import open_reader
from bus.keeper import put_away
from bus.segments import CHUNK_BYTES
from schema.frame import HEADER_BYTES, Kind, position, unpack
from schema.market import DepthSnapshot, DepthUpdate
from schema.messages import encode
from schema.streams import STREAMS
from schema.units import DAY_NS
from tests.bus.rigs import A, B, DiskRig, MemoryRig, Rig, said
from tests.bus.till import standing

DEPTH = STREAMS["ingest.depth"]


@pytest.fixture(params=["memory", "disk"])
def depth(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    return MemoryRig(DEPTH) if request.param == "memory" else DiskRig(tmp_path, DEPTH)


@pytest.fixture(params=["memory", "disk"])
def orders(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    return MemoryRig(A) if request.param == "memory" else DiskRig(tmp_path, A)


def update(n: int) -> DepthUpdate:
    return DepthUpdate(
        ts_event=n, symbol="BTC/USDT", first_update_id=n, last_update_id=n, bids=(), asks=(),
        px_exp=2, qty_exp=8,
    )  # fmt: skip


def whole(n: int) -> DepthSnapshot:
    return DepthSnapshot(
        ts_event=n, symbol="BTC/USDT", update_id=n, bids=(), asks=(), px_exp=2, qty_exp=8
    )


def test_a_snapshot_stands_alone_in_a_frame_of_its_own_kind(depth: Rig) -> None:
    frames = [*map(unpack, depth.start().append([update(1), update(2), whole(3), update(4)]))]
    kinds = [Kind.DATA, Kind.SNAPSHOT, Kind.DATA]
    assert [frame.kind for frame in frames] == kinds
    assert [frame.count for frame in frames] == [2, 1, 1]
    assert [frame.pos for frame in frames] == [position(1, n) for n in (1, 3, 4)]
    kept = depth.journals.reader(DEPTH).read(position(1, 0))
    assert kept == frames


def test_streams_without_snapshots_are_written_as_before(tmp_path: Path) -> None:
    (frame,) = DiskRig(tmp_path, B).start().append([said(1), said(2)])
    assert (unpack(frame).kind, unpack(frame).count) == (Kind.DATA, 2)


def test_the_newest_snapshot_is_found_and_none_before_the_first(depth: Rig) -> None:
    reader = depth.journals.reader(DEPTH)
    assert reader.snapshot() == 0
    writer = depth.start()
    writer.append([update(1)])
    assert reader.snapshot() == 0
    for n in range(2, 40, 3):
        writer.append([whole(n), update(n + 1), update(n + 2)])
        assert reader.snapshot() == writer.last - 2


def test_a_snapshot_is_found_behind_whole_lives_without_one(depth: Rig) -> None:
    writer = depth.start()
    writer.append([update(1), whole(2)])
    pos = writer.last
    writer.close("done")
    for _ in range(3):
        writer = depth.start()
        writer.append([update(n) for n in range(20)])
        writer.close("done")
    assert depth.journals.reader(DEPTH).snapshot() == pos


def test_a_snapshot_in_the_archive_is_found_and_joined(tmp_path: Path) -> None:
    rig = DiskRig(tmp_path / "journal", DEPTH)
    writer = rig.start()
    writer.append([update(1), whole(2), update(3)])
    pos = writer.last - 1
    for _ in range(3):
        rig.clock.advance(DAY_NS)
        writer.append([update(4)])
    for base in plain_bases(rig.folder)[:-1]:
        for _ in put_away(rig.folder, base, DEPTH):
            pass
    assert len(plain_bases(rig.folder)) == 1
    reader = rig.journals.reader(DEPTH)
    assert reader.snapshot() == pos
    assert reader.read(pos - 1)[0].kind == Kind.SNAPSHOT


def test_parts_begin_at_the_first_one_and_count_only_when_all_are_there(orders: Rig) -> None:
    writer, reader = orders.start(), orders.journals.reader(A)
    writer.append([said(1), standing(2)])
    one = writer.last
    assert reader.snapshot() == one
    writer.append([standing(3, 1, 3), standing(3, 2, 3)])
    assert reader.snapshot() == one
    writer.append([said(4), standing(5, 1, 3), standing(5, 2, 3), standing(5, 3, 3), said(6)])
    assert reader.snapshot() == writer.last - 3


@given(
    cuts=st.lists(st.sampled_from(["say", "tell", "begin", "roll"]), max_size=40),
    seed=st.integers(0, 2**32),
)
def test_whatever_was_said_the_newest_whole_snapshot_is_found(cuts: list[str], seed: int) -> None:
    chance, rig = random.Random(seed), MemoryRig(A)
    writer, newest = rig.start(), 0
    for cut in cuts:
        match cut:
            case "say":
                writer.append([said(1)] * chance.randint(1, 5))
            case "tell":
                parts = chance.randint(1, 4)
                writer.append([standing(1, part, parts) for part in range(1, parts + 1)])
                newest = writer.last - parts + 1
            case "begin":
                writer.append([standing(1, part, 5) for part in range(1, chance.randint(2, 5))])
            case "roll":
                writer = rig.start()
        assert rig.journals.reader(A).snapshot() == newest


def test_a_torn_or_damaged_snapshot_is_none(tmp_path: Path) -> None:
    rig = DiskRig(tmp_path, DEPTH)
    writer = rig.start()
    writer.append([update(1), whole(2)])
    before = writer.last
    writer.append([update(3), whole(4)])
    path = rig.newest()
    size = path.stat().st_size
    record = HEADER_BYTES + len(encode([whole(4)]))
    reader = open_reader(rig.folder, DEPTH)
    for cut in range(size - 1, size - record, -7):
        with path.open("r+b") as file:
            file.truncate(cut)
        assert reader.snapshot() == before


@pytest.mark.parametrize("within", range(0, 40, 3))
def test_a_header_over_the_edge_of_a_stretch_is_found(tmp_path: Path, within: int) -> None:
    """A file is read backwards in stretches, and one may begin within a header."""
    rig = DiskRig(tmp_path, DEPTH)
    writer = rig.start()
    writer.append([whole(1)])
    pos, end = writer.last, rig.newest().stat().st_size
    head = end - HEADER_BYTES - len(encode([whole(1)]))
    filler = head + within + CHUNK_BYTES - end - HEADER_BYTES
    writer.append_body(Kind.DATA, bytes(filler), 1)
    assert rig.newest().stat().st_size - CHUNK_BYTES == head + within
    assert open_reader(rig.folder, DEPTH).snapshot() == pos


def test_a_power_cut_never_leaves_a_snapshot_without_what_it_tells(tmp_path: Path) -> None:
    """It stands in the stream behind its content, so the content cannot go without it."""
    for seed in range(60):
        chance = random.Random(seed)
        rig: Rig = MemoryRig(A) if seed % 2 else DiskRig(tmp_path / str(seed), A)
        writer = rig.start()
        for n in range(1, chance.randint(2, 9)):
            writer.append([said(n)])
            if chance.random() < 0.5:
                writer.append([standing(n)])
            if chance.random() < 0.4:
                writer.sync()
                rig.note_sync()
        writer._release()
        rig.cut_power(chance)
        rig.start()
        told, snapshots = 0, 0
        reader, after = rig.journals.reader(A), 0
        while frames := reader.read(after):
            after = frames[-1].last
            for frame in frames:
                (message,) = _messages(frame.kind, frame.body)
                if frame.kind == Kind.SNAPSHOT:
                    assert message == told
                    snapshots += 1
                elif frame.kind == Kind.DATA:
                    told = message
        assert bool(reader.snapshot()) == bool(snapshots)


def _messages(kind: int, body: bytes) -> list[int]:
    if kind not in (Kind.DATA, Kind.SNAPSHOT):
        return [0]
    return [row[1] for row in msgspec.msgpack.decode(body)]
