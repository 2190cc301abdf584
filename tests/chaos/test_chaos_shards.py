"""A house over the end of a month in which writers and hands die: the short of the long storm."""

import pytest

from tests.chaos.shards_storm import Weather, rage

WEATHER = Weather(
    seconds=4, seed=5, every_ms=500, month_ends_s=3, supervisor=False, history_days=32
)


@pytest.mark.slow
def test_a_short_storm_over_the_shards_loses_and_doubles_nothing() -> None:
    report = rage(WEATHER)
    assert report.differences == []
    assert sum(report.kills.values()) > 0
    assert report.reads > 0
    assert report.bars > 0
    assert report.ticks > 0
