"""A service whose own past lost something starts again only after a person's word, and folded."""

import random
from pathlib import Path

import pytest

from bus.errors import JournalError
from bus.holes import Accepted, Repairs, keep_repairs, repairs
from bus.journal import open_reader
from bus.repair import DamageError
from bus.salvage import holes, salvage
from bus.segments import bases, segment_path
from schema.house import Recovered
from schema.streams import STREAMS, Stream
from tests.bus.spoiled import records as places
from tests.bus.spoiled import spoil
from tests.bus.toy import Desk, records

INTENT, VERDICT = STREAMS["engine.intent"], STREAMS["risk.verdict"]
STATES = STREAMS["risk.event"]


def damaged(desk: Desk, stream: Stream) -> Path:
    """Kill the service, and damage what it said or heard in the middle of its life."""
    desk.start().story(1, 9)
    desk.hub.places[-1].close()
    folder = desk.path / "journal" / stream.owner / stream.channel
    path = segment_path(folder, bases(folder)[0])
    begin, end, _, _ = places(path)[3]
    spoil(path, begin, end, random.Random(1))
    return folder


def accept_all(folder: Path, stream: Stream) -> None:
    """Let every reader pass every hole."""
    found = holes(open_reader(folder, stream))
    one = tuple(Accepted(first, last, "somebody", "why", 1) for first, last in found)
    assert one
    keep_repairs(folder, Repairs(repairs(folder).salvaged, one))


@pytest.mark.parametrize("stream", [VERDICT, STATES, INTENT], ids=lambda stream: stream.name)
def test_a_past_with_a_hole_stops_its_owner_until_it_is_accepted(
    tmp_path: Path, stream: Stream
) -> None:
    desk = Desk(tmp_path, "disk")
    folder = damaged(desk, stream)
    with pytest.raises(DamageError):
        desk.start()
    salvage(folder, stream, desk.clock)
    with pytest.raises(JournalError, match="--accept-hole"):
        desk.start()
    accept_all(folder, stream)
    desk.start()
    desk.story(9, 12)
    notes = [m for m in records(desk.journals, VERDICT.name) if isinstance(m, Recovered)]
    assert notes[-1].grade == "folded"
    assert f"{stream.name} lacks" in notes[-1].missing
    assert desk.toy.state.total == 22 - 2 * (stream is VERDICT)
