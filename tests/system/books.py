"""The books of a house that is at rest, compared wherever they are kept, to the last digit."""

import json
from decimal import Decimal
from typing import Any

from bus.wire import ask
from tests.system.account import Account
from tests.system.checkout import Checkout
from tests.system.journals import messages

SYMBOL = "BTC/USDT"
VENUE_SYMBOL = "BTCUSDT"
OPEN = "('SUBMITTED', 'UNCONFIRMED', 'ACCEPTED', 'PARTIALLY_FILLED', 'PENDING_CANCEL', 'TRIGGERED')"
TRIES = 5
PAUSE_MS = 500


def at_rest(house: Checkout) -> None:
    """Stop new risk, and wait until nothing is under way but what protects."""
    done = house.rrr("kill", "the books are compared")
    assert done.returncode == 0, done.stdout + done.stderr
    unprotective = f"SELECT count(*) AS n FROM orders WHERE status IN {OPEN} AND leg <> 'stop'"
    house.until("no order under way", lambda: house.query("trading", unprotective)[0]["n"] == 0)
    house.until("every fill in the shard", lambda: set(_shard_fills(house)) == _venue_fills(house))


def assert_equal_everywhere(house: Checkout) -> None:
    """Hold engine, risk, shard and venue against each other."""
    books = _everywhere(house)
    for _ in range(TRIES):
        if all(book == books["venue"] for book in books.values()):
            break
        house.clock.pause_ms(PAUSE_MS)  # What reduces may fill even now, between two looks.
        books = _everywhere(house)
    assert books == dict.fromkeys(books, books["venue"])


def _everywhere(house: Checkout) -> dict[str, dict[str, Decimal]]:
    venue = Account(house.venue).balances()
    sql = f"SELECT qty FROM positions WHERE symbol = '{SYMBOL}' AND strategy = ''"
    (position,) = house.query("trading", sql)
    return {
        "venue": venue,
        "ledger": _ledger(house),
        "engine": _books(house, "engine"),
        "risk": _books(house, "risk"),
        "positions": _with_btc(venue, Decimal(position["qty"])),
        "fills": _with_btc(venue, _position_of_fills(house)),
    }


def _with_btc(book: dict[str, Decimal], amount: Decimal) -> dict[str, Decimal]:
    others = {asset: held for asset, held in book.items() if asset != "BTC"}
    return others | ({"BTC": amount} if amount else {})


def assert_orders_are_lawful(house: Checkout) -> None:
    """Hold every order of the venue against the journals: once, approved, written before sent."""
    there = Account(house.venue).orders(VENUE_SYMBOL)
    ids = [row["clientOrderId"] for row in there]
    assert len(set(ids)) == len(ids), "an order stands twice at the venue"
    said: list[Any] = messages(house.journal_dir(), "gateway.order")
    submitted = {m.client_order_id: m for m in said if type(m).__name__ == "OrderSubmitted"}
    assert set(ids) <= set(submitted), "an order reached the venue that was never written down"
    for message in submitted.values():
        assert message.verdict.approved
        assert message.verdict.client_order_id == message.client_order_id
    fills = [(m.symbol, m.venue_trade_id) for m in said if type(m).__name__ == "Fill"]
    assert len(set(fills)) == len(fills), "a fill was booked twice"


def _shard_fills(house: Checkout) -> list[str]:
    sql = f"SELECT venue_trade_id AS id FROM fills WHERE symbol = '{SYMBOL}'"
    return [row["id"] for row in house.query("trading", sql)]


def _venue_fills(house: Checkout) -> set[str]:
    return {str(trade) for trade in Account(house.venue).trades(VENUE_SYMBOL)}


def _position_of_fills(house: Checkout) -> Decimal:
    rows = house.query("trading", f"SELECT * FROM fills WHERE symbol = '{SYMBOL}'")
    signs = {"buy": 1, "sell": -1}
    total = sum((signs[row["side"]] * Decimal(row["qty"]) for row in rows), Decimal(0))
    return total - sum((Decimal(r["fee"]) for r in rows if r["fee_asset"] == "BTC"), Decimal(0))


def _ledger(house: Checkout) -> dict[str, Decimal]:
    sql = "SELECT asset, amount FROM ledger WHERE account = 'trading'"
    found: dict[str, Decimal] = {}
    for row in house.query("trading", sql):
        found[row["asset"]] = found.get(row["asset"], Decimal(0)) + Decimal(row["amount"])
    return {asset: amount for asset, amount in found.items() if amount}


def _books(house: Checkout, service: str) -> dict[str, Decimal]:
    done = ask(house.run_dir, service, "balances", timeout_ms=5_000)
    assert done.ok, done.text
    found = {asset: Decimal(text) for asset, text in json.loads(done.body).items()}
    return {asset: amount for asset, amount in found.items() if amount}
