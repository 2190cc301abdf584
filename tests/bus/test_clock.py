"""Three clocks: market time is a pure function of wall time, and a jump is noticed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.clock import (
    ManualClock,
    MarketTime,
    Skew,
    SystemClock,
    read_market_time,
    write_market_time,
)
from bus.errors import SettingsError

MARKET = MarketTime(origin_ns=1_000, anchor_ns=500, scale=60.0, world="replay-1")


class SetClock(ManualClock):
    """A clock whose wall time a person can set."""

    set_by_ns = 0

    def wall_ns(self) -> int:
        return self.now_ns + self.set_by_ns


@given(st.integers(0, 2**62), st.integers(0, 2**40))
def test_market_time_runs_at_its_scale_from_its_origin(anchor_ns: int, later_ns: int) -> None:
    market = MarketTime(origin_ns=7, anchor_ns=anchor_ns, scale=10.0, world="w")
    assert market.market_ns(anchor_ns) == 7
    assert market.market_ns(anchor_ns + later_ns) == 7 + 10 * later_ns


def test_before_its_market_is_known_a_clock_tells_wall_time() -> None:
    clock = SystemClock()
    assert abs(clock.market_ns() - clock.wall_ns()) < 10**9
    clock.start(MARKET)
    assert clock.real_ns(120) == 2
    assert clock.market_ns() > clock.wall_ns()


def test_what_one_process_writes_the_others_read(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    assert read_market_time(path, "replay-1", 60.0) is None
    write_market_time(path, MARKET)
    assert read_market_time(path, "replay-1", 60.0) == MARKET
    assert [p.name for p in tmp_path.iterdir()] == ["clock.json"]


@pytest.mark.parametrize(("world", "scale"), [("replay-2", 60.0), ("replay-1", 10.0)])
def test_a_clock_of_other_settings_is_refused(tmp_path: Path, world: str, scale: float) -> None:
    path = tmp_path / "clock.json"
    write_market_time(path, MARKET)
    with pytest.raises(SettingsError, match="Run `rrr down` before changing"):
        read_market_time(path, world, scale)


def test_a_clock_that_was_set_is_noticed_once() -> None:
    clock = SetClock()
    skew = Skew(clock)
    clock.advance(10**12)
    assert skew.jump_ms() == 0
    clock.set_by_ns = -3_600 * 10**9
    assert skew.jump_ms() == -3_600_000
    assert skew.jump_ms() == 0


def test_a_small_correction_is_no_jump() -> None:
    clock = SetClock()
    skew = Skew(clock)
    clock.set_by_ns = 400_000_000
    assert skew.jump_ms() == 0
