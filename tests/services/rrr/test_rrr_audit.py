"""`rrr audit` over a day of the real cores: sound as it is, and whoever touches it is found."""

from collections import Counter
from typing import Any

import msgspec
import pytest

from bus.house import House
from schema import orders, trading
from schema.house import Inputs
from schema.streams import STREAMS
from services.rrr.audit_run import LAWS
from services.rrr.digging import directory_of
from tests.services.rrr.audit_world import World, a_day, audited, wrong

ORDER, VERDICT, INTENT = "gateway.order", "risk.verdict", "engine.intent"
HOUR_NS = 3_600_000_000_000


@pytest.fixture
def world() -> World:
    return a_day().copy()


def entry(world: World) -> tuple[int, orders.OrderSubmitted]:
    """Return an entry that risk approved, and where it stands."""
    return next(
        (pos, m)
        for pos, m in world.said(ORDER, orders.OrderSubmitted)
        if m.intent.leg == "entry" and m.verdict.by == "risk"
    )


def test_a_day_as_it_was_is_sound_while_the_house_is_down(world: World) -> None:
    report = audited(world)
    assert wrong(report) == {}
    assert world.said(ORDER, orders.Fill)
    assert {"engine", "risk", "gateway", "venue", *LAWS} <= {one.name for one in report.checks}
    told = {one.name: one.detail for one in report.checks}
    assert told["risk"] == "not running"


def test_a_flipped_byte_of_an_approval_is_named_with_its_place(world: World) -> None:
    pos, sent = entry(world)
    hashed = bytes([sent.verdict.order_hash[0] ^ 1]) + sent.verdict.order_hash[1:]
    world.change(ORDER, pos, verdict=msgspec.structs.replace(sent.verdict, order_hash=hashed))
    found = wrong(audited(world))
    assert hashed.hex() in found["approvals"]
    assert sent.verdict.order_hash.hex() in found["approvals"]
    assert f"{ORDER} {pos}" in found["approvals"]


def test_an_order_whose_verdict_nobody_said_is_found(world: World) -> None:
    _, sent = entry(world)
    pos = next(p for p, m in world.said(VERDICT, trading.Verdict)
               if m.client_order_id == sent.client_order_id)  # fmt: skip
    other = trading.Verdict(
        ts_event=0, client_order_id="x", order_hash=b"", approved=False, code="NO", detail="",
        epoch=1, expires_ns=0,
    )  # fmt: skip
    world.swap(VERDICT, pos, other)
    assert "0 approvals" in wrong(audited(world))["approvals"]


def test_an_order_that_left_after_its_verdict_had_ended_is_found(world: World) -> None:
    pos, sent = entry(world)
    world.change(ORDER, pos, ts_event=sent.verdict.expires_ns + 1)
    assert "its verdict ended" in wrong(audited(world))["approvals"]


def test_an_order_that_was_sent_twice_is_found(world: World) -> None:
    _, sent = entry(world)
    world.add(ORDER, sent)
    assert sent.client_order_id in wrong(audited(world))["ids"]


def test_a_fill_that_is_gone_is_missed_by_every_book(world: World) -> None:
    pos, fill = world.said(ORDER, orders.Fill)[-1]
    world.swap(ORDER, pos, orders.RequestWeight(ts_event=fill.ts_event, used=1, limit=2))
    report = audited(world)
    found = wrong(report)
    assert {"engine-said", "shard trades", "shard ledger", "snapshots"} <= set(found)
    assert fill.venue_trade_id in found["shard trades"]
    (venue,) = (one.detail for one in report.checks if one.name == "venue")
    assert "has yet to hear of: trade " + fill.venue_trade_id in venue


def test_a_fill_that_an_ended_order_lacks_is_missed_by_the_venue(world: World) -> None:
    counts = Counter(m.client_order_id for _, m in world.said(ORDER, orders.Fill))
    ended = {m.client_order_id for _, m in world.said(ORDER, orders.OrderExpired)}
    pos, fill = world.said(ORDER, orders.Fill)[0]
    about: dict[str, Any] = {"client_order_id": fill.client_order_id, "symbol": fill.symbol}
    world.swap(ORDER, pos, orders.OrderExpired(ts_event=fill.ts_event, **about))
    assert counts[fill.client_order_id] == 1
    assert fill.client_order_id not in ended
    assert f"trade {fill.venue_trade_id}" in wrong(audited(world))["venue"]


def test_a_fill_that_is_booked_twice_is_found(world: World) -> None:
    _, fill = world.said(ORDER, orders.Fill)[0]
    world.add(ORDER, fill)
    assert f"trade {fill.venue_trade_id}" in wrong(audited(world))["trades"]


def test_a_fill_of_an_order_that_never_left_is_found(world: World) -> None:
    _, fill = world.said(ORDER, orders.Fill)[0]
    stranger = msgspec.structs.replace(fill, venue_trade_id="99999", client_order_id="nobody")
    world.add(ORDER, stranger)
    assert "order nobody, which was never submitted" in wrong(audited(world))["causes"]


def test_a_fill_for_another_price_than_it_says_is_found(world: World) -> None:
    pos, fill = world.said(ORDER, orders.Fill)[0]
    world.change(ORDER, pos, quote_qty=fill.quote_qty + 1)
    found = wrong(audited(world))
    assert f"trade {fill.venue_trade_id}" in found["double-entry"]
    assert {"shard trades", "venue"} <= set(found)


def test_more_filled_than_ordered_is_found(world: World) -> None:
    pos, fill = world.said(ORDER, orders.Fill)[0]
    world.change(ORDER, pos, qty=fill.qty * 3)
    found = wrong(audited(world))
    assert fill.client_order_id in found["quantities"]
    assert "venue" in found or "engine-said" in found


def test_a_step_that_no_table_has_is_found(world: World) -> None:
    _, fill = world.said(ORDER, orders.Fill)[0]
    about: dict[str, Any] = {"client_order_id": fill.client_order_id, "symbol": fill.symbol}
    world.add(ORDER, orders.OrderUnconfirmed(ts_event=1, **about, reason="a lie"))
    found = wrong(audited(world))
    assert "OrderUnconfirmed" in found["states"]


def again(sent: orders.OrderSubmitted, order_id: str, **changes: Any) -> orders.OrderSubmitted:
    """Return the same order under another id, with an approval of the gateway's own."""
    from schema.approval import order_hash  # noqa: PLC0415 - of this test alone

    intent = msgspec.structs.replace(sent.intent, client_order_id=order_id, **changes)
    verdict = msgspec.structs.replace(
        sent.verdict, client_order_id=order_id, order_hash=order_hash(intent), by="gateway"
    )
    return msgspec.structs.replace(sent, client_order_id=order_id, intent=intent, verdict=verdict)


def test_an_entry_behind_a_kill_is_found(world: World) -> None:
    _, sent = entry(world)
    world.add(ORDER, orders.KillLevel(ts_event=1, level="HALTED", by="me", reason="stop"))
    pos = world.add(ORDER, again(sent, "f" * 32))
    found = wrong(audited(world))
    assert "HALTED by me" in found["kill"]
    assert f"{ORDER} {pos}" in found["kill"]
    assert "approved it by itself" in found["approvals"]


def test_a_kill_level_that_a_machine_released_is_found(world: World) -> None:
    world.add(ORDER, orders.KillLevel(ts_event=1, level="HALTED", by="me", reason="stop"))
    world.add(ORDER, orders.KillLevel(ts_event=1, level="ACTIVE", by="gateway", reason="go"))
    assert "released by gateway" in wrong(audited(world))["kill"]


def test_an_entry_in_a_halted_symbol_is_found(world: World) -> None:
    _, sent = entry(world)
    halt = orders.InstrumentHalted(ts_event=1, symbol=sent.symbol, reason="somebody looks")
    world.add(ORDER, halt, again(sent, "f" * 32))
    assert "halted: somebody looks" in wrong(audited(world))["kill"]


def test_an_order_that_nobody_asked_for_is_found(world: World) -> None:
    _, sent = entry(world)
    pos, wish = next((p, m) for p, m in world.said(INTENT, trading.OrderIntent)
                     if m.client_order_id == sent.client_order_id)  # fmt: skip
    about: dict[str, Any] = {"client_order_id": "x", "strategy": "x", "symbol": wish.symbol}
    world.swap(INTENT, pos, trading.CancelIntent(ts_event=1, **about))
    assert sent.client_order_id in wrong(audited(world))["causes"]


def test_an_order_that_left_as_another_one_than_was_asked_for_is_found(world: World) -> None:
    _, sent = entry(world)
    pos, wish = next((p, m) for p, m in world.said(INTENT, trading.OrderIntent)
                     if m.client_order_id == sent.client_order_id)  # fmt: skip
    world.change(INTENT, pos, qty=wish.qty + 1)
    found = wrong(audited(world))
    assert "left as another one" in found["causes"]


def test_an_approval_that_nobody_answered_is_found(world: World) -> None:
    _, wish = world.said(INTENT, trading.OrderIntent)[0]
    order_id = "e" * 32
    pos = world.add(INTENT, msgspec.structs.replace(wish, client_order_id=order_id))
    _, yes = next((p, m) for p, m in world.said(VERDICT, trading.Verdict) if m.approved)
    cause = (STREAMS[INTENT].number, pos)
    yes = msgspec.structs.replace(yes, client_order_id=order_id, cause=cause)
    pos = world.add(VERDICT, yes)
    now_ns = yes.expires_ns + HOUR_NS
    slices = ((STREAMS[VERDICT].number, pos, pos),)
    turn = Inputs(ts_event=now_ns, turn=10**6, now_ns=now_ns, code="x", slices=slices)
    world.add(ORDER, turn)
    assert order_id in wrong(audited(world))["answers"]


def test_an_entry_that_risk_approved_while_it_was_halted_is_found(world: World) -> None:
    for pos, _ in world.said("risk.event", trading.RiskState):
        world.change("risk.event", pos, state="HALTED")
    assert "while risk was HALTED" in wrong(audited(world))["risk-state"]


def test_a_denial_while_risk_was_halted_is_not_taken_for_an_approval(world: World) -> None:
    for pos, _ in world.said("risk.event", trading.RiskState):
        world.change("risk.event", pos, state="HALTED")
    for pos, word in world.said(VERDICT, trading.Verdict):
        if word.approved:  # As after a power cut: the order has left, and is denied as known.
            world.change(VERDICT, pos, approved=False, code="DUPLICATE_ORDER")
    found = wrong(audited(world))
    assert "0 approvals" in found["approvals"]
    assert "risk-state" not in found


def test_a_position_that_the_engine_tells_wrongly_is_found(world: World) -> None:
    said = world.said("engine.portfolio", trading.Position)
    pos, told = next((p, m) for p, m in said if not m.strategy and m.cause[0] == 30)
    world.change("engine.portfolio", pos, qty=told.qty + 1)
    assert f"engine.portfolio {pos}" in wrong(audited(world))["engine-said"]


def test_an_account_that_the_gateway_tells_wrongly_is_found(world: World) -> None:
    pos, told = world.said(ORDER, orders.AccountSnapshot)[-1]
    first = told.balances[0]
    sums = (msgspec.structs.replace(first, n=first.n + 1), *told.balances[1:])
    world.change(ORDER, pos, balances=sums)
    assert f"balances {first.name}" in wrong(audited(world))["snapshots"]


def test_a_balance_of_the_exchange_that_does_not_add_up_is_found(world: World) -> None:
    seen = orders.BalanceSeen(ts_event=1, asset="USDT", free=1, locked=0, difference=0, exp=8)
    world.add(ORDER, seen)
    assert "USDT: the venue has 0.00000001" in wrong(audited(world))["venue-seen"]


def test_a_byte_of_a_journal_that_changed_is_found(world: World) -> None:
    def harm(house: House) -> None:
        (path,) = directory_of(house.journal_dir, STREAMS[ORDER]).glob("*.seg")
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    assert ORDER in wrong(audited(world, harm))["journals"]
