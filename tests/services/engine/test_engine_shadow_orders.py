"""A shadow whose stop trails, whose entry climbs, and that takes its gain in parts."""

from typing import Any

from schema.strategy import ShadowFill
from schema.units import MINUTE_NS
from tests.services.engine.engine_desk import Desk, decisions, none_ordered
from tests.services.engine.engine_made import PX, SECOND_NS, engine, quote, told


def desk_of(wish: str) -> Desk:
    desk = Desk(engine(made=(told(role="shadow", short=True),))).open()
    desk.wants(wish)
    return desk


def at(desk: Desk, px: int) -> list[Any]:
    """Let a pause pass and the market come to a price; return fills and ends."""
    desk.pass_time(10 * SECOND_NS)
    said = desk.hear(quote(desk.now_ns, px))
    assert none_ordered(said)
    fills = [(m.side, m.px, m.qty) for m in said if isinstance(m, ShadowFill)]
    return [*fills, *(m.reason for m in decisions(said))]


def test_its_stop_follows_the_market_and_closes_it() -> None:
    desk = desk_of("qty 0.05 trail=1000")
    assert at(desk, PX + 50_000) == ["trailing stop"]
    assert desk.slot().stop_px == PX - 50_001
    assert at(desk, PX - 50_001 + 2) == []
    assert at(desk, PX - 50_001 + 1) == [("sell", PX - 50_001, 5_000), "trailing stop"]


def test_its_ladder_is_bought_rung_by_rung() -> None:
    desk = desk_of("qty 0.05 ladder=59900@0.4,59800@0.6 stop=59000")
    assert at(desk, 5_990_000) == []
    assert at(desk, 5_989_999) == [("buy", 5_990_000, 2_000)]
    assert at(desk, 5_989_000) == []
    assert at(desk, 5_970_000) == [("buy", 5_970_001, 3_000)]


def test_it_takes_its_gain_in_parts_and_buys_none_of_it_back() -> None:
    desk = desk_of("qty 0.05 ladder=60100@0.4,59800@0.6 takes=61000@0.5,62000@0.5")
    assert at(desk, 6_100_001) == [("sell", 6_100_000, 1_000), "take"]
    assert at(desk, 5_970_000) == []
    assert at(desk, 6_200_001) == [("sell", 6_200_000, 1_000), "take"]
    assert desk.slot().qty == 0


def test_its_entry_is_over_in_time() -> None:
    desk = desk_of("keep")
    desk.wants(f"qty 0.05 limit=59900 good_till={desk.now_ns + 3 * MINUTE_NS}")
    (ends,) = [m for m in decisions(desk.pass_time(4 * MINUTE_NS)) if m.action == "exit"]
    assert ends.reason == "its time is over"
    assert at(desk, 5_980_000) == []
