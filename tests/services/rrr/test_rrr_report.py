"""`rrr report`: a day's and a month's numbers are exact, and explain how the account changed."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.trading import Portfolio
from services.rrr.period import period_of
from services.rrr.report_build import drawdown
from services.rrr.survey import NotReadyError
from tests.services.bare import entered_house
from tests.services.rrr.money_desk import BEGIN_NS, DAY_NS, HOUR_NS, Desk, run, told
from tests.services.rrr.store_desk import damaged, file_of

THOUSAND = 1_000 * 10**8
BTC_USDT = "BTC/USDT"


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A house in which nothing runs, entered."""
    with entered_house() as house:
        yield Desk(house)


def account(*args: str) -> dict[str, Any]:
    (found,) = told("report", *args)["accounts"]
    assert isinstance(found, dict)
    return found


def portfolio(desk: Desk, hour: float, equity: int) -> None:
    money: dict[str, Any] = dict.fromkeys(
        ("gross_exposure", "net_exposure", "realized", "unrealized", "fees", "peak_equity"), 0
    )
    ts_event = BEGIN_NS + int(hour * HOUR_NS)
    desk.day.say(
        Portfolio(ts_event=ts_event, quote="USDT", cash=0, equity=equity, quote_exp=8, **money)
    )


def test_a_days_profit_is_told_by_symbol_and_strategy(desk: Desk) -> None:
    desk.put_in(0, "USDT", THOUSAND)
    desk.fill(1, "buy", 1_000, 6_000_000, fee=60_000_000)
    desk.fill(2, "sell", 1_000, 6_010_000, fee=60_100_000)
    desk.keep()
    report = told("report", "2023-11-14")
    (whole,) = report["accounts"]
    assert (whole["realized"], whole["fees"], whole["net"]) == ("1", "1.201", "-0.201")
    assert (whole["equity_start"], whole["equity_end"]) == ("0", "999.799")
    assert (whole["deposits"], whole["residual"], whole["turnover"]) == ("1000", "0", "1201")
    assert (whole["fills"], whole["trades"], whole["wins"], whole["losses"]) == (2, 1, 0, 1)
    (symbol,), (strategy,) = report["symbols"], report["strategies"]
    assert (symbol["symbol"], symbol["net"]) == (BTC_USDT, "-0.201")
    assert (strategy["strategy"], strategy["net"]) == ("unattributed", "-0.201")
    assert report["fees"] == [
        {"asset": "USDT", "amount": "1.201", "value": "1.201", "unvalued": "0"}
    ]


def test_what_is_held_overnight_begins_the_next_day_at_its_price(desk: Desk) -> None:
    desk.put_in(1, "USDT", THOUSAND)
    desk.fill(2, "buy", 1_000, 6_000_000)
    desk.bars(23.9, [6_100_000] * 6)
    desk.fill(30, "sell", 1_000, 6_050_000)
    desk.keep("market")
    first, second = account("2023-11-14"), account("2023-11-15")
    assert (first["equity_end"], first["unrealized_change"]) == ("1010", "10")
    assert second["equity_start"] == first["equity_end"]
    assert (second["realized"], second["unrealized_change"]) == ("5", "-10")
    assert (second["change"], second["residual"]) == ("-5", "0")
    month = account("2023-11")
    assert (month["realized"], month["change"], month["residual"]) == ("5", "1005", "0")


def test_without_a_market_the_last_fill_is_the_price_and_it_is_told(desk: Desk) -> None:
    desk.fill(2, "buy", 1_000, 6_000_000)
    desk.keep()
    report = told("report", "2023-11-14")
    assert report["flags"] == ["no price of BTC/USDT is kept: that of our last fill stands for it"]
    assert report["accounts"][0]["unrealized_change"] == "0"


def test_a_fee_in_the_base_asset_is_less_of_a_position(desk: Desk) -> None:
    desk.fill(2, "buy", 1_000, 6_000_000, fee=1_000, fee_asset="BTC")
    desk.keep()
    report = told("report", "2023-11-14")
    assert report["symbols"][0]["qty_end"] == "0.00999"
    assert (report["symbols"][0]["fees"], report["accounts"][0]["residual"]) == ("0.6", "0")
    assert report["fees"][0]["value"] == "0.6"


def test_a_fee_in_a_third_asset_is_worth_its_price_then(desk: Desk) -> None:
    desk.put_in(0, "BNB", 10**8)
    desk.bars(2, [30_000, 31_000], "BNB/USDT")
    desk.fill(2.05, "buy", 1_000, 6_000_000, fee=200_000, fee_asset="BNB")
    desk.fill(9, "sell", 1_000, 6_000_000, fee=100_000, fee_asset="BNB")
    desk.keep("market")
    report = told("report", "2023-11-14")
    whole = report["accounts"][0]
    assert (whole["fees"], whole["fees_elsewhere"], whole["net"]) == ("0", "0.62", "-0.62")
    assert report["fees"] == [
        {"asset": "BNB", "amount": "0.003", "value": "0.62", "unvalued": "0.001"}
    ]
    assert report["flags"] == ["1 fees in a third asset have no price: net is without them"]
    assert whole["residual"] == "0"


def test_funding_and_withdrawals_are_no_trading_profit(desk: Desk) -> None:
    desk.put_in(0, "USDT", THOUSAND)
    desk.fill(2, "buy", 1_000, 100_000)
    desk.put_in(3, "USDT", -25_000_000, "funding", BTC_USDT)
    desk.put_in(3, "USDT", -5_000_000, "funding")
    desk.put_in(4, "USDT", -100 * 10**8)
    desk.put_in(5, "USDT", 10_000_000, "rebate")
    desk.fill(6, "sell", 1_000, 100_000)
    desk.keep()
    report = told("report", "2023-11-14")
    (whole,), (symbol,) = report["accounts"], report["symbols"]
    assert (whole["funding"], whole["income"], whole["deposits"]) == ("-0.3", "0.1", "900")
    assert (whole["net"], whole["change"], whole["residual"]) == ("-0.2", "899.8", "0")
    assert (symbol["funding"], symbol["net"]) == ("-0.25", "-0.25")
    assert report["flags"] == ["funding -0.05 USDT is of no symbol that is known"]
    assert {(one["kind"], one["amount"]) for one in report["deposits"]} == {
        ("deposit", "1000"),
        ("funding", "-0.3"),
        ("rebate", "0.1"),
        ("withdrawal", "-100"),
    }


def test_a_withdrawal_is_no_drawdown(desk: Desk) -> None:
    desk.put_in(0, "USDT", THOUSAND)
    portfolio(desk, 1, THOUSAND)
    desk.put_in(2, "USDT", -500 * 10**8)
    portfolio(desk, 3, 500 * 10**8)
    portfolio(desk, 4, 450 * 10**8)
    portfolio(desk, 5, 490 * 10**8)
    desk.keep()
    whole = account("2023-11-14")
    assert (whole["max_drawdown"], whole["snapshots"]) == ("50", 4)
    assert whole["max_drawdown_percent"] == "10"


def test_a_fall_is_told_of_its_own_peak() -> None:
    worth = [(n, Decimal(equity)) for n, equity in enumerate((100, 120, 90, 130, 110))]
    assert drawdown(worth, [])["max_drawdown"] == 30
    assert drawdown(worth, [])["max_drawdown_percent"] == 25


def test_a_row_that_is_missing_is_a_residual_and_ends_with_five(desk: Desk) -> None:
    desk.put_in(0, "USDT", THOUSAND)
    desk.fill(1, "buy", 1_000, 6_000_000, fee=60_000_000)
    desk.keep()
    damaged(file_of(desk.house, "trading"), "DELETE FROM ledger WHERE kind = 'fee'")
    report = told("report", "2023-11-14", code=5)
    assert report["accounts"][0]["residual"] == "0.6"
    assert "not explained" in str(run("report", "2023-11-14").exception)


def test_a_page_has_the_identity_to_the_last_unit(desk: Desk) -> None:
    desk.put_in(0, "USDT", THOUSAND)
    desk.fill(1, "buy", 1_001, 6_000_001, fee=60_000_003)
    desk.fill(2, "sell", 1_001, 6_010_003)
    desk.keep()
    text = run("report", "2023-11-14").output
    assert "SIMULATED MARKET AND MONEY" in text
    assert "residual 0\n" in text
    assert "- 0.60000003 fees" in text
    assert "unattributed" in text


def test_csv_has_a_line_for_account_symbol_and_strategy(desk: Desk) -> None:
    desk.fill(1, "buy", 1_000, 6_000_000)
    desk.keep()
    head, *lines = run("report", "2023-11-14", "--csv").output.splitlines()
    assert head.startswith("scope,name,quote,realized,fees")
    assert [line.split(",")[:2] for line in lines] == [
        ["account", desk.house.world],
        ["symbol", BTC_USDT],
        ["strategy", "unattributed"],
    ]


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize("text", ["2023-13", "2023-02-30", "soon", "0000-01", "2023", "-1", ""])
def test_garbage_is_no_period(text: str) -> None:
    assert run("report", "--", text).exit_code == 2


@pytest.mark.usefixtures("desk")
def test_before_there_is_a_shard_a_report_is_not_ready() -> None:
    assert isinstance(run("report").exception, NotReadyError)
    assert run("report", "--json", "--csv").exit_code == 2


def test_words_and_numbers_mean_days_and_months() -> None:
    now_ns = BEGIN_NS + 5 * HOUR_NS
    assert period_of("today", now_ns).text == "2023-11-14"
    assert period_of("yesterday", now_ns).stop_ns == BEGIN_NS
    month = period_of("2024-02", now_ns)
    assert (month.stop_ns - month.first_ns) // DAY_NS == 29
    last = period_of("2261-12", now_ns)
    assert (last.stop_ns - last.first_ns) // DAY_NS == 31


@pytest.mark.parametrize("text", ["9999-12-31", "9999-12", "2262-01", "0000-01", "0001-01-01"])
def test_a_year_that_no_shard_can_hold_is_no_period(text: str) -> None:
    done = run("report", text)
    assert (done.exit_code, "no day or month" in done.output) == (2, True)


TRADES = st.lists(
    st.tuples(
        st.integers(0, 71), st.sampled_from(["buy", "sell"]), st.integers(1, 10**6),
        st.integers(1, 10**8), st.integers(-(10**6), 10**9),
        st.sampled_from(["USDT", "BTC", "BNB"]),
    ),
    min_size=1, max_size=12,
)  # fmt: skip


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(TRADES)
def test_days_add_up_to_their_month_and_nothing_is_left_over(trades: list[Any]) -> None:
    with entered_house() as house:
        desk = Desk(house)
        desk.put_in(0, "USDT", 10**13)
        for hour, side, qty, px, fee, asset in trades:
            desk.fill(hour, side, qty, px, fee=fee, fee_asset=asset)
        desk.keep()
        days = [account(f"2023-11-{day}") for day in (14, 15, 16)]
        month = account("2023-11")
        assert {one["residual"] for one in (*days, month)} == {"0"}
        for name in ("realized", "fees", "change", "turnover", "fills", "deposits", "net"):
            assert sum(Decimal(one[name]) for one in days) == Decimal(month[name])
