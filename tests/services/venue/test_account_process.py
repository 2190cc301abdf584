"""The account of a venue that is killed: what was answered is kept, what it missed is made up."""

import hmac
import signal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import msgspec
import pytest

from bus.clock import SystemClock
from schema.setting_types import PLAY_KEY, PLAY_SECRET
from services.venue.account import Balance, Terms
from services.venue.columns import DAY_MS
from services.venue.desk import Desk
from services.venue.orders import Ticket
from services.venue.statement import fill_row, money
from services.venue.synthetic import Synthetic
from tests.services.venue.test_process import House, refusal

CLOCK = SystemClock()
UNIT = 10**8
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")


def ask(house: House, method: str, call: str, **params: object) -> Any:
    text = urlencode({**params, "timestamp": CLOCK.wall_ns() // 10**6})
    sign = hmac.digest(PLAY_SECRET.encode(), text.encode(), "sha256").hex()
    address = f"http://127.0.0.1:{house.port}/api/v3/{call}?{text}&signature={sign}"
    request = Request(address, method=method, headers={"X-MBX-APIKEY": PLAY_KEY})
    with urlopen(request, timeout=5) as answer:
        return msgspec.json.decode(answer.read())


@pytest.mark.slow
def test_a_killed_venue_has_what_it_answered_and_what_the_tape_did_meanwhile(
    tmp_path: Path,
) -> None:
    house = House(
        tmp_path, RRR_CLOCK__SCALE="600", RRR_VENUE__SYMBOL=msgspec.json.encode(SYMBOLS).decode()
    )
    placed: list[tuple[dict[str, str], Any]] = []
    for turn in range(4):
        with house.running(signal.SIGKILL):
            last = float(house.get("ticker/price?symbol=BTCUSDT")["price"])
            for away, side in ((0.9995, "BUY"), (1.0002, "BUY"), (0.999, "BUY")):
                order = {"symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": "GTC",
                         "quantity": "0.02000", "price": f"{last * away:.2f}",
                         "newClientOrderId": f"k-{turn}-{away}"}  # fmt: skip
                placed.append((order, ask(house, "POST", "order", **order)))
    with house.running(signal.SIGTERM):
        account = ask(house, "GET", "account")
        trades = ask(house, "GET", "myTrades", symbol="BTCUSDT", limit=1000)
        orders = ask(house, "GET", "allOrders", symbol="BTCUSDT")
    assert [row["clientOrderId"] for row in orders] == [
        order["newClientOrderId"] for order, _ in placed
    ]
    first_ms = placed[0][1]["transactTime"]
    market = Synthetic(7, SYMBOLS, first_ms // DAY_MS - 2)
    oracle = Desk(market, Terms(10, 10, {"USDT": 100_000 * UNIT}), first_ms - 1)
    for order, answer in placed:
        oracle.advance(answer["transactTime"])
        oracle.place(ticket(order))
    oracle.advance(account["updateTime"])
    assert account["balances"] == balances_of(oracle)
    oracle.advance(trades[-1]["time"])
    fills = oracle.records.fills.values()
    assert trades == [fill_row(market.facts["BTCUSDT"], fill) for fill in fills]
    assert {row["isMaker"] for row in trades} == {True, False}


def balances_of(desk: Desk) -> list[dict[str, str]]:
    names = ("BTC", "ETH", "SOL", "USDT")
    found = {name: desk.records.account.balances.get(name, Balance()) for name in names}
    return [
        {"asset": name, "free": money(has.free), "locked": money(has.locked)}
        for name, has in found.items()
    ]


@pytest.mark.slow
def test_a_damaged_account_is_refused_with_its_place_and_exit_78(tmp_path: Path) -> None:
    house = House(tmp_path)
    with house.running(signal.SIGKILL):
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quoteOrderQty": "50"}
        for _ in range(2):
            assert ask(house, "POST", "order", **order)["status"] == "FILLED"
    (path,) = house.home.rglob("account.log")
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(data)
    code, said = refusal(house)
    assert code == 78
    assert "account.log is damaged at byte 0" in said


def ticket(order: dict[str, str]) -> Ticket:
    return Ticket(
        symbol=order["symbol"],
        side="BUY",
        type="LIMIT",
        qty=int(float(order["quantity"]) * 1000) * UNIT // 1000,
        px=int(order["price"].replace(".", "")) * UNIT // 100,
        client_id=order["newClientOrderId"],
    )
