"""What keeps a strategy from entering, told with every signal, and what a person may ask."""

from collections.abc import Callable

import msgspec
import pytest

from schema.house import TimeGap
from schema.market import FeedStatus
from schema.orders import InstrumentHalted, InstrumentResumed, KillLevel
from schema.trading import (
    Decision,
    OrderIntent,
    PairLocked,
    Protection,
    RiskState,
    StrategyFailed,
    StrategyPaused,
    StrategyResumed,
)
from tests.services.engine.engine_desk import Desk, none_ordered, only
from tests.services.engine.engine_made import (
    MINUTE_NS,
    SECOND_NS,
    SYMBOL,
    engine,
    forecast,
    instrument,
    told,
)


def lock(desk: Desk, symbol: str) -> None:
    until_ns = desk.now_ns + 10 * MINUTE_NS
    # It is a message of the engine's own stream, so that the engine books it.
    desk.core.apply(
        PairLocked(ts_event=desk.now_ns, symbol=symbol, until_ns=until_ns, reason="lost twice")
    )


def protect(desk: Desk) -> None:
    until_ns = desk.now_ns + 10 * MINUTE_NS
    desk.hear(
        Protection(
            ts_event=desk.now_ns, name="Cooldown", symbol=SYMBOL, until_ns=until_ns, reason="rest"
        )
    )


GATES: list[tuple[str, Callable[[Desk], object]]] = [
    ("gateway is not ready: SILENT", lambda d: d.peers("SILENT", "gateway")),
    ("risk is not ready: CATCHING_UP", lambda d: d.peers("CATCHING_UP", "risk")),
    ("ingest is not ready: BEHIND", lambda d: d.peers("BEHIND", "ingest")),
    (
        "kill level HALTED: drill",
        lambda d: d.hear(KillLevel(ts_event=1, level="HALTED", by="me", reason="drill")),
    ),
    (
        "risk is REDUCING: daily loss",
        lambda d: d.hear(RiskState(ts_event=1, state="REDUCING", reason="daily loss")),
    ),
    (
        "BTC/USDT is halted: late fill",
        lambda d: d.hear(InstrumentHalted(ts_event=1, symbol=SYMBOL, reason="late fill")),
    ),
    (
        "the feed of BTC/USDT is not OK: STALE no trade",
        lambda d: d.hear(FeedStatus(ts_event=1, symbol=SYMBOL, state="STALE", reason="no trade")),
    ),
    ("BTC/USDT is BREAK at the exchange", lambda d: d.hear(instrument(status="BREAK"))),
    ("strategy paused by me: look first", lambda d: d.command("pause", "threshold", "look first")),
    ("BTC/USDT is locked by engine: lost twice", lambda d: lock(d, SYMBOL)),
    ("* is locked by engine: lost twice", lambda d: lock(d, "*")),
    ("BTC/USDT is locked by risk: Cooldown: rest", protect),
    ("QUANTITY_BELOW_MINIMUM", lambda d: d.hear(instrument(min_notional=20_000 * 10**7))),
]


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: str(gate[0])[:30])
def test_a_signal_at_a_closed_gate_is_refused_and_says_which(
    gate: tuple[str, Callable[[Desk], object]],
) -> None:
    why, close = gate
    desk = Desk(engine()).open()
    close(desk)
    for _ in range(3):
        said = desk.forecast(0.7)
        refusal = only(said, Decision)
        assert refusal.action == "refuse"
        assert refusal.reason.startswith(why)
        assert none_ordered(said)


def test_a_quote_that_is_old_or_of_before_a_sleep_is_no_price_to_buy_at() -> None:
    desk = Desk(engine()).open()
    desk.forecast(0.5)
    desk.now_ns += 110 * SECOND_NS
    stale = only(desk.hear(forecast(desk.now_ns, 0.9)), Decision)
    assert (stale.action, stale.reason) == ("refuse", "the quote of BTC/USDT is stale")
    desk.forecast(0.5)
    desk.hear(TimeGap(jump_ms=9_000))
    desk.now_ns += MINUTE_NS
    gone = only(desk.hear(forecast(desk.now_ns, 0.9)), Decision)
    assert gone.reason == "BTC/USDT has no quote"


def test_gates_that_open_again_let_entries_through() -> None:
    desk = Desk(engine()).open()
    desk.hear(InstrumentHalted(ts_event=1, symbol=SYMBOL, reason="late fill"))
    desk.hear(KillLevel(ts_event=1, level="HALTED", by="me", reason="drill"))
    desk.command("pause", "threshold", "look")
    assert none_ordered(desk.forecast(0.7))
    desk.hear(InstrumentResumed(ts_event=1, symbol=SYMBOL, by="me", reason="seen"))
    desk.hear(KillLevel(ts_event=1, level="ACTIVE", by="me", reason="over"))
    desk.command("resume", "threshold", "looked")
    assert only(desk.forecast(0.7), OrderIntent).leg == "entry"


def test_without_bars_or_money_it_says_what_is_missing() -> None:
    desk = Desk(engine()).open(bars=10)
    cold = only(desk.forecast(0.7), Decision)
    assert (cold.action, cold.reason) == ("hold", "it warms up: 10 of 240 bars of BTC/USDT 1m")
    poor = Desk(engine()).open(deposit=False)
    refusal = only(poor.forecast(0.7), Decision)
    assert refusal.action == "refuse"
    assert refusal.reason.startswith("QUANTITY_BELOW_MINIMUM")


def test_a_pause_is_said_once_and_a_resume_ends_it() -> None:
    desk = Desk(engine()).open()
    assert desk.command("pause", "threshold", "look").ok
    assert desk.command("pause", "threshold", "again").ok
    assert len([m for m in desk.said if isinstance(m, StrategyPaused)]) == 1
    assert desk.command("resume", "threshold", "done").ok
    assert desk.command("resume", "threshold", "done").ok
    assert len([m for m in desk.said if isinstance(m, StrategyResumed)]) == 1


@pytest.mark.parametrize(
    ("verb", "args"),
    [("dance", ()), ("pause", ()), ("pause", ("nobody", "why")), ("stops", ("now",))],
)
def test_a_command_that_nobody_knows_is_told_what_there_is(
    verb: str, args: tuple[str, ...]
) -> None:
    done = Desk(engine()).open(bars=1).command(verb, *args)
    assert not done.ok
    assert "pause NAME WHY" in done.text or "expected threshold" in done.text


def stops(desk: Desk) -> list[dict[str, str]]:
    return msgspec.json.decode(desk.command("stops").body, type=list[dict[str, str]])


def test_stops_name_what_is_closed_and_what_opens_it() -> None:
    desk = Desk(engine()).open()
    assert stops(desk) == []
    desk.command("pause", "threshold", "look first")
    desk.peers("SILENT", "risk")
    lock(desk, SYMBOL)
    desk.hear(FeedStatus(ts_event=desk.now_ns, symbol=SYMBOL, state="STALE", reason="no trade"))
    found = {stop["what"]: stop for stop in stops(desk)}
    assert set(found) == {
        "strategy paused", "locked", "risk is not ready", "feed is not OK",
    }  # fmt: skip
    assert found["strategy paused"]["release"] == 'rrr strategy resume threshold "why"'
    assert found["strategy paused"]["by"] == "me"
    assert found["risk is not ready"]["release"] == "clears itself"
    assert found["locked"]["release"].startswith("rrr lock BTC/USDT --clear, or it clears")
    assert set(found["feed is not OK"]) == {"what", "scope", "since", "by", "why", "release"}


def test_a_failed_strategy_stays_failed_until_somebody_resumes_it() -> None:
    desk = Desk(engine()).open()
    desk.core.apply(StrategyFailed(ts_event=1, strategy="threshold", reason="it raised"))
    assert desk.forecast(0.7) == []
    assert [stop["what"] for stop in stops(desk)] == ["strategy failed"]
    desk.command("resume", "threshold", "mended")
    assert only(desk.forecast(0.7), OrderIntent)


def test_a_person_closes_what_a_strategy_holds_and_it_stays_out() -> None:
    desk = Desk(engine(made=(told(),))).open()
    assert desk.command("close", "told", "enough").text.startswith("told holds nothing")
    desk.command("resume", "told", "go on")
    desk.take(desk.wants("qty 0.05 stop=59000"))
    stop = desk.orders()[-1]
    done = desk.command("close", "told", "enough")
    assert done.text == f"told closes {SYMBOL}; it enters no more until it is resumed"
    exit_ = only(desk.cancel(stop.client_order_id), OrderIntent)
    assert (exit_.leg, exit_.qty) == ("exit", 5_000)
    desk.take([exit_])
    assert desk.held() == 0
    assert only(desk.wants("qty 0.05"), Decision).action == "refuse"
    assert [stop["why"] for stop in stops(desk)] == ["enough"]


def test_what_runs_is_told_with_what_it_holds_and_wants() -> None:
    desk = Desk(engine(made=(told(short=True), told("two", role="shadow")))).open()
    desk.take(desk.wants("qty 0.05 stop=59000 take=61000 why=up"))
    desk.command("pause", "two", "look")
    lock(desk, SYMBOL)
    first, second = msgspec.json.decode(desk.command("strategies").body)
    assert (first["name"], first["mode"], first["short"]) == ("told", "trade", True)
    assert (first["budget"], first["worth"], first["latch"]) == (10_000, 10_000, "")
    assert (first["file"], first["params"]) == ("strategies/told.py", {"me": "told"})
    (row,) = first["symbols"]
    assert (row["symbol"], row["position"], row["cost"]) == (SYMBOL, "0.05000000", "3000.0000000")
    assert (row["wants"], row["stop"], row["take"]) == ("0.05000", "59000.00", "61000.00")
    assert (row["why"], row["locked"]) == ("up", "lost twice")
    assert (second["mode"], second["latch"]) == ("shadow", "strategy paused by me: look")
