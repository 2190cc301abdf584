"""A market and orders made up for a tally, so that a run can be told without playing one."""

from schema.market import Bar, Instrument
from schema.orders import Fill, OrderSubmitted
from schema.trading import OrderIntent, Verdict
from schema.units import MINUTE_NS, floor_scale
from services.backtest.figures import About
from services.backtest.record import Record, record_of
from services.backtest.tally import MONEY_EXP, Tally

NS = 1_750_000_020_000_000_000 // MINUTE_NS * MINUTE_NS
SYMBOL = "BTC/USDT"
BUDGET = 1_000
BTC = Instrument(
    ts_event=NS, symbol=SYMBOL, venue_symbol="BTCUSDT", base="BTC", quote="USDT", px_exp=2,
    qty_exp=5, quote_exp=7, tick=1, lot=1, min_qty=1, min_notional=50_000_000,
)  # fmt: skip


class Market:
    """Bars a minute apart and fills between them; prices and quantities as people write them."""

    def __init__(self, budget: int = BUDGET, instruments: tuple[Instrument, ...] = (BTC,)) -> None:
        self.tally = Tally(instruments, budget * 10**MONEY_EXP, NS)
        self.now_ns = NS
        self.count = 0

    def bars(self, *closes: float, symbol: str = SYMBOL) -> None:
        for close in closes:
            self.bar(close, symbol)

    def bar(self, close: float, symbol: str = SYMBOL, *, same: bool = False) -> None:
        self.now_ns += 0 if same else MINUTE_NS
        px = round(close * 100)
        bar = Bar(
            ts_event=self.now_ns, symbol=symbol, timeframe="1m", open_ns=self.now_ns - MINUTE_NS,
            open=px, high=px, low=px, close=px, volume=1, quote_volume=1, trades=1, px_exp=2,
            qty_exp=5, quote_exp=7,
        )  # fmt: skip
        self.tally.sample(bar)

    def order(self, reason: str, leg: str = "entry", symbol: str = SYMBOL) -> str:
        """Submit an order; return its id."""
        self.count += 1
        name = f"{self.count:032x}"
        wish = OrderIntent(
            ts_event=self.now_ns, client_order_id=name, strategy="made_up", symbol=symbol,
            side="buy", order_type="market", qty=1, px_exp=2, qty_exp=5, leg=leg, reason=reason,
        )  # fmt: skip
        verdict = Verdict(
            ts_event=self.now_ns, client_order_id=name, order_hash=b"h", approved=True, code="OK",
            detail="", epoch=1, expires_ns=self.now_ns,
        )  # fmt: skip
        self.tally.witness(
            OrderSubmitted(
                ts_event=self.now_ns, client_order_id=name, intent=wish, verdict=verdict,
                signed_ms=1, symbol=symbol,
            )
        )  # fmt: skip
        return name

    def fill(
        self, qty: float, px: float, order: str = "", *, fee: float = 0.0, fee_asset: str = "USDT",
        symbol: str = SYMBOL,
    ) -> None:  # fmt: skip
        """Book a fill: bought above 0, sold below."""
        self.count += 1
        lots, cents = round(abs(qty) * 10**5), round(px * 100)
        self.tally.witness(
            Fill(
                ts_event=self.now_ns, client_order_id=order or self.order("why", symbol=symbol),
                symbol=symbol, side="buy" if qty > 0 else "sell", venue_order_id="v",
                venue_trade_id=f"{self.count}", px=cents, qty=lots,
                quote_qty=floor_scale(lots * cents, 7, 7), fee=round(fee * 10**8),
                fee_asset=fee_asset, maker=False, px_exp=2, qty_exp=5, quote_exp=7, fee_exp=8,
            )
        )  # fmt: skip

    def trip(self, px: float, out_px: float, why: str = "up", out: str = "down") -> None:
        """Buy 0.01, see a bar, and sell it; each fill costs a cent."""
        self.fill(0.01, px, self.order(why), fee=0.01)
        self.bar(out_px)
        self.fill(-0.01, out_px, self.order(out, "exit"), fee=0.01)


def record(
    run_id: str = "ab12", *, strategy: str = "made_up", why: str = "up", trips: int = 6,
    settings: dict[str, str] | None = None,
) -> Record:  # fmt: skip
    """Return a small run with some trips."""
    market = Market()
    market.bars(60_000, 60_100)
    for number in range(trips):
        market.trip(60_100, 60_000 + 50 * number, why)
        market.bar(60_050 + number)
    about = About(
        run_id=run_id, strategy=strategy, symbols=(SYMBOL,), timeframe="1m", file="made_up.py",
        params={"fast": 10}, settings=settings or {"risk.daily_loss": "5"},
        digests={"data": "d0", "source": "50"},
    )  # fmt: skip
    return record_of(about, market.tally)
