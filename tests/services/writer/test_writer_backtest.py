"""Runs in their shard: whole, once, and replaced only by another word about the same run."""

from pathlib import Path

import msgspec
import pytest

from schema.head import Message
from schema.house import Alert, BacktestResult, RunEquity, RunPrices, RunTrade, RunTrades
from tests.services.writer.analytics_desk import NS, Desk


def trade(number: int, gain: int = 5) -> RunTrade:
    return RunTrade(
        "BTC/USDT", "long", NS, NS + number, 1, 2, 100, 5, 60_000.5, 60_001.0, gain, 1, "up", "stop"
    )


def words(run_id: str = "r1", fingerprint: str = "f", gain: int = 5) -> list[Message]:
    return [
        BacktestResult(
            ts_event=NS, run_id=run_id, strategy="trend", world="w", orders=4,
            metrics=(("sharpe", 1.5),), fingerprint=fingerprint, report='{"symbol":"BTC/USDT"}',
        ),
        RunTrades(ts_event=NS, run_id=run_id, first=0, trades=(trade(0, gain), trade(1, gain))),
        RunTrades(ts_event=NS, run_id=run_id, first=2, trades=(trade(2, gain),)),
        RunEquity(ts_event=NS, run_id=run_id, at_ns=(NS, NS + 1), equity=(10, 10 + gain), exp=8),
        RunPrices(ts_event=NS, run_id=run_id, symbol="BTC/USDT", at_ns=(NS,), px=(123,), px_exp=2),
    ]  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, "backtest")


def say(desk: Desk, said: list[Message], first: int = 1) -> None:
    for place, word in enumerate(said):
        desk.say(word, first + place, 0)


def test_a_run_is_kept_with_its_trips_and_curves(desk: Desk) -> None:
    say(desk, words())
    assert desk.rows("SELECT report ->> '$.symbol', orders FROM runs") == [("BTC/USDT", 4)]
    trips = desk.rows("SELECT number, side, qty, gain, entry_tag, exit_tag FROM run_trades")
    assert trips == [(place, "long", "0.00100", "0.00000005", "up", "stop") for place in range(3)]
    assert desk.rows("SELECT equity FROM run_equity") == [("0.00000010",), ("0.00000015",)]
    assert desk.rows("SELECT symbol, px FROM run_prices") == [("BTC/USDT", "1.23")]
    desk.store.close()


def test_the_same_run_again_is_a_repeat(desk: Desk) -> None:
    say(desk, words())
    before = desk.rows("SELECT * FROM backtest.run_trades")
    say(desk, words(), 6)
    assert desk.rows("SELECT * FROM backtest.run_trades") == before
    assert dict(desk.store.counters())["repeats"] == 5
    desk.store.close()


def test_another_word_about_a_run_replaces_all_of_it(desk: Desk) -> None:
    say(desk, words())
    shorter = words(fingerprint="g", gain=7)
    say(desk, [shorter[0], shorter[1], *shorter[3:]], 6)
    found = desk.rows("SELECT number, gain FROM run_trades")
    assert found == [(0, "0.00000007"), (1, "0.00000007")]
    assert desk.rows("SELECT equity FROM run_equity") == [("0.00000010",), ("0.00000017",)]
    desk.store.close()


def test_runs_do_not_touch_one_another(desk: Desk) -> None:
    say(desk, words("r1"))
    say(desk, words("r2", "h"), 6)
    say(desk, words("r2", "i"), 11)
    assert desk.rows("SELECT run_id, count(*) FROM run_trades GROUP BY run_id") == [
        ("r1", 3),
        ("r2", 3),
    ]
    desk.store.close()


def test_a_run_of_yesterday_had_no_report(desk: Desk) -> None:
    desk.say(msgspec.structs.replace(words()[0], report=""), 1, 0)
    assert desk.rows("SELECT report FROM runs") == [("{}",)]
    desk.store.close()


def test_what_is_no_run_goes_to_the_dead_letters(desk: Desk) -> None:
    desk.say(Alert(ts_event=NS, name="A", severity="", state="", scope="", summary=""), 1, 0)
    say(desk, words(), 2)
    assert desk.rows("SELECT type FROM dead_letter") == [("Alert",)]
    assert len(desk.rows("SELECT 1 FROM run_trades")) == 3
    desk.store.close()
