"""The double-entry ledger of the trading shard: each way that money comes and goes by."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schema import orders, trading
from tests.services.writer.trading_desk import NS, Desk

ID = "0a" * 16


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.store.close()


def moved(venue_id: str, amount: int, **changes: Any) -> orders.Deposit:
    values: dict[str, Any] = {"ts_event": NS, "asset": "USDT", "exp": 8, "venue_id": venue_id}
    return orders.Deposit(amount=amount, **values | changes)


def seen(difference: int, exp: int = 8) -> orders.BalanceSeen:
    return orders.BalanceSeen(
        ts_event=NS, asset="USDT", free=0, locked=0, difference=difference, exp=exp
    )


KIND_OF = [
    (moved("opening", 9, kind="opening"), "opening", "outside"),
    (moved("opening", 9), "opening", "outside"),  # As it was said before there were kinds.
    (moved("1-9", 9), "deposit", "outside"),
    (moved("1-8", -8), "withdrawal", "outside"),
    (moved("adopted-5", -8), "adjustment", "outside"),
    (moved("outside-5", 8, kind="adjustment", book="external"), "adjustment", "outside"),
    (moved("f1", -8, kind="funding", symbol="BTC/USDT"), "funding", "funding"),
    (moved("d1", 8, kind="dividend"), "funding", "funding"),
    (moved("r1", 8, kind="rebate"), "rebate", "fees"),
]


@pytest.mark.parametrize(("message", "kind", "other"), KIND_OF)
def test_each_way_that_money_comes_by_is_an_entry_of_its_kind(
    desk: Desk, message: orders.Deposit, kind: str, other: str
) -> None:
    desk.say(message, message)
    found = desk.rows("SELECT kind, account, amount FROM trading.ledger ORDER BY leg")
    assert found == [(kind, message.book, message.amount), (kind, other, -message.amount)]


def test_a_rebate_of_a_fill_is_a_fee_below_zero(desk: Desk) -> None:
    desk.say(
        orders.Fill(
            ts_event=NS, client_order_id=ID, symbol="BTC/USDT", side="buy", venue_order_id="v1",
            venue_trade_id="t1", px=6400000, qty=100, quote_qty=6400000000, fee=-10,
            fee_asset="BNB", maker=True, px_exp=2, qty_exp=5, quote_exp=8, fee_exp=8,
        )
    )  # fmt: skip
    found = desk.rows("SELECT account, amount FROM trading.ledger WHERE kind = 'rebate'")
    assert found == [("trading", 10), ("fees", -10)]


def test_what_nobody_explains_stands_in_suspense_until_somebody_does(desk: Desk) -> None:
    sums = (
        "SELECT account, decimal_text(sum(amount * iif(exp = 8, 10, 1)), 9) FROM trading.ledger "
        "GROUP BY account ORDER BY account"
    )
    desk.say(moved("opening", 100), seen(-30))
    assert desk.rows(sums)[1] == ("suspense", "-0.000000300")
    desk.say(seen(-305, 9), seen(-305, 9))
    assert desk.rows(sums)[1] == ("suspense", "-0.000000305")
    desk.say(moved("adopted-1", -305, exp=9, kind="adjustment"), seen(0))
    assert [row for row in desk.rows(sums) if row[0] != "outside"] == [
        ("suspense", "0.000000000"), ("trading", "0.000000695"),
    ]  # fmt: skip
    entries = desk.rows("SELECT DISTINCT entry FROM ledger WHERE kind = 'suspense' ORDER BY 1")
    assert entries == [(f"suspense:USDT:{n}",) for n in (1, 2, 3)]


def test_a_portfolio_says_its_funding_and_what_has_no_price(desk: Desk) -> None:
    desk.say(
        trading.Portfolio(
            ts_event=NS, quote="USDT", cash=1, equity=1, gross_exposure=0, net_exposure=0,
            realized=0, unrealized=0, fees=0, peak_equity=1, quote_exp=0, funding=-2,
            unpriced=("A/USDT", "B/USDT"), period="day", deposits=7,
        )
    )  # fmt: skip
    found = desk.rows("SELECT funding, deposits, unpriced, period FROM portfolio")
    assert found == [("-2", "7", "A/USDT B/USDT", "day")]
