"""What engine and risk say to a gateway, and the one instrument that they speak of."""

from typing import Any

from schema.approval import order_hash
from schema.head import Side
from schema.identity import client_order_id
from schema.market import Instrument
from schema.trading import OrderIntent, OrderType, Verdict
from tests.services.gateway.gateway_account import SYMBOL

WORLD = "local-test-1"
SCALE = 10.0
MS = 1_000_000
MARKET_NS = 1_750_000_000_000 * MS
WALL_MS = 1_800_000_000_000

LISTED = Instrument(
    ts_event=MARKET_NS,
    symbol=SYMBOL,
    venue_symbol="BTCUSDT",
    base="BTC",
    quote="USDT",
    px_exp=2,
    qty_exp=5,
    quote_exp=7,
    tick=1,
    lot=1,
    min_qty=1,
    min_notional=5 * 10**7,
    order_types=("MARKET", "LIMIT", "STOP_LOSS"),
)


class Words:
    """Orders and verdicts, each with an id of its own."""

    def __init__(self) -> None:
        self.now_ns = MARKET_NS
        self.moment = 0

    def intent(self, side: Side = "buy", qty: int = 1000, **fields: Any) -> OrderIntent:
        """Return an order of 0.01 BTC at the market, or another one."""
        self.moment += 1
        order_id = client_order_id(WORLD, "toy", SYMBOL, f"m{self.moment}", 1)
        kind: OrderType = "market"
        defaults: dict[str, Any] = {
            "ts_event": self.now_ns,
            "trace": 7000 + self.moment,
            "client_order_id": order_id,
            "strategy": "toy",
            "symbol": SYMBOL,
            "side": side,
            "order_type": kind,
            "qty": qty,
            "px_exp": 2,
            "qty_exp": 5,
            "ref_px": 5_000_000,
            "valid_until_ns": self.now_ns + 30_000 * MS,
            "leg": "entry" if side == "buy" else "exit",
        }
        return OrderIntent(**{**defaults, **fields})

    def limit(self, side: Side = "buy", qty: int = 1000, **fields: Any) -> OrderIntent:
        """Return an order that waits in the book."""
        return self.intent(side, qty, **{"order_type": "limit", "limit_px": 4_900_000, **fields})

    def verdict(self, intent: OrderIntent, **fields: Any) -> Verdict:
        """Return risk's approval of an order."""
        defaults: dict[str, Any] = {
            "ts_event": self.now_ns,
            "trace": intent.trace,
            "client_order_id": intent.client_order_id,
            "order_hash": order_hash(intent),
            "approved": True,
            "code": "OK",
            "detail": "",
            "epoch": 3,
            "expires_ns": self.now_ns + 10_000 * MS,
            "symbol": intent.symbol,
        }
        return Verdict(**{**defaults, **fields})
