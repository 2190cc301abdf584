"""What stops trading, as `rrr status` tells it, and when it says that nothing does."""

import json
from collections.abc import Iterator
from typing import Any, Literal

import msgspec
import pytest

from bus.health import Verdict
from bus.house import House
from services.rrr.books import Books
from services.rrr.screen import numbers, screen, world_line
from services.rrr.status import build
from services.rrr.stops import TRADERS
from services.rrr.survey import LastWord, Survey, verdict
from tests.services.bare import bare_house
from tests.services.rrr.answering import Services
from tests.services.rrr.surveys import SECOND, beat, found


@pytest.fixture
def house() -> Iterator[House]:
    with bare_house() as made:
        yield made


def trading_house(house: House, **states: str) -> Survey:
    """Return a survey of a house with everybody who trades."""
    survey = found(house, **states)
    known = {verdict.service for verdict in survey.verdicts}
    survey.verdicts += [
        Verdict(name, states.get(name, "READY"), "why") for name in TRADERS if name not in known
    ]
    survey.heartbeats = {v.service: beat(v.service) for v in survey.verdicts if v.state != "DEAD"}
    return survey


def stop(what: str, scope: str) -> dict[str, str]:
    about = {"since": "2026-01-01T00:00:00Z", "by": "ann", "why": "storm", "release": "rrr resume"}
    return {"what": what, "scope": scope, **about}


@pytest.mark.parametrize(
    ("scopes", "trades"),
    [
        ((), True),
        (("*",), False),
        (("daily_loss",), False),
        (("BTC/USDT",), True),
        (("BTC/USDT", "ETH/USDT", "SOL/USDT"), False),
        (("pulse",), True),
        (("pulse", "threshold"), False),
        (("0a" * 16,), True),
    ],
)
def test_it_trades_while_something_may_be_bought(
    house: House, scopes: tuple[str, ...], *, trades: bool
) -> None:
    stops = [stop("stopped", scope) for scope in scopes]
    report = build(house, trading_house(house), stops)
    assert report["trading"] is trades
    assert report["stops"] == stops
    lines = screen(report).splitlines()
    assert lines[0] == f"Trading: {'YES' if trades else 'NO'}"
    for scope in scopes:
        line = f"  {scope}: stopped, since 2026-01-01T00:00:00Z, by ann: storm -> rrr resume"
        assert line in lines


@pytest.mark.parametrize(
    ("state", "what", "release"),
    [
        ("DEGRADED", "service risk is DEGRADED", "it clears itself; `rrr logs risk` says more"),
        ("DEAD", "service risk does not answer", "it clears itself; `rrr logs risk` says more"),
        ("STOPPED", "service risk is STOPPED", "supervisorctl start risk"),
    ],
)
def test_a_trader_that_does_not_work_is_a_stop(
    house: House, state: str, what: str, release: str
) -> None:
    report = build(house, trading_house(house, risk=state))
    (one,) = report["stops"]
    assert (one["what"], one["scope"], one["release"]) == (what, "risk", release)
    assert report["trading"] is False


def test_a_look_at_a_trader_goes_before_what_another_heard_of_it(house: House) -> None:
    heard = stop("risk is not ready", "risk") | {"by": "engine", "release": "clears itself"}
    (one,) = build(house, trading_house(house, risk="STOPPED"), [heard])["stops"]
    assert (one["by"], one["release"]) == ("rrr", "supervisorctl start risk")


def without(house: House, mode: Literal["shadow", "off"], *names: str) -> House:
    """Return a house in which these strategies do not trade."""
    strategies = dict(house.settings.strategy)
    for name in names:
        strategies[name] = msgspec.structs.replace(strategies[name], mode=mode)
    settings = msgspec.structs.replace(house.settings, strategy=strategies)
    return msgspec.structs.replace(house, settings=settings)


@pytest.mark.parametrize("mode", ["shadow", "off"])
def test_a_house_without_strategies_says_that_it_trades_nothing(
    house: House, mode: Literal["shadow", "off"]
) -> None:
    house = without(house, mode, "threshold", "pulse")
    report = build(house, trading_house(house))
    (one,) = report["stops"]
    assert (one["what"], one["why"]) == ("no strategy", 'no [strategy.NAME] has mode = "trade"')
    assert report["trading"] is False


def test_only_strategies_that_trade_count_for_whether_something_may_be_bought(
    house: House,
) -> None:
    house = without(house, "shadow", "pulse")
    paused = {name: stop("paused", name) for name in ("pulse", "threshold")}
    report = build(house, trading_house(house), [paused["pulse"]])
    assert report["trading"] is True
    report = build(house, trading_house(house), [paused["threshold"]])
    assert report["trading"] is False


def test_numbers_stand_with_their_points_below_one_another() -> None:
    assert numbers("QTY", ["0.5", "-12", "3.25"]) == ["   QTY", "  0.5 ", "-12   ", "  3.25"]


def screen_of(house: House, **books: Any) -> list[str]:
    report = build(house, trading_house(house), (), Books(**books))
    return screen(report).splitlines()


def test_money_names_its_asset_and_shows_cents(house: House) -> None:
    held = {"symbol": "BTC/USDT", "qty": "0.5", "avg_price": "60000.120000"}
    held |= {"value": "30000.06", "unrealized": "-0.0001"}
    lines = screen_of(
        house, quote="USDT", equity="99972.0590401", cash="-1.005", positions=[held],
        risk={"state": "ACTIVE", "reason": "calm"},
    )  # fmt: skip
    assert lines[3:7] == [
        "Equity: 99972.06 USDT, of it -1.00 in cash",
        "Risk: ACTIVE",
        "SYMBOL    QTY  AVG PRICE     VALUE  UNREALIZED",
        "BTC/USDT  0.5   60000.12  30000.06        0.00",
    ]


def test_a_small_equity_shows_all_its_decimals(house: House) -> None:
    assert screen_of(house, quote="BTC", equity="1.5", cash="0.00000001")[3] == (
        "Equity: 1.50000000 BTC, of it 0.00000001 in cash"
    )


def test_before_the_first_portfolio_nothing_is_booked(house: House) -> None:
    assert screen_of(house)[3] == "Equity: nothing is booked yet"


def test_what_a_stop_says_is_not_said_again_by_risk(house: House) -> None:
    told = [stop("kill level HALTED", "all")]
    books = Books(risk={"state": "HALTED", "reason": "storm"})
    lines = screen(build(house, trading_house(house), told, books)).splitlines()
    assert "Risk: HALTED" in lines


@pytest.mark.parametrize(
    ("world", "line"),
    [
        ("local-synthetic-7", "(local)   SIMULATED MARKET AND MONEY"),
        ("replay-0123abcd", "(local)   SIMULATED MARKET AND MONEY"),
        ("paper-binance", "(paper)   REAL MARKET, SIMULATED MONEY"),
        ("live-binance-ab12", "(live)   REAL MARKET AND MONEY"),
        ("live-binance-standin-ab12", "(live)   A REHEARSAL: A STAND-IN'S MARKET, SIMULATED MONEY"),
    ],
)
def test_a_screen_says_what_is_real(world: str, line: str) -> None:
    assert world_line(world) == f"World: {world} {line}"


def test_a_crash_loop_is_a_stop_with_its_release(house: House) -> None:
    survey = found(house, ingest="STOPPED")
    survey.heartbeats["warden"] = beat("warden", counters=(("crash_loop.ingest", 1),))
    survey.last_words["ingest"] = LastWord(1, "it broke", 0)
    report = build(house, survey)
    (stop,) = (one for one in report["stops"] if one["scope"] == "ingest")
    assert stop == {
        "what": "service left down after a crash loop",
        "scope": "ingest",
        "since": "",
        "by": "warden",
        "why": "it broke",
        "release": "supervisorctl start ingest",
    }
    assert "it broke -> supervisorctl start ingest" in screen(report)


def test_status_asks_the_traders_what_they_stop(house: House) -> None:
    answers: dict[tuple[str, str], Any] = {
        (name, "status"): (True, "", msgspec.msgpack.encode(beat(name))) for name in TRADERS
    }
    answers |= {(name, "stops"): (True, "", []) for name in TRADERS}
    answers["gateway", "stops"] = (True, "", [stop("kill level HALTED", "house")])
    answers["engine", "stops"] = (False, "it still recovers", None)
    services = Services(house, TRADERS, answers)
    done = services.rrr("status", "--json")
    services.close()
    report = json.loads(done.out)
    assert report["trading"] is False
    assert report["stops"][0]["what"] == "kill level HALTED"
    (mute,) = (one for one in report["stops"] if one["scope"] == "engine")
    assert (mute["why"], mute["release"]) == ("it still recovers", "rrr restart engine")
    assert done.code == 3


@pytest.mark.parametrize(
    ("code", "at_s", "reason"),
    [(74, 20, "it is damaged"), (74, 9, "no process runs"), (0, 20, "no process runs")],
    ids=["it failed", "in a life before", "it was told to"],
)
def test_who_was_stopped_for_its_failures_tells_the_last(
    house: House, code: int, at_s: int, reason: str
) -> None:
    survey = found(house)
    del survey.heartbeats["writer_market"]
    info = {"statename": "STOPPED", "pid": 0, "start": 10, "spawnerr": "", "exitstatus": code}
    survey.processes["writer_market"] = info
    survey.last_words["writer_market"] = LastWord(code, "it is damaged", at_s * SECOND)
    told = verdict(survey, "writer_market")
    assert (told.state, told.reason) == ("STOPPED", reason)


def test_contracts_that_differ_name_the_restart_and_stop_no_trade(house: House) -> None:
    survey = trading_house(house)
    for name, heartbeat in survey.heartbeats.items():
        fields: dict[str, Any] = {"contract": "new", "started_ns": 20}
        if name in {"risk", "engine"}:
            fields = {"contract": "old", "started_ns": 10}
        survey.heartbeats[name] = msgspec.structs.replace(heartbeat, **fields)
    report = build(house, survey)
    (one,) = report["stops"]
    assert one["what"] == "contracts differ"
    assert sorted(one["release"].split()[2:]) == ["engine", "risk"]
    assert report["trading"] is True


def test_a_condition_that_a_trader_tells_of_itself_is_told_once(house: House) -> None:
    told = stop("reconciling", "all") | {"by": "gateway", "release": "clears itself"}
    report = build(house, trading_house(house, gateway="DEGRADED"), [told])
    assert [one["what"] for one in report["stops"]] == ["reconciling"]
    assert report["trading"] is False


def test_orders_of_others_are_counted_on_the_screen(house: House) -> None:
    survey = trading_house(house)
    survey.heartbeats["gateway"] = beat("gateway", counters=(("external_orders", 2),))
    report = build(house, survey)
    assert report["external_orders"] == 2
    assert "2 external (`rrr adopt --list`)" in screen(report)
