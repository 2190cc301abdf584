"""A shadow decides like everybody and orders nothing: its books follow what it would have got."""

from typing import Any

import msgspec
import pytest

from schema.identity import strategy_tag
from schema.orders import KillLevel
from schema.strategy import Offer, ShadowFill, StrategiesOffered
from schema.trading import Decision, OrderIntent
from tests.services.engine.engine_desk import Desk, decisions, none_ordered, only, restarted
from tests.services.engine.engine_made import (
    MINUTE_NS,
    PX,
    SYMBOL,
    TTL_NS,
    engine,
    quote,
    told,
    written,
)

ASK, BID = PX + 1, PX - 1


def desk_of(**changes: Any) -> Desk:
    return Desk(engine(made=(told(role="shadow", **changes),))).open()


def fills(said: Any) -> list[tuple[str, int, int]]:
    return [(m.side, m.px, m.qty) for m in said if isinstance(m, ShadowFill)]


def offer(desk: Desk, changed: Offer) -> Any:
    return desk.command("offer", msgspec.json.encode(changed).decode(), "why")


def thought(desk: Desk) -> int:
    holding = desk.core.state.books.shadow.holding(SYMBOL, strategy_tag("told"))
    return holding.qty if holding else 0


def test_a_shadow_is_filled_at_the_touch_and_pays_the_fee() -> None:
    desk = desk_of()
    said = desk.wants("weight 0.5 stop=59000 why=up")
    decision, fill = only(said, Decision), only(said, ShadowFill)
    assert (decision.action, decision.shadow, decision.client_order_id) == ("enter", True, "")
    qty = 5_000 * 10**7 // ASK
    assert (fill.side, fill.px, fill.qty, fill.reason) == ("buy", ASK, qty, "up")
    fee_bps = desk.core.terms.fee_bps
    assert fill.fee == -(-qty * ASK * fee_bps // 10_000)
    assert (fill.px_exp, fill.qty_exp, fill.quote_exp) == (2, 5, 7)
    shown = dict(only(desk.wants("keep"), Decision).notes)
    assert shown["position"] == f"{qty / 10**5:.6g}"
    assert shown["average"] == "60000"
    said = desk.wants("flat", PX + 10_000)
    assert fills(said) == [("sell", PX + 10_000 - 1, qty)]
    fees = fill.fee + only(said, ShadowFill).fee
    gain = qty * (10_000 - 2) - fees
    shown = dict(only(desk.wants("keep why=after"), Decision).notes)
    assert shown["equity"] == f"{10_000 + gain / 10**7:.6g}"
    assert thought(desk) == desk.held() == 0
    assert desk.orders() == []


@pytest.mark.parametrize(
    ("wish", "px", "why"),
    [
        ("qty 0.05 stop=59000", 5_900_001, "stop"),
        ("qty 0.05 take=61000", 6_100_001, "take"),
        ("qty -0.05 stop=61000", 6_099_999, "stop"),
        ("qty -0.05 take=59000", 5_899_999, "take"),
    ],
)
def test_a_shadow_ends_where_its_orders_would(wish: str, px: int, why: str) -> None:
    desk = desk_of(short=True)
    desk.wants(wish)
    assert desk.hear(quote(desk.now_ns, (px + 3 * PX) // 4)) == []
    said = desk.hear(quote(desk.now_ns, px))
    assert only(said, Decision).reason == why
    assert only(said, Decision).shadow
    assert [qty for _, _, qty in fills(said)] == [5_000]
    assert (thought(desk), desk.slot().qty) == (0, 0)


def test_a_shadow_expires_in_time_without_a_quote() -> None:
    desk = desk_of()
    desk.wants(f"qty 0.05 expires={desk.now_ns + 3 * MINUTE_NS}")
    said = desk.pass_time(3 * MINUTE_NS)
    assert only(said, Decision).reason == "the time is over"
    assert fills(said) == [("sell", BID, 5_000)]


def test_a_shadows_limit_waits_and_is_filled_at_its_price_or_better() -> None:
    desk = desk_of()
    said = desk.wants("qty 0.05 limit=59000 stop=58000")
    assert (only(said, Decision).limit_px, fills(said)) == (5_900_000, [])
    assert fills(desk.hear(quote(desk.now_ns, 5_900_000))) == []  # The ask is just above it.
    assert fills(desk.hear(quote(desk.now_ns, 5_899_000))) == [("buy", 5_899_001, 5_000)]


@pytest.mark.parametrize("how", ["flat", "pause", "expiry", "failure", "retire"])
def test_a_limit_that_is_wanted_no_more_is_filled_no_more(how: str) -> None:
    desk = desk_of()
    desk.wants(f"qty 0.05 limit=59000 expires={desk.now_ns + 3 * MINUTE_NS}")
    if how == "flat":
        desk.wants("flat")
    elif how == "failure":
        desk.wants("weight 9")
    elif how == "expiry":
        desk.pass_time(4 * MINUTE_NS)
    else:
        desk.command(how, "told", "why")
    assert fills(desk.hear(quote(desk.now_ns, 5_800_000))) == []
    desk.command("resume", "told", "why")
    assert fills(desk.hear(quote(desk.now_ns, 5_800_000))) == []
    assert desk.slot().qty == 0


def test_a_shadow_is_resized_and_flipped_at_once() -> None:
    desk = desk_of(short=True)
    desk.wants("qty 0.05")
    assert fills(desk.wants("qty 0.08")) == [("buy", ASK, 3_000)]
    assert fills(desk.wants("qty 0.02")) == [("sell", BID, 6_000)]
    assert fills(desk.wants("qty -0.03")) == [("sell", BID, 5_000)]
    assert thought(desk) == -3_000


def test_a_shadow_enters_as_little_at_a_closed_gate() -> None:
    desk = desk_of()
    desk.wants("qty 0.05")
    desk.hear(KillLevel(ts_event=1, level="REDUCING", by="me", reason="drill"))
    assert only(desk.wants("qty 0.08"), Decision).action == "refuse"
    assert fills(desk.wants("flat")) == [("sell", BID, 5_000)]
    assert only(desk.wants("qty 0.08"), Decision).action == "refuse"


def test_a_shadow_beside_its_twin_changes_nothing_for_it() -> None:
    alone = Desk(engine(made=(told("twin"),))).open()
    both = Desk(engine(made=(told(role="shadow", short=True), told("twin")))).open()
    for wish in ("qty 0.05 stop=59000", "qty 0.08 stop=59500", "flat", "weight 1"):
        alone.take(alone.wants(f"twin:{wish}"))
        both.take(both.wants(f"told:qty -0.05|twin:{wish}"))
    assert both.orders() == alone.orders()
    assert both.held("twin") == both.held() == alone.held()
    assert {d.strategy for d in decisions(both.said) if d.shadow} == {"told"}


def test_a_shadow_goes_on_from_a_snapshot() -> None:
    desk, other = desk_of(), desk_of()
    for wish in ("qty 0.05 stop=59000", "qty 0.08 stop=59000", "flat"):
        other.core = restarted(other.core, engine(made=()))
        assert other.wants(wish) == desk.wants(wish)
    assert other.core.state.books == desk.core.state.books


def test_a_promoted_shadow_starts_flat_and_trades() -> None:
    desk = desk_of()
    desk.wants("qty 0.05 stop=59000")
    assert offer(desk, told()).ok
    assert thought(desk) == desk.slot().qty == desk.held() == 0
    assert none_ordered(desk.pass_time(3 * TTL_NS, PX))
    said = desk.wants("qty 0.05 stop=59000")
    assert dict(only(said, Decision).notes)["equity"] == "10000"
    assert only(said, OrderIntent).qty == 5_000


def test_who_holds_something_becomes_no_shadow() -> None:
    desk = Desk(engine(made=(told(),))).open()
    entry = only(desk.wants("qty 0.05"), OrderIntent)
    shadow = told(role="shadow")
    assert not offer(desk, shadow).ok  # Its entry is under way.
    desk.accept(entry)
    desk.fill(entry)
    refused = offer(desk, shadow)
    assert refused.text == (
        f"told holds {SYMBOL}, and a shadow holds nothing: "
        'first `rrr strategy pause told "why" --close`'
    )
    desk.hear(StrategiesOffered(offers=(shadow,)))  # A start is no way round it.
    assert (
        "a shadow holds nothing"
        in msgspec.json.decode(desk.command("strategies").body)[0]["trouble"]
    )
    exit_ = only(desk.wants("flat"), OrderIntent)
    assert not offer(desk, shadow).ok
    desk.accept(exit_)
    desk.fill(exit_)
    assert offer(desk, shadow).ok
    assert none_ordered(desk.wants("qty 0.05"))
    assert thought(desk) == 5_000


def test_a_shadow_that_is_retired_leaves_nothing_to_trade() -> None:
    desk = desk_of()
    desk.wants("qty 0.05 stop=59000")
    assert desk.command("retire", "told", "seen enough").ok
    assert none_ordered(desk.pass_time(3 * TTL_NS, PX))
    assert desk.slot().qty == 0
    assert offer(desk, told()).ok
    assert none_ordered(desk.pass_time(3 * TTL_NS, PX))


TRAILS = """
class Trails(Strategy):
    class State(State):
        heard: list[str] = []

    def on_forecast(self, forecast, view):
        if len(self.state.heard) < 4:
            return Target.weight(0.5, stop=view.price - 1000)

    def on_fill(self, fill, view):
        self.state.heard.append(f"{fill.leg} {fill.side} {fill.price} {view.position > 0}")
        if fill.leg == "entry" and len(self.state.heard) == 3:
            return Target.flat("enough")
"""


def test_a_shadow_hears_of_its_fills_once_they_are_booked() -> None:
    desk = Desk(engine(made=(written("trails", TRAILS, role="shadow"),))).open()
    desk.forecast(0.5)
    desk.pass_time(1)
    desk.hear(quote(desk.now_ns, 5_890_001))
    for _ in range(3):
        desk.core = restarted(desk.core, engine(made=()))
        desk.pass_time(1)
        desk.forecast(0.5)
    desk.pass_time(1)
    packed = desk.core.state.books.memory[f"trails {SYMBOL}"]
    assert msgspec.msgpack.decode(packed)["heard"] == [
        "entry buy 60000.01 True",
        "stop sell 58900.0 False",
        "entry buy 60000.01 True",
        "exit sell 59999.99 False",
    ]
    assert desk.core.state.windows.thought == {}
