"""The account at the venue, asked by the tests themselves: signed REST, without ccxt."""

import hashlib
import hmac
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from bus.clock import SystemClock
from schema.setting_types import PLAY_KEY, PLAY_SECRET

ANSWER_S = 10


class Account:
    """What the venue knows of the account of a house."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._clock = SystemClock()

    def get(self, path: str, **params: str) -> Any:
        """Return the answer to one signed GET."""
        query = urlencode({**params, "timestamp": str(self._clock.wall_ns() // 1_000_000)})
        signature = hmac.new(PLAY_SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
        address = f"{self._base}{path}?{query}&signature={signature}"
        request = Request(address, headers={"X-MBX-APIKEY": PLAY_KEY})
        with urlopen(request, timeout=ANSWER_S) as answer:
            return json.loads(answer.read())

    def orders(self, symbol: str) -> list[dict[str, Any]]:
        """Return every order ever, of one symbol."""
        found = self._pages("/api/v3/allOrders", symbol, "orderId", lambda row: row["orderId"])
        return list(found.values())

    def trades(self, symbol: str) -> dict[int, dict[str, Any]]:
        """Return every execution ever, of one symbol, by its id."""
        return self._pages("/api/v3/myTrades", symbol, "fromId", lambda row: row["id"])

    def _pages(
        self, path: str, symbol: str, key: str, number: Callable[[Any], int]
    ) -> dict[int, dict[str, Any]]:
        found: dict[int, dict[str, Any]] = {}
        first = 0
        while page := self.get(path, symbol=symbol, limit="1000", **{key: str(first)}):
            found |= {number(row): row for row in page}
            first = max(found) + 1
        return found

    def balances(self) -> dict[str, Decimal]:
        """Return free and locked together, by asset; without what is zero."""
        rows = self.get("/api/v3/account")["balances"]
        found = {row["asset"]: Decimal(row["free"]) + Decimal(row["locked"]) for row in rows}
        return {asset: amount for asset, amount in found.items() if amount}
