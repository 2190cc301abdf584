"""`rrr why`: from any name of an order to its whole way, with shard and journals or without."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bus.clock import SystemClock
from bus.errors import HouseError
from bus.house import House
from schema.orders import OrderAccepted, OrderCanceled
from schema.streams import STREAMS
from services.rrr import rrr
from services.rrr.digging import position_at
from services.rrr.said import last_said, said_since, said_with
from tests.services.bare import bare_house
from tests.services.rrr.trade_day import (
    NOON_NS,
    SYMBOL,
    Day,
    bar,
    bought,
    decision,
    denied,
    entry_id,
    files_of,
    fill,
    intent,
    trade,
    verdict,
)

OTHERS = [name for name in os.environ if name.startswith(("RRR_", "MODE"))]
STEPS = [
    "trade", "bar", "forecast", "decision", "intent", "verdict", "submitted", "accepted", "fill",
]  # fmt: skip


@pytest.fixture
def house() -> Iterator[House]:
    """A house in which nothing runs, entered."""
    before = Path.cwd()
    with bare_house() as made:
        os.chdir(made.root)
        yield made
        os.chdir(before)


@pytest.fixture
def day(house: House) -> Day:
    return Day(house)


def run(*args: str) -> Result:
    return CliRunner(env=dict.fromkeys(OTHERS)).invoke(rrr, args)


def chain(name: str) -> dict[str, Any]:
    done = run("why", name, "--json")
    assert done.exit_code == 0, done.output + repr(done.exception)
    found: dict[str, Any] = json.loads(done.output)
    return found


def steps(found: dict[str, Any]) -> list[str]:
    return [step["step"] for step in found["steps"]]


def test_a_trade_is_told_from_its_tick_to_its_cash(day: Day) -> None:
    order_id = bought(day)
    day.keep()
    found = chain(order_id)
    assert steps(found) == STEPS
    assert (found["state"], found["strategy"], found["missing"]) == ("FILLED", "threshold", [])
    tick, *_, last = found["steps"]
    assert tick["message"]["trade_id"] == 9
    assert last["text"].startswith("buy 0.00300 at 60001.00 for 180.00300000, fee 0.18000300 USDT")
    assert [step["since_us"] for step in found["steps"]] == [None, 100, 100, 100, 0] + [100] * 4
    (stop,) = found["legs"]
    assert (stop["leg"], stop["stop_price"], stop["status"]) == ("stop", "59000.00", "ACCEPTED")
    moved = {(row["asset"], row["kind"]): row["amount"] for row in found["cash"]}
    assert moved == {
        ("BTC", "trade"): "0.00300",
        ("USDT", "trade"): "-180.00300000",
        ("USDT", "fee"): "-0.18000300",
    }


def test_a_person_reads_the_forecast_the_reason_and_the_numbers(day: Day) -> None:
    bought(day)
    day.keep()
    text = run("why", "t77").output
    assert "SIMULATED MARKET AND MONEY" in text
    for said in ("probability 0.6100", "it rises (probability 0.61)", "OK order 180.00 of 20000"):
        assert said in text
    assert "-180.00300000 USDT (trade)" in text


@pytest.mark.parametrize("kept", [True, False])
def test_an_order_has_many_names(day: Day, *, kept: bool) -> None:
    order_id, stop_id = bought(day), entry_id(day.house, 1)
    if kept:
        day.keep()
    assert chain("t77")["client_order_id"] == order_id
    assert chain(order_id[:20])["client_order_id"] == order_id
    assert chain("last")["client_order_id"] == stop_id
    assert chain(SYMBOL)["client_order_id"] == stop_id


def test_the_way_is_known_before_the_shard_is(day: Day) -> None:
    found = chain(bought(day))
    assert steps(found) == STEPS
    assert found["cash"] == []
    assert found["missing"] == [f"the ledger does not hold fill:{SYMBOL}:t77 yet"]


def test_a_stop_is_led_back_to_the_decision_and_the_fill_that_it_protects(day: Day) -> None:
    order_id = bought(day)
    day.keep()
    found = chain(entry_id(day.house, 1))
    above = ["trade", "bar", "forecast", "decision", "fill"]
    assert steps(found) == [*above, "intent", "verdict", "submitted", "accepted"]
    assert found["state"] == "ACCEPTED"
    assert [leg["client_order_id"] for leg in found["legs"]] == [order_id]


def test_an_exit_that_waited_for_a_cancel_has_its_own_decision(day: Day) -> None:
    bought(day)
    about: dict[str, Any] = {"moment": "noon", "cause": (0, 0)}
    day.say(decision("exit", "below exit", **about))
    day.say(decision("hold", "it waits", **about))
    canceled = day.say(
        OrderCanceled(ts_event=NOON_NS, client_order_id=entry_id(day.house, 1), symbol=SYMBOL)
    )
    exit_id = entry_id(day.house, 2)
    day.say(intent(exit_id, side="sell", leg="exit", cause=canceled, parent=entry_id(day.house)))
    day.keep()
    found = chain(exit_id)
    assert steps(found) == ["decision", "canceled", "intent"]
    assert found["steps"][0]["message"]["reason"] == "below exit"
    assert {leg["leg"] for leg in found["legs"]} == {"entry", "stop"}


def test_a_denied_order_shows_the_verdict_and_its_numbers(day: Day) -> None:
    order_id = entry_id(day.house, 2)
    wished = day.say(decision("enter", "r", client_order_id=order_id), intent(order_id))
    no = day.say(verdict(order_id, wished, approved=False, code="MAX_ORDER_NOTIONAL"))
    day.say(denied(order_id, no))
    found = chain(order_id)
    assert steps(found) == ["decision", "intent", "verdict", "denied"]
    assert found["steps"][-1]["text"] == "by risk: MAX_ORDER_NOTIONAL 25000 of 20000"
    assert found["state"] == "DENIED"
    assert "a timer began it, and no market data" in found["missing"]


def test_an_order_by_hand_was_begun_by_a_person_and_no_timer(day: Day) -> None:
    order_id = entry_id(day.house, 2)
    wished = day.say(intent(order_id, strategy="manual"))
    day.say(denied(order_id, day.say(verdict(order_id, wished, approved=False, code="X"))))
    missing = chain(order_id)["missing"]
    assert "a person asked for it, by hand" in missing
    assert not [one for one in missing if "timer" in one or "no decision" in one]


def test_an_order_that_nobody_answered_yet_has_its_intent(day: Day) -> None:
    order_id = entry_id(day.house, 2)
    day.say(intent(order_id))
    found = chain(order_id)
    assert steps(found) == ["intent"]
    assert found["state"] == "INITIALIZED"
    assert "risk has not said anything of it yet" in found["missing"]


def test_an_order_of_somebody_else_is_told_as_far_as_it_is_known(day: Day) -> None:
    other = "f" * 32
    day.say(
        OrderAccepted(ts_event=NOON_NS, client_order_id=other, symbol=SYMBOL, venue_order_id="9")
    )
    day.say(fill(other, "t1"))
    day.keep()
    found = chain(other)
    assert steps(found) == ["accepted", "fill"]
    assert found["missing"] == ["no strategy of this house asked for it, or that is no longer kept"]


def test_a_bar_that_was_fetched_whole_has_no_trade(day: Day) -> None:
    order_id = entry_id(day.house)
    seen = day.say(bar(7, source="rest"))
    day.say(intent(order_id, cause=seen, trace=7))
    found = chain(order_id)
    assert steps(found) == ["bar", "intent"]
    assert "no trade: the bar was fetched whole, afterwards" in found["missing"]


def test_a_name_that_nobody_knows_is_refused(day: Day) -> None:
    bought(day)
    day.keep()
    for name in ("0123456789", "nothing at all", "ETH/USDT", "*"):
        done = run("why", name)
        assert isinstance(done.exception, HouseError)
        assert done.exception.exit_code == 1
        assert "`rrr orders` lists them" in str(done.exception)


def test_a_name_of_several_orders_lists_them(day: Day) -> None:
    order_id = bought(day)
    day.keep()
    done = run("why", order_id[:8])
    assert done.exit_code == 2
    assert "2 orders" in done.output
    assert order_id in done.output
    assert entry_id(day.house, 1) in done.output


def test_what_retention_took_is_said_to_be_missing(day: Day) -> None:
    order_id = bought(day)
    day.close()
    for name in ("predictor.forecast", "engine.intent", "risk.verdict"):
        for path in files_of(day.house, name):
            path.unlink()
    found = chain(order_id)
    assert steps(found) == ["intent", "verdict", "submitted", "accepted", "fill"]
    assert any("predictor.forecast" in gap for gap in found["missing"])


def test_a_days_journal_is_not_read_for_one_trade(day: Day) -> None:
    # Three stretches of trades; the search for the bar's last one begins at the bar's time.
    for number in range(30):
        day.say(*(trade(number * 1000 + n, number * 1000 + n + 1) for n in range(1000)))
    order_id = bought(day)
    for number in range(30, 60):
        day.say(*(trade(number * 1000 + n, number * 1000 + n + 1) for n in range(1000)))
    begun_ns = SystemClock().mono_ns()
    assert steps(chain(order_id)) == STEPS
    assert SystemClock().mono_ns() - begun_ns < 1_000_000_000


def test_a_time_is_found_by_halves(day: Day) -> None:
    for number in range(400):
        day.say(*(trade(number * 100 + n, number) for n in range(100)))
    middle_ns = NOON_NS + 200 * 100_000
    journals = day.house.journal_dir
    first = next(iter(said_since(journals, "ingest.trade", middle_ns)))
    assert first.ts_ns == middle_ns
    begin = position_at(journals, STREAMS["ingest.trade"], middle_ns)
    assert 0 < begin < first.pos


def test_what_is_found_is_a_whole_record(day: Day) -> None:
    order_id = bought(day)
    (path,) = files_of(day.house, "gateway.order")
    day.close()
    data = bytearray(path.read_bytes())
    data[data.rfind(b"t77")] ^= 1
    path.write_bytes(data)
    kinds = [
        type(s.message).__name__
        for s in said_with(day.house.journal_dir, "gateway.order", order_id)
    ]
    assert "Fill" not in kinds
    assert "OrderSubmitted" in kinds


def test_an_empty_stream_says_nothing_last(house: House) -> None:
    assert last_said(house.journal_dir, "engine.intent") is None
