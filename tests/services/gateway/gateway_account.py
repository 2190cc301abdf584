"""An account at an exchange, played by hand: its orders, executions and balances are the truth."""

from dataclasses import dataclass, field
from decimal import Decimal

from schema.exchange import (
    AccountSeen,
    AskAccount,
    AskOpenOrders,
    AskOrder,
    AskTop,
    AskTrades,
    CancelDone,
    CancelRefused,
    LevelSet,
    OpenOrdersSeen,
    OrderAbsent,
    OrderFound,
    OrderPlaced,
    OrderReport,
    SendCancel,
    SendOrder,
    SetLevel,
    TopSeen,
    TradesSeen,
    VenueTrade,
)
from schema.head import Effect, Local, Side
from schema.joined import PairPlaced, ReplaceDone, ReplaceRefused, SendPair, SendReplace
from schema.trading import OrderIntent
from schema.units import to_text

SYMBOL = "BTC/USDT"
OPEN = {"NEW", "PARTIALLY_FILLED"}
PX = Decimal("50000.00")
FEE = Decimal("0.001")


@dataclass
class Held:
    """One order in the exchange's books."""

    id: str
    venue_id: str
    side: Side
    qty: Decimal
    kind: str = "LIMIT"
    symbol: str = SYMBOL
    status: str = "NEW"
    done: Decimal = Decimal(0)
    working: bool = True
    tied: str = ""  # the other order of its pair

    def report(self) -> OrderReport:
        return OrderReport(
            client_order_id=self.id,
            venue_order_id=self.venue_id,
            symbol=self.symbol,
            side=self.side,
            status=self.status,
            order_type=self.kind,
            qty=str(self.qty),
            executed_qty=str(self.done),
            executed_quote="0",
            working=self.working,
        )


@dataclass
class Account:
    """Answers what is asked by what is true."""

    free: dict[str, Decimal] = field(default_factory=lambda: {"USDT": Decimal(100000)})
    orders: dict[str, Held] = field(default_factory=dict)
    trades: list[VenueTrade] = field(default_factory=list)
    wall_ms: int = 0
    market_ms: int = 0
    page: int = 1000
    hidden: set[str] = field(default_factory=set)  # orders and trades that it does not show yet
    bid: str = "49990.00"
    ask: str = "50010.00"

    def take(self, intent: OrderIntent, symbol: str = SYMBOL) -> Held:
        """Take an order into the books."""
        qty = Decimal(to_text(intent.qty, intent.qty_exp))
        held = self.add(intent.client_order_id, intent.side, qty, symbol)
        held.working = intent.stop_px == 0
        return held

    def add(self, order_id: str, side: Side, qty: Decimal, symbol: str = SYMBOL) -> Held:
        """Take any order into the books."""
        held = Held(order_id, str(100 + len(self.orders)), side, qty, symbol=symbol)
        self.orders[order_id] = held
        return held

    def fill(self, order_id: str, qty: str, px: Decimal = PX, fee_asset: str = "") -> VenueTrade:
        """Execute a part of an order."""
        held, amount = self.orders[order_id], Decimal(qty)
        held.done += amount
        if held.status in OPEN:
            held.status = "FILLED" if held.done >= held.qty else "PARTIALLY_FILLED"
            held.working = True
        self._end_other(held, "EXPIRED")
        base, _, quote = held.symbol.partition("/")
        asset = fee_asset or quote
        fee = (amount if asset == base else amount * px) * FEE
        for name, change in self._moves(held.side, base, quote, amount, px):
            self.free[name] = self.free.get(name, Decimal(0)) + change
        self.free[asset] = self.free.get(asset, Decimal(0)) - fee
        trade = VenueTrade(
            trade_id=str(1000 + len(self.trades)),
            venue_order_id=held.venue_id,
            symbol=held.symbol,
            side=held.side,
            px=f"{px:f}",
            qty=f"{amount:f}",
            quote_qty=f"{amount * px:f}",
            fee=f"{fee:f}",
            fee_asset=asset,
            maker=False,
            at_ms=self.market_ms,
        )
        self.trades.append(trade)
        return trade

    def _moves(
        self, side: Side, base: str, quote: str, qty: Decimal, px: Decimal
    ) -> list[tuple[str, Decimal]]:
        sign = 1 if side == "buy" else -1
        return [(base, sign * qty), (quote, -sign * qty * px)]

    def end(self, order_id: str, status: str = "CANCELED") -> Held:
        """End what is left of an order."""
        held = self.orders[order_id]
        held.status = status
        self._end_other(held, status)
        return held

    def _end_other(self, held: Held, status: str) -> None:
        other = self.orders.get(held.tied)
        if other is not None and other.status in OPEN:
            other.status = status

    def take_pair(self, effect: SendPair) -> tuple[Held, Held]:
        """Take two orders of which one alone will be done."""
        stop, target = self.take(effect.stop), self.take(effect.target)
        stop.tied, target.tied = target.id, stop.id
        return stop, target

    def replace(self, effect: SendReplace) -> Local:
        """Cancel an order that has not traded, and take the one in its place."""
        old = self.orders.get(effect.replaced)
        if old is None or old.status != "NEW":
            return ReplaceRefused(
                effect_id=effect.effect_id,
                client_order_id=effect.intent.client_order_id,
                replaced=effect.replaced,
                symbol=effect.intent.symbol,
                code=-2011,
                text="Unknown order sent.",
            )
        self.end(old.id)
        new = self.take(effect.intent)
        return ReplaceDone(
            effect_id=effect.effect_id, canceled=old.report(), reports=(new.report(),)
        )

    def answer(self, effect: Effect) -> Local:
        """Return the true answer to an effect."""
        name = effect.effect_id
        match effect:
            case SendOrder(intent=intent):
                held = self.take(intent)
                return OrderPlaced(effect_id=name, report=held.report())
            case SendPair():
                reports = tuple(half.report() for half in self.take_pair(effect))
                return PairPlaced(effect_id=name, reports=reports)
            case SendReplace():
                return self.replace(effect)
            case SendCancel():
                return self._cancel(effect)
            case AskOrder(client_order_id=order_id, symbol=symbol):
                known = self.orders.get(order_id)
                if known is None or order_id in self.hidden:
                    return OrderAbsent(
                        effect_id=name,
                        client_order_id=order_id,
                        symbol=symbol,
                        wall_ms=self.wall_ms,
                    )
                return OrderFound(effect_id=name, report=known.report())
            case SetLevel():
                return LevelSet(effect_id=name)
            case _:
                return self._read(effect)

    def _cancel(self, effect: SendCancel) -> Local:
        held = self.orders.get(effect.client_order_id)
        if held is None or held.status not in OPEN:
            return CancelRefused(
                effect_id=effect.effect_id,
                client_order_id=effect.client_order_id,
                symbol=effect.symbol,
                code=-2011,
                text="Unknown order sent.",
            )
        return CancelDone(
            effect_id=effect.effect_id, report=self.end(effect.client_order_id).report()
        )

    def _read(self, effect: Effect) -> Local:
        name, wall_ms = effect.effect_id, self.wall_ms
        match effect:
            case AskAccount():
                found = tuple((key, f"{free:f}", "0") for key, free in self.free.items())
                return AccountSeen(
                    effect_id=name,
                    balances=found,
                    can_trade=True,
                    can_withdraw=False,
                    wall_ms=wall_ms,
                )
            case AskOpenOrders():
                shown = [o for key, o in self.orders.items() if key not in self.hidden]
                reports = tuple(o.report() for o in shown if o.status in OPEN)
                return OpenOrdersSeen(effect_id=name, reports=reports, wall_ms=wall_ms)
            case AskTrades(symbol=symbol, from_id=first):
                since = [
                    t
                    for t in self.trades
                    if t.symbol == symbol
                    and int(t.trade_id) >= int(first)
                    and t.trade_id not in self.hidden
                ]
                return TradesSeen(
                    effect_id=name,
                    symbol=symbol,
                    trades=tuple(since[: self.page]),
                    whole=len(since) <= self.page,
                    wall_ms=wall_ms,
                )
            case AskTop(symbol=symbol):
                return TopSeen(effect_id=name, symbol=symbol, bid=self.bid, ask=self.ask)
        raise AssertionError(f"nobody asks {effect}")
