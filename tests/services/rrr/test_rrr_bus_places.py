"""Places on a stream: read, written, and found without reading the stream from its beginning."""

from contextlib import suppress

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.clock import ManualClock
from bus.errors import HouseError
from schema.frame import EPOCH_SHIFT
from schema.streams import STREAMS
from schema.units import SECOND_NS
from services.rrr.places import Place, place_text, position_text, read_place, read_position
from services.rrr.starts import Start, start_of
from tests.services.bare import entered_house
from tests.services.rrr.bus_desk import MINUTE_NS, NOON_NS, bars, trade, writer_of

TRADES = STREAMS["ingest.trade"]
POSITIONS = st.integers(0, (1 << 63) - 1)
PLACES = st.one_of(
    st.sampled_from([Place("beginning"), Place("end"), Place("snapshot")]),
    st.builds(Place, st.just("back"), st.integers(0, 10**12 - 1)),
    st.builds(Place, st.just("position"), POSITIONS),
    st.builds(Place, st.just("time"), st.integers(0, 4 * 10**18)),
    st.integers(0, 10**9 - 1).map(lambda s: Place("ago", s * SECOND_NS)),
)


@given(PLACES)
def test_a_place_that_is_written_is_read_as_it_was(place: Place) -> None:
    assert read_place(place_text(place)) == place


@given(POSITIONS)
def test_a_position_has_two_forms_of_one_meaning(pos: int) -> None:
    assert read_position(str(pos)) == pos
    assert read_position(position_text(pos)) == pos


@given(st.text(max_size=24))
def test_no_text_is_more_than_a_place_or_a_refusal(text: str) -> None:
    with suppress(click.UsageError):
        place = read_place(text)
        assert read_place(place_text(place)) == place


def test_a_time_is_found_by_halves_and_not_from_the_beginning() -> None:
    with entered_house() as house:
        clock = ManualClock(NOON_NS)
        writer = writer_of(house, "ingest.trade", clock)
        for number in range(4000):
            clock.advance(SECOND_NS)
            writer.append([trade(number, symbol="X" * 200)])
        wanted_ns = NOON_NS + 3500 * SECOND_NS
        start = start_of(house.journal_dir, TRADES, Place("time", wanted_ns), 0)
        ago = Place("ago", 500 * SECOND_NS)
        assert start_of(house.journal_dir, TRADES, ago, NOON_NS + 4000 * SECOND_NS) == start
        assert start.since_ns == wanted_ns
        read_in_vain = (3 << EPOCH_SHIFT) + 3500 - start.after
        assert 0 <= read_in_vain < 1200, "more than the windows of the search"
        writer.close("done")


def test_an_empty_stream_has_all_places_at_its_beginning() -> None:
    with entered_house() as house:
        for text in ("beginning", "end", "snapshot", "-5", "3:4", "@2023-11-14"):
            assert start_of(house.journal_dir, TRADES, read_place(text), 0).after in {
                0,
                (3 << EPOCH_SHIFT) + 3,
            }


def test_the_last_messages_are_counted_by_what_is_wanted() -> None:
    with entered_house() as house:
        writer = bars(house, 9)
        stream = STREAMS["ingest.bar"]
        start = start_of(
            house.journal_dir, stream, Place("back", 2), 0, lambda one: one.pos % 4 == 0
        )
        assert start == Start((3 << EPOCH_SHIFT) + 3)
        writer.close("done")


def test_a_position_that_is_gone_tells_what_is_kept() -> None:
    with entered_house() as house:
        writer = bars(house)
        with pytest.raises(HouseError, match=r"no position 2:7 .*kept are 3:0 .* to 3:5 "):
            start_of(house.journal_dir, STREAMS["ingest.bar"], read_place("2:7"), MINUTE_NS)
        writer.close("done")
