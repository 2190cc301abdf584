"""A book of trips with its ledger: orders are submitted and filled, and the trips come out."""

from typing import Any

from schema.head import Side
from schema.identity import client_order_id, strategy_tag
from schema.ledger import Ledger, book
from schema.orders import Fill, OrderSubmitted
from schema.trading import OrderIntent, Verdict
from schema.units import MINUTE_NS
from services.risk.trips import Trip, Trips, fold_trips
from tests.services.risk.risk_desk import BTC, MARK, NOON_NS, UNIT

DAY_NS = 1440 * MINUTE_NS
ONE = UNIT // 10
FEE = 5 * UNIT  # USDT


class TripBook:
    """Trips and the ledger that they are folded beside, a minute from one fill to the next."""

    def __init__(self, horizon_ns: int = DAY_NS) -> None:
        self.trips, self.ledger = Trips(), Ledger()
        self.horizon_ns = horizon_ns
        self.now_ns = NOON_NS
        self.n = 0

    def order(self, side: Side, qty: int, **changes: Any) -> OrderSubmitted:
        """Submit an order; of the strategy t, and an entry, if nothing else is said."""
        self.n += 1
        strategy, symbol = changes.get("strategy", "t"), changes.get("symbol", BTC)
        values: dict[str, Any] = {
            "ts_event": self.now_ns, "strategy": strategy, "symbol": symbol, "side": side,
            "client_order_id": client_order_id("w", strategy, symbol, str(self.n), 0),
            "order_type": "market", "qty": qty, "px_exp": 2, "qty_exp": 8,
        }  # fmt: skip
        intent = OrderIntent(**values | changes)
        said = OrderSubmitted(
            ts_event=self.now_ns, client_order_id=intent.client_order_id, intent=intent,
            verdict=verdict(intent), signed_ms=1, symbol=symbol,
        )  # fmt: skip
        fold_trips(self.trips, self.ledger, said, self.horizon_ns)
        return said

    def fill(self, order: OrderSubmitted, qty: int, px: int = MARK, fee: int = FEE) -> Fill:
        """Fill some of an order, a minute later."""
        self.n += 1
        self.now_ns += MINUTE_NS
        intent = order.intent
        fill = Fill(
            ts_event=self.now_ns, client_order_id=intent.client_order_id, symbol=intent.symbol,
            side=intent.side, venue_order_id="1", venue_trade_id=str(self.n), px=px, qty=qty,
            quote_qty=px * qty // 100, fee=fee, fee_asset="USDT", maker=False, px_exp=2, qty_exp=8,
            quote_exp=8, fee_exp=8,
        )  # fmt: skip
        self.hear(fill)
        return fill

    def hear(self, fill: Fill) -> None:
        """Book a fill in the ledger, then in the trips."""
        book(self.ledger, fill)
        fold_trips(self.trips, self.ledger, fill, self.horizon_ns)

    def trade(self, side: Side, qty: int, px: int = MARK, fee: int = FEE, **changes: Any) -> None:
        """Submit an order and fill it whole."""
        self.fill(self.order(side, qty, **changes), qty, px, fee)

    def trip(self, px: int, leg: str = "exit", symbol: str = BTC, strategy: str = "t") -> None:
        """Buy a tenth at the mark and sell it at a price."""
        of: dict[str, Any] = {"symbol": symbol, "strategy": strategy}
        self.trade("buy", ONE, **of)
        self.trade("sell", ONE, px, leg=leg, reduce_only=True, **of)

    def done(self, symbol: str = BTC) -> list[Trip]:
        return self.trips.recent.get(symbol, [])

    def net(self, strategy: str = "t", symbol: str = BTC) -> int:
        """Return what a strategy's book has earned, all in all."""
        holding = self.ledger.holding(symbol, strategy_tag(strategy))
        return holding.realized_net if holding is not None else 0


def verdict(intent: OrderIntent) -> Verdict:
    return Verdict(
        ts_event=1, client_order_id=intent.client_order_id, order_hash=b"", approved=True,
        code="OK", detail="", epoch=1, expires_ns=1,
    )  # fmt: skip
