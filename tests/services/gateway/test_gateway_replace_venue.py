"""Replacements at the real venue: one request through unmodified ccxt, and its answers."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from bus.clock import SystemClock
from schema.exchange import (
    ClockSeen,
    OrderAbsent,
    OrderFound,
    OrderNotSent,
    OrderPlaced,
    ReportPushed,
)
from schema.joined import ReplaceDone, ReplaceRefused, SendReplace
from schema.trading import OrderIntent
from tests.services.gateway.served import (
    ANSWER_MS,
    Gateway,
    ask_of,
    at_venue,
    bid,
    cancel_of,
    intent,
    order,
)
from tests.services.venue.serving import Serving
from tests.services.venue.spoiled import desk_of, spoil

CALL = "call=POST order/cancelReplace"
STALE_MS = 5_001


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Serving]]:
    with at_venue(tmp_path_factory.mktemp("venue")) as found:
        found[0].ask(order(intent(qty=5_000)))
        yield found


@pytest.fixture
def gate(house: tuple[Gateway, Serving]) -> Gateway:
    return house[0]


@pytest.fixture
def venue(house: tuple[Gateway, Serving]) -> Serving:
    return house[1]


def stop(gate: Gateway, tenths: int = 9, **changes: Any) -> OrderIntent:
    """Return a stop far below the market."""
    own = {"side": "sell", "qty": 1_000, "reduce_only": True, "order_type": "stop", "leg": "stop"}
    return intent(**own | {"stop_px": bid(gate) * tenths // 10} | changes)


def rested(gate: Gateway, **changes: Any) -> OrderIntent:
    wanted = stop(gate, **changes)
    assert isinstance(gate.ask(order(wanted)), OrderPlaced)
    return wanted


def replacing(old: OrderIntent, new: OrderIntent, **changes: int) -> SendReplace:
    """Return the effect that puts one order in another's place, now."""
    now_ms = SystemClock().wall_ns() // 1_000_000
    given = {"signed_ms": now_ms, "deadline_wall_ms": now_ms + 1_000, "timeout_ms": ANSWER_MS}
    return SendReplace(
        effect_id=f"replace {new.client_order_id}",
        intent=msgspec.structs.replace(new, replaces=old.client_order_id),
        replaced=old.client_order_id,
        **(given | changes),
    )


def status(gate: Gateway, wanted: OrderIntent) -> str:
    found = gate.ask(ask_of(wanted))
    return found.report.status if isinstance(found, OrderFound) else type(found).__name__


def test_it_is_one_request_and_both_reports_come_back(gate: Gateway, venue: Serving) -> None:
    edge: Any = venue.thread._edge
    old, new = rested(gate), stop(gate, 8)
    before = int(edge._requests)
    done = gate.ask(replacing(old, new))
    assert int(edge._requests) == before + 1
    assert isinstance(done, ReplaceDone)
    assert (done.canceled.client_order_id, done.canceled.status) == (
        old.client_order_id,
        "CANCELED",
    )
    (report,) = done.reports
    assert (report.client_order_id, report.status) == (new.client_order_id, "NEW")
    assert Decimal(report.stop_px) * 100 == new.stop_px
    assert (done.trades, done.code, done.text) == ((), 0, "")
    for wanted, word in ((old, "CANCELED"), (new, "NEW")):
        pushed = gate.until(
            lambda heard, wanted=wanted, word=word: (  # type: ignore[misc]
                isinstance(heard, ReportPushed)
                and heard.report.client_order_id == wanted.client_order_id
                and heard.execution == word
            )
        )
        assert isinstance(pushed, ReportPushed)
        assert status(gate, wanted) == word
    gate.ask(cancel_of(new))


def test_what_trades_at_once_comes_with_its_trades(gate: Gateway) -> None:
    px = bid(gate)
    far: dict[str, Any] = {
        "order_type": "limit",
        "time_in_force": "GTC",
        "stop_px": 0,
        "leg": "exit",
    }
    old = rested(gate, **far, limit_px=px * 11 // 10)
    done = gate.ask(replacing(old, stop(gate, **far, limit_px=px * 9 // 10)))
    assert isinstance(done, ReplaceDone)
    assert done.reports[0].status == "FILLED"
    assert sum(Decimal(trade.qty) for trade in done.trades) == Decimal("0.01")


def test_an_old_one_that_is_gone_refuses_all(gate: Gateway) -> None:
    old, new = rested(gate), stop(gate, 8)
    gate.ask(cancel_of(old))
    refused = gate.ask(replacing(old, new))
    assert isinstance(refused, ReplaceRefused)
    assert (refused.code, refused.text) == (-2011, "Unknown order sent.")
    assert (refused.client_order_id, refused.replaced) == (new.client_order_id, old.client_order_id)
    assert status(gate, new) == "OrderAbsent"


def test_an_old_one_that_has_traded_is_not_replaced(gate: Gateway, venue: Serving) -> None:
    old, new = rested(gate), stop(gate, 8)
    assert spoil(venue, "set", "cancel_race", CALL, "part_pct=50").ok
    refused = gate.ask(replacing(old, new))
    assert isinstance(refused, ReplaceRefused)
    assert (refused.code, "restrictions" in refused.text) == (-2011, True)
    assert status(gate, old) == "PARTIALLY_FILLED"
    assert status(gate, new) == "OrderAbsent"
    gate.ask(cancel_of(old))


def test_a_new_one_that_is_refused_leaves_the_old_one_gone(gate: Gateway) -> None:
    old, new = rested(gate), stop(gate, 12)  # It would trigger at once.
    done = gate.ask(replacing(old, new))
    assert isinstance(done, ReplaceDone)
    assert (done.reports, done.code) == ((), -2010)
    assert done.canceled.status == "CANCELED"
    assert status(gate, old) == "CANCELED"
    assert status(gate, new) == "OrderAbsent"


def test_one_that_passes_no_filter_changes_nothing(gate: Gateway) -> None:
    old = rested(gate)
    off = stop(gate, 8)
    refused = gate.ask(
        replacing(old, msgspec.structs.replace(off, stop_px=off.stop_px * 10 + 9, px_exp=3))
    )
    assert isinstance(refused, ReplaceRefused)
    assert (refused.code, "PRICE_FILTER" in refused.text) == (-1013, True)
    assert status(gate, old) == "NEW"
    gate.ask(cancel_of(old))


def test_a_second_one_of_the_same_id_proves_nothing(gate: Gateway) -> None:
    old, other = rested(gate), rested(gate, qty=500)
    reason = gate.unanswered(replacing(old, other))
    assert "left it open" in reason
    assert status(gate, old) == "CANCELED"
    assert status(gate, other) == "NEW"
    gate.ask(cancel_of(other))


def test_one_signed_too_long_ago_is_refused_and_the_clock_is_asked(gate: Gateway) -> None:
    old = rested(gate)
    gate.heard += gate.thread.take()
    gate.heard = [heard for heard in gate.heard if not isinstance(heard, ClockSeen)]
    now_ms = gate.clock.wall_ns() // 1_000_000
    refused = gate.ask(replacing(old, stop(gate, 8), signed_ms=now_ms - STALE_MS))
    assert isinstance(refused, ReplaceRefused)
    assert refused.code == -1021
    assert abs(gate.first(ClockSeen).offset_ms) < 1_000
    gate.ask(cancel_of(old))


@pytest.mark.parametrize(
    ("fault", "stands"),
    [
        (("lost_request", "count=1"), False),
        (("lost_ack", "count=1"), True),
        (("unknown_1007", "when=before"), False),
        (("unknown_1007", "when=after"), True),
        (("error_5xx", "when=after"), True),
        (("html_body", "status=200"), True),
        (("truncated_json", "count=1"), True),
        (("empty_body", "count=1"), True),
        (("wrong_order_answer", "count=1"), True),
    ],
)
def test_an_answer_that_proves_nothing_is_none(
    gate: Gateway, venue: Serving, fault: tuple[str, str], *, stands: bool
) -> None:
    old, new = rested(gate), stop(gate, 8)
    assert spoil(venue, "set", *fault, CALL, *(() if "count" in fault[1] else ("count=1",))).ok
    assert gate.unanswered(replacing(old, new))
    assert status(gate, new) == ("NEW" if stands else "OrderAbsent")
    assert status(gate, old) == ("CANCELED" if stands else "NEW")
    gate.ask(cancel_of(new if stands else old))
    assert (desk_of(venue).records.named("BTCUSDT", new.client_order_id) is not None) is stands


def test_only_what_reduces_passes_the_line_while_no_new_risk_may(gate: Gateway) -> None:
    old, new = rested(gate), stop(gate, 8)
    gate.allow("HALTED")
    risky = msgspec.structs.replace(stop(gate, 8), reduce_only=False)
    assert isinstance(gate.ask(replacing(old, risky)), OrderNotSent)
    assert isinstance(gate.ask(ask_of(risky)), OrderAbsent)
    assert isinstance(gate.ask(replacing(old, new)), ReplaceDone)
    gate.allow("ACTIVE")
    gate.ask(cancel_of(new))
