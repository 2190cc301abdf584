"""Whatever hits the bytes of a journal: salvage keeps what was not hit, and tells the rest."""

import random
from pathlib import Path

import pytest

from bus.audit import audit
from bus.errors import JournalError
from bus.salvage import examine, holes, salvage
from bus.segments import bases, segment_path
from schema.frame import HEADER_BYTES, Kind, unpack
from schema.streams import Stream
from tests.bus.rigs import A, B, C, DiskRig, numbers
from tests.bus.spoiled import accept, all_of, heard, written

WIDEST = 400


def hurt(data: bytes, rng: random.Random) -> tuple[bytes, int, int]:
    """Return bytes after a misfortune, and the stretch of the old ones that it may have hit."""
    begin = rng.randrange(len(data))
    end = min(len(data), begin + rng.randint(1, WIDEST))
    match rng.randrange(6):
        case 0:
            return data[:begin] + bytes(end - begin) + data[end:], begin, end
        case 1:
            return data[:begin] + rng.randbytes(end - begin) + data[end:], begin, end
        case 2:
            return data[:begin] + data[end:], begin, end
        case 3:
            return data[:begin] + rng.randbytes(rng.randint(1, 99)) + data[begin:], begin, begin + 1
        case 4:
            return data[:begin], begin, len(data)
    return data[:begin] + data[max(0, begin - 90) : begin] + data[begin:], begin, begin + 1


def unhurt(rig: DiskRig, data: bytes, begin: int, end: int) -> dict[int, int]:
    """Return the messages of a segment whose records lie outside of a stretch."""
    found: dict[int, int] = {}
    at = 0
    while at < len(data):
        frame = unpack(data, at)
        stop = at + HEADER_BYTES + len(frame.body)
        if frame.kind == Kind.DATA and (stop <= begin or at >= end):
            found |= dict(enumerate(numbers(rig.stream, frame.body), frame.pos))
        at = stop
    return found


def survives(root: Path, stream: Stream, seed: int) -> None:
    """Hurt two places of a journal, salvage it, and compare all that a reader is given."""
    rng = random.Random(seed)
    rig = written(root, stream)
    before, sure = all_of(rig), dict(all_of(rig))
    for base in rng.sample(bases(rig.folder)[:-1], 2):
        path = segment_path(rig.folder, base)
        data = path.read_bytes()
        changed, begin, end = hurt(data, rng)
        path.write_bytes(changed)
        kept = unhurt(rig, data, begin, end)
        following = min(one for one in [*bases(rig.folder), 1 << 62] if one > base)
        sure = {p: n for p, n in sure.items() if not base <= p < following} | kept
    if not audit(rig.folder, stream).problems:
        assert all_of(rig) == before
        return
    told = examine(rig.folder, stream).missing
    salvage(rig.folder, stream, rig.clock)
    found = all_of(rig)
    assert sure.items() <= found.items() <= before.items()
    assert list(holes(rig.journals.reader(stream))) == told
    assert all("are missing" in one for one in audit(rig.folder, stream).problems)
    if told and stream.durability in "AB":
        with pytest.raises(JournalError, match=f"{told[0][0]} to {told[0][1]}"):
            heard(rig, 0)
    for hole in told:
        accept(rig, *hole)
    assert heard(rig, 0) == list(found.values())
    assert audit(rig.folder, stream).problems == []
    rig.start()._release()
    assert audit(rig.folder, stream).problems == []


@pytest.mark.parametrize("stream", [A, B, C], ids=lambda stream: stream.name)
def test_what_was_not_hit_is_kept_and_what_is_missing_is_told(
    tmp_path: Path, stream: Stream
) -> None:
    for seed in range(12):
        survives(tmp_path / str(seed), stream, seed)


@pytest.mark.slow
@pytest.mark.parametrize("stream", [A, B, C], ids=lambda stream: stream.name)
def test_hundreds_of_misfortunes_lose_nothing_that_was_not_hit(
    tmp_path: Path, stream: Stream
) -> None:
    for seed in range(100, 200):
        survives(tmp_path / str(seed), stream, seed)
