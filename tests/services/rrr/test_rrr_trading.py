"""`rrr orders`, `positions`, `trades` and `why-not`, and the books as `rrr status` shows them."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bus.clock import ManualClock, SystemClock
from bus.errors import HouseError
from bus.house import House
from schema.orders import KillLevel, OrderRejected
from schema.trading import RiskState
from services.rrr import rrr
from services.rrr.books import Books, read_books, unrealized
from services.rrr.screen import screen
from services.rrr.status import status
from services.rrr.survey import NotReadyError
from tests.services.bare import bare_house
from tests.services.rrr.trade_day import (
    MINUTE_NS,
    NOON_NS,
    SYMBOL,
    Day,
    books,
    bought,
    decision,
    denied,
    entry_id,
    feed,
    files_of,
    forecast,
    worth,
)

OTHERS = [name for name in os.environ if name.startswith(("RRR_", "MODE"))]
NONE = {"submitted": 0, "filled": 0, "rejected": 0, "denied": 0, "open": 0}


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


def shown(*args: str) -> Any:
    done = run(*args, "--json")
    assert done.exit_code == 0, done.output + repr(done.exception)
    return json.loads(done.output)


def test_orders_are_shown_with_what_became_of_them(day: Day) -> None:
    order_id = bought(day)
    day.keep()
    rows = {row["client_order_id"]: row for row in shown("orders")}
    assert (rows[order_id]["status"], rows[order_id]["filled_qty"]) == ("FILLED", "0.00300")
    assert rows[entry_id(day.house, 1)]["stop_price"] == "59000.00"
    (still_open,) = shown("orders", "--open")
    assert still_open["leg"] == "stop"
    assert shown("orders", "--symbol", "ETH/USDT") == []
    assert len(shown("orders", "-n", "1")) == 1


def test_a_table_says_that_market_and_money_are_simulated(day: Day) -> None:
    order_id = bought(day)
    books(day)
    day.keep()
    for verb in ("orders", "positions", "trades"):
        assert "SIMULATED MARKET AND MONEY" in run(verb).output
    head, row = run("trades").output.splitlines()[1:]
    assert head.split()[:3] == ["TIME", "SYMBOL", "SIDE"]
    assert order_id in row


def test_positions_are_worth_what_their_mark_says(day: Day) -> None:
    books(day)
    day.keep()
    (row,) = shown("positions")
    assert (row["symbol"], row["qty"], row["avg_price"]) == (SYMBOL, "0.00300", "60001.000000")
    assert row["unrealized"] == "0.00300000"


@pytest.mark.parametrize(
    ("qty", "cost", "mark_px", "exps", "text"),
    [
        (300, 18_000_300_000, 6_000_200, (2, 5, 8), "0.00300000"),
        (-300, -18_000_300_000, 6_000_200, (2, 5, 8), "-0.00300000"),
        (1, 0, 1, (2, 8, 8), "0.0000000001"),
        (10**17, 0, 10**17, (8, 8, 8), "1000000000000000000.00000000"),
        (3, 6, 2, (0, 0, 0), "0"),
    ],
)
def test_what_closing_adds_is_exact(
    qty: int, cost: int, mark_px: int, exps: tuple[int, int, int], text: str
) -> None:
    assert unrealized(qty, cost, mark_px, exps) == text


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize("verb", ["orders", "positions", "trades"])
def test_before_there_is_a_shard_it_is_not_ready(verb: str) -> None:
    assert isinstance(run(verb).exception, NotReadyError)


def test_a_damaged_shard_is_a_matter_of_integrity(house: House) -> None:
    house.db_dir.mkdir(parents=True)
    (house.db_dir / "trading.db").write_bytes(b"no database" * 1000)
    error = run("orders").exception
    assert isinstance(error, HouseError)
    assert error.exit_code == 5


def test_the_books_are_shown_from_the_shard(day: Day) -> None:
    bought(day)
    books(day)
    day.keep()
    found = read_books(day.house)
    assert found.equity == "99999.90000000"
    assert found.orders == NONE | {"submitted": 2, "filled": 1, "open": 1}
    assert found.risk == {"state": "ACTIVE", "reason": "all within limits"}
    (position,) = found.positions
    assert set(position) == {"symbol", "qty", "avg_price", "unrealized", "value"}
    assert (found.quote, position["value"]) == ("USDT", "180.00600000")


def test_the_journal_goes_before_a_shard_that_is_behind(day: Day) -> None:
    books(day)
    day.keep()
    worth(day, 10**13)
    day.say(RiskState(ts_event=NOON_NS, state="REDUCING", reason="daily loss"))
    found = read_books(day.house)
    assert found.equity == "100000.00000000"
    assert found.risk == {"state": "REDUCING", "reason": "daily loss"}


def test_a_kill_level_goes_before_the_state_of_risk(day: Day) -> None:
    books(day)
    day.say(KillLevel(ts_event=NOON_NS, level="HALTED", by="ann", reason="storm"))
    assert read_books(day.house).risk == {"state": "HALTED", "reason": "storm"}
    day.keep()
    assert read_books(day.house).risk == {"state": "HALTED", "reason": "storm"}
    day.say(KillLevel(ts_event=NOON_NS, level="ACTIVE", by="ann", reason="over"))
    assert read_books(day.house).risk == {"state": "ACTIVE", "reason": "all within limits"}


def test_without_shard_and_journals_the_books_are_empty(house: House) -> None:
    assert read_books(house) == Books()
    assert Books().orders == NONE


def test_damaged_journals_leave_what_the_shard_knows(day: Day) -> None:
    books(day)
    day.keep()
    day.close()
    for name in ("engine.portfolio", "risk.event"):
        (path,) = files_of(day.house, name)
        path.write_bytes(b"\0" * 100 + path.read_bytes())
    assert read_books(day.house).equity == "99999.90000000"


def test_status_shows_the_books_of_a_house_that_stands_still(day: Day) -> None:
    bought(day)
    books(day)
    day.keep()
    begun_ns = SystemClock().mono_ns()
    report, _ = status(day.house, SystemClock())
    assert SystemClock().mono_ns() - begun_ns < 300_000_000
    json.dumps(report)
    lines = screen(report).splitlines()
    assert lines[0] == "Trading: NO"
    assert "World: local-synthetic-7 (local)   SIMULATED MARKET AND MONEY   NOT READY" in lines
    assert "Equity: 99999.90 USDT, of it 0.00 in cash" in lines
    assert "Risk: STOPPED" in lines
    assert "SYMBOL        QTY  AVG PRICE   VALUE  UNREALIZED" in lines
    assert "BTC/USDT  0.00300   60001.00  180.01        0.00" in lines
    assert "Orders: 2 submitted, 1 filled, 0 rejected, 0 denied, 1 open" in lines


def test_a_symbol_may_be_typed_in_small_letters(day: Day) -> None:
    bought(day)
    day.keep()
    assert shown("orders", "--symbol", "btc/usdt") == shown("orders", "--symbol", "BTC/USDT") != []


@pytest.mark.parametrize("count", ["0", "-1", "1000001", "9" * 30])
def test_a_count_that_no_screen_holds_is_usage(count: str) -> None:
    assert run("orders", "-n", count).exit_code == 2


def test_why_not_counts_decisions_and_denials_by_reason(day: Day) -> None:
    day.say(decision("hold", "an hour ago", ts_event=NOON_NS - 90 * MINUTE_NS))
    day.clock.advance(9 * MINUTE_NS)
    day.say(feed("STALE"))
    day.say(forecast((0, 0), 1))
    for minute in range(3):
        day.say(decision("hold", "below enter", ts_event=NOON_NS + minute * MINUTE_NS))
    day.say(decision("refuse", "locked", strategy="pulse", ts_event=NOON_NS + 4 * MINUTE_NS))
    day.say(denied(entry_id(day.house)))
    day.say(
        OrderRejected(
            ts_event=NOON_NS, client_order_id="a", symbol=SYMBOL, code="-2010", detail="funds"
        )
    )
    day.close()
    found = shown("why-not", SYMBOL)
    assert [
        (one["who"], one["what"], one["reason"], one["times"]) for one in found["decisions"]
    ] == [
        ("pulse", "refuse", "locked", 1),
        ("threshold", "hold", "below enter", 3),
    ]
    assert {(one["who"], one["reason"], one["detail"]) for one in found["denied"]} == {
        ("risk", "MAX_ORDER_NOTIONAL", "25000 of 20000"),
        ("venue", "-2010", "funds"),
    }
    assert found["feed"]["state"] == "STALE"
    assert found["forecasts"]["count"] == 1
    text = run("why-not", SYMBOL).output
    assert "below enter (probability 0.61)" in text
    assert "Feed: STALE" in text


def test_why_not_says_that_no_forecast_was_said(day: Day) -> None:
    day.say(decision("hold", "no forecast"))
    text = run("why-not", SYMBOL, "--since", "30m").output
    assert f"No forecast was said for {SYMBOL} in the last 30m." in text
    assert "engine: service engine does not answer, by rrr: " in text or "not part" in text


def test_why_not_knows_the_clock_of_the_house(day: Day) -> None:
    now_ns = SystemClock().wall_ns()
    clock = {"origin_ns": NOON_NS, "anchor_ns": now_ns, "scale": 10.0, "world": day.house.world}
    (day.house.run / "clock.json").write_text(json.dumps(clock))
    assert isinstance(day.clock, ManualClock)
    day.clock.now_ns = now_ns
    day.say(decision("hold", "old", ts_event=NOON_NS - 61 * MINUTE_NS))
    day.say(decision("hold", "new", ts_event=NOON_NS - 59 * MINUTE_NS))
    assert [one["reason"] for one in shown("why-not", SYMBOL)["decisions"]] == ["new"]


@pytest.mark.usefixtures("house")
def test_why_not_refuses_a_symbol_that_is_not_traded() -> None:
    assert isinstance(run("why-not", "NO/SUCH").exception, HouseError)
    assert run("why-not", SYMBOL, "--since", "soon").exit_code == 2
