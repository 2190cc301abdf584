"""Entries that wait, or may not: what leaves for them, and what fields do not go together."""

from typing import Any

import pytest

from schema.orders import OrderExpired
from schema.strategy import ShadowFill
from schema.trading import CancelIntent, Decision, OrderIntent
from schema.trading import StrategyFailed as Failed
from tests.services.engine.engine_desk import Desk, none_ordered, only
from tests.services.engine.engine_made import engine, quote, told
from tests.services.engine.test_engine_bracket import made

ENTRIES = [
    ("limit=59000", ("limit", 5_900_000, 0, "GTC")),
    ("limit=59000 tif=IOC", ("limit", 5_900_000, 0, "IOC")),
    ("limit=59000 tif=FOK", ("limit", 5_900_000, 0, "FOK")),
    ("limit=59000 post_only=True", ("limit_maker", 5_900_000, 0, "GTC")),
    ("trigger=61000", ("stop", 0, 6_100_000, "GTC")),
    ("trigger=61000 limit=61100", ("stop_limit", 6_110_000, 6_100_000, "GTC")),
    ("trigger=61000 limit=61100 tif=IOC", ("stop_limit", 6_110_000, 6_100_000, "IOC")),
]


@pytest.mark.parametrize(("words", "wanted"), ENTRIES)
def test_an_entry_leaves_as_the_order_that_the_target_asks_for(words: str, wanted: Any) -> None:
    entry = only(made().wants(f"qty 0.1 {words}"), OrderIntent)
    found = (entry.order_type, entry.limit_px, entry.stop_px, entry.time_in_force)
    assert (entry.leg, found) == ("entry", wanted)


def test_a_short_waits_for_a_trigger_below_the_market() -> None:
    desk = made(short=True)
    entry = only(desk.wants("qty -0.1 trigger=59000 stop=60500"), OrderIntent)
    assert (entry.order_type, entry.side, entry.stop_px) == ("stop", "sell", 5_900_000)


def test_a_trigger_that_the_market_has_passed_is_refused_until_it_is_held() -> None:
    desk = made()
    decision = only(desk.wants("qty 0.1 trigger=59000"), Decision)
    assert (decision.action, decision.reason) == ("refuse", "its trigger is passed: 59000.00")
    entry = only(desk.wants("qty 0.1 trigger=61000"), OrderIntent)
    desk.accept(entry)
    held = desk.wants("qty 0.1 trigger=61000", 6_100_500)
    assert [m.action for m in held if isinstance(m, Decision)] == ["hold"]
    desk.fill(entry, px=6_100_500)
    assert none_ordered(desk.wants("qty 0.1 trigger=61000", 6_100_500))


def test_another_trigger_replaces_the_entry_that_waits() -> None:
    desk = made()
    entry = only(desk.wants("qty 0.1 trigger=61000"), OrderIntent)
    desk.accept(entry)
    cancel = only(desk.wants("qty 0.1 trigger=61500"), CancelIntent)
    assert cancel.client_order_id == entry.client_order_id
    again = only(desk.cancel(entry.client_order_id), OrderIntent)
    assert again.stop_px == 6_150_000


def test_an_entry_at_once_that_finds_nobody_is_over() -> None:
    desk = made()
    entry = only(desk.wants("qty 0.1 limit=59000 tif=IOC stop=58000"), OrderIntent)
    desk.accept(entry)
    assert none_ordered(desk.tell(OrderExpired, entry.client_order_id))
    assert desk.slot().qty == 0


def test_what_an_entry_at_once_has_bought_is_protected() -> None:
    desk = made()
    entry = only(desk.wants("qty 0.1 limit=60000.01 tif=IOC stop=58000"), OrderIntent)
    desk.accept(entry)
    desk.fill(entry, 4_000)
    stop = only(desk.tell(OrderExpired, entry.client_order_id), OrderIntent)
    assert (stop.leg, stop.qty) == ("stop", 4_000)


NONSENSE = [
    ("qty 0.1 tif=IOC", "tif IOC: expected a limit beside it, found none"),
    ("qty 0.1 limit=59000 tif=GTD", "tif: expected one of GTC IOC FOK, found GTD"),
    ("qty 0.1 post_only=True", "post_only: expected a limit beside it, found none"),
    ("qty 0.1 limit=59000 tif=FOK post_only=True",
     "post_only: expected tif GTC, for it waits in the book, found FOK"),
    ("qty 0.1 trigger=61000 limit=61100 post_only=True",
     "post_only: a limit behind a trigger may take, found trigger 61000.0"),
    ("qty 0.1 stop_limit=58000", "stop_limit: expected a stop beside it, found none"),
    ("qty 0.1 stop=59000 stop_limit=59100",
     "stop_limit: expected at the stop 59000.0 or below, found 59100.0"),
    ("qty -0.1 stop=61000 stop_limit=60900",
     "stop_limit: expected at the stop 61000.0 or above, found 60900.0"),
    ("qty 0.1 trigger=-1", "trigger: expected a finite price or 0, found -1.0"),
    ("qty 0.1 stop=59000 stop_limit=nan", "stop_limit: expected a finite price or 0, found nan"),
]  # fmt: skip


@pytest.mark.parametrize(("wish", "detail"), NONSENSE)
def test_fields_that_do_not_go_together_are_a_failure_in_words(wish: str, detail: str) -> None:
    failed = only(made(short=True).wants(wish), Failed)
    assert (failed.reason, failed.detail) == ("it returned nonsense", detail)


def shadow(wish: str) -> tuple[Desk, list[ShadowFill]]:
    desk = Desk(engine(made=(told(role="shadow"),))).open()
    return desk, [m for m in desk.wants(wish) if isinstance(m, ShadowFill)]


def test_a_shadow_waits_for_a_trigger_too() -> None:
    desk, filled = shadow("qty 0.05 trigger=61000 stop=59000")
    assert filled == []
    assert desk.hear(quote(desk.now_ns, 6_099_000)) == []
    (fill,) = (m for m in desk.hear(quote(desk.now_ns, 6_100_000)) if isinstance(m, ShadowFill))
    assert (fill.side, fill.px) == ("buy", 6_100_001)


def test_a_shadow_at_once_is_filled_or_it_is_over() -> None:
    desk, filled = shadow("qty 0.05 limit=59000 tif=IOC")
    assert filled == []
    assert desk.slot().qty == 0
    _, filled = shadow("qty 0.05 limit=61000 tif=FOK")
    assert [fill.qty for fill in filled] == [5_000]
