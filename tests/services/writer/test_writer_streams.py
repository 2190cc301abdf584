"""What each writer hears, and that nothing of it is dropped without a word."""

import pytest

from schema.streams import STREAMS
from services.writer import HEARS, SHARDS, analytics, trading
from services.writer.core import Writer


def test_every_message_of_the_trading_streams_has_a_place_or_is_ignored_by_name() -> None:
    for name in SHARDS["trading"]:
        for kind in STREAMS[name].messages:
            places = (trading.ORDER_EVENTS, trading.TABLES, trading.IGNORED)
            assert sum(kind in place for place in places) == 1, kind


def test_every_message_of_the_analytics_streams_has_a_place_or_is_ignored_by_name() -> None:
    for name in SHARDS["analytics"]:
        for kind in STREAMS[name].messages:
            places = (analytics.Analytics.linked, analytics.TABLES, analytics.IGNORED)
            assert sum(kind in place for place in places) == 1, kind


@pytest.mark.parametrize("shard", SHARDS)
def test_writers_hear_exactly_the_streams_that_wait_for_them(shard: str) -> None:
    durable = {s.name for s in STREAMS.values() if f"writer_{shard}" in s.durable}
    assert set(SHARDS[shard]) == durable
    assert Writer(shard).hears == SHARDS[shard]


def test_the_card_of_the_writers_names_what_any_of_them_hears() -> None:
    assert set(HEARS) == {name for hears in SHARDS.values() for name in hears}
