"""Publisher, processor and consumer die at random while messages flow: the whole story, once."""

import pytest

from tests.chaos.storm import Storm, rage
from tests.services.bare import bare_house

STORM = Storm(messages=250_000, kills=20, seed=11, every_ms=500)


@pytest.mark.slow
def test_twenty_kills_lose_double_and_reorder_nothing() -> None:
    with bare_house() as house:
        report = rage(house, STORM)
    assert report.differences == []
    assert (report.lost, report.doubled, report.reordered) == (0, 0, 0)
    assert sum(report.kills.values()) == STORM.kills
    assert all(report.kills.values()), "everybody died at least once"
    assert report.messages > STORM.messages
