"""An account as gateway and engine speak of it, and a monitor that listens to both."""

from typing import Any, ClassVar

import msgspec

from bus.health import SECOND
from bus.service import Heard, Said
from schema import orders, trading
from schema.approval import order_hash
from schema.head import Message
from schema.house import Alert, Heartbeat, Started, Timer
from schema.ledger import Ledger, book, deposit
from schema.settings import MonitorSettings
from schema.streams import STREAMS, home
from services.monitor.core import Monitor

ORDER = STREAMS["gateway.order"].number
SCALE = 10
SNAPSHOT_S = 60
SETTINGS = MonitorSettings(lag_ms=2000 * SCALE, writer_behind_s=60, disk_free_mib=2048)
SYMBOL = "BTC/USDT"

Alarm = tuple[str, str, str]
"""Name, scope and state of an alert."""


def wish(number: int = 1, **changes: Any) -> trading.OrderIntent:
    values: dict[str, Any] = {
        "ts_event": 0, "client_order_id": f"{number:032x}", "strategy": "pulse", "symbol": SYMBOL,
        "side": "buy", "order_type": "market", "qty": 300, "px_exp": 2, "qty_exp": 5,
    }  # fmt: skip
    return trading.OrderIntent(**values | changes)


def approval(intent: trading.OrderIntent, **changes: Any) -> trading.Verdict:
    values: dict[str, Any] = {
        "ts_event": 0, "client_order_id": intent.client_order_id, "approved": True, "code": "OK",
        "order_hash": order_hash(intent), "detail": "", "epoch": 1, "expires_ns": 1,
    }  # fmt: skip
    return trading.Verdict(**values | changes)


def submitted(
    intent: trading.OrderIntent, verdict: trading.Verdict | None = None
) -> orders.OrderSubmitted:
    return orders.OrderSubmitted(
        ts_event=0, client_order_id=intent.client_order_id, intent=intent,
        verdict=verdict or approval(intent), signed_ms=1, symbol=intent.symbol,
    )  # fmt: skip


def fill(intent: trading.OrderIntent, trade_id: str = "t1", **changes: Any) -> orders.Fill:
    values: dict[str, Any] = {
        "ts_event": 0, "client_order_id": intent.client_order_id, "symbol": intent.symbol,
        "side": intent.side, "venue_order_id": "v1", "venue_trade_id": trade_id, "px": 6400000,
        "qty": 100, "quote_qty": 6400000000, "fee": 10, "fee_asset": "USDT", "maker": False,
        "px_exp": 2, "qty_exp": 5, "quote_exp": 8, "fee_exp": 8,
    }  # fmt: skip
    return orders.Fill(**values | changes)


def money(amount: int = 10**12, **changes: Any) -> orders.Deposit:
    values: dict[str, Any] = {"asset": "USDT", "amount": amount, "exp": 8, "venue_id": "opening"}
    return orders.Deposit(ts_event=0, **values | changes)


def about(kind: type[Message], intent: trading.OrderIntent, **fields: Any) -> Message:
    """Return an event of an order."""
    names: dict[str, Any] = {"client_order_id": intent.client_order_id, "symbol": intent.symbol}
    return kind(ts_event=0, **names, **fields)


class House:
    """A gateway that says what it is told to, an engine that folds it, and the monitor.

    Times are a person's seconds. The engine hears every message of the gateway but those in
    `deaf_to`, and states its books after each one that it hears, unless it is `silent`.
    """

    services: ClassVar[tuple[str, ...]] = ("engine", "gateway", "monitor")

    def __init__(self) -> None:
        self.now_s = 0.0
        self.pos = 0
        self.read = 0  # the engine's cursor
        self.ledger = Ledger()
        self.silent = False
        self.beating = set(self.services)
        self.monitor_state = "READY"
        self.said: list[tuple[int, Message]] = []
        self.monitor = self._new_monitor()
        self.restart()

    def restart(self) -> None:
        """Start a monitor that remembers its alerts, and has read the gateway's stream again."""
        state = self.monitor.state
        self.monitor = self._new_monitor()
        self.monitor.state = state
        self._hear(Heard(Started(epoch=1, grade="fresh")))
        for pos, message in self.said:
            self._hear(Heard(message, ORDER, pos))

    @property
    def now_ns(self) -> int:
        return int(self.now_s * SECOND * SCALE)

    def say(self, *messages: Message, deaf: bool = False) -> None:
        """Let the gateway say something, and the engine hear it unless it is deaf."""
        for message in messages:
            self.pos += 1
            self.said.append((self.pos, message))
            self._hear(Heard(message, ORDER, self.pos))
            if not deaf:
                self._fold(message)
                self.state_books((ORDER, self.pos))
            self.read = self.pos

    def state_books(self, cause: tuple[int, int] = (0, 0)) -> None:
        """Let the engine state its books."""
        for message in self._statements() if not self.silent else ():
            msgspec.structs.force_setattr(message, "cause", cause)
            stream = home(type(message))
            assert stream is not None
            self._hear(Heard(message, stream.number, 1))

    def err(self, symbol_qty: int = 0, cash: int = 0) -> None:
        """Let the engine's books be off, and be stated."""
        if symbol_qty:
            self.ledger.holdings[SYMBOL].qty += symbol_qty
        purse = self.ledger.balances["USDT"]
        purse.amount, purse.put = purse.amount + cash, purse.put + cash
        self.state_books((ORDER, self.pos))

    def wait(self, seconds: float) -> list[Alarm]:
        """Let time pass, with a heartbeat of everybody and a check every half second."""
        alarms: list[Alarm] = []
        for _ in range(int(seconds * 2)):
            self.now_s += 0.5
            for name in sorted(self.beating):
                self._hear(Heard(self._beat(name)))
            outs = self._hear(Heard(Timer(name="check", at_ns=0)))
            alarms += [(alert.name, alert.scope, alert.state) for alert in outs]
        return alarms

    def firing(self) -> dict[str, str]:
        """Return the summaries of all alerts that fire, by name."""
        return {alert.name: alert.summary for alert in self.monitor.state.firing.values()}

    def figures(self) -> tuple[int, int]:
        """Return how many fills were audited, and how many differences there are."""
        counters = dict(self.monitor.counters())
        return counters["audited_fills"], counters["audit_differences"]

    def _new_monitor(self) -> Monitor:
        return Monitor(self.services, SETTINGS, SCALE, self.now_ns, SNAPSHOT_S)

    def _hear(self, heard: Heard) -> list[Alert]:
        outs: list[Said] = self.monitor.hear(heard, self.now_ns)
        alerts = [out for out in outs if isinstance(out, Alert)]
        for alert in alerts:
            self.monitor.apply(alert)
        return alerts

    def _fold(self, message: Message) -> None:
        if isinstance(message, orders.Fill):
            book(self.ledger, message)
        elif isinstance(message, orders.Deposit):
            deposit(self.ledger, message)

    def _statements(self) -> list[Message]:
        cash = self.ledger.balance("USDT")
        zeros: dict[str, Any] = dict.fromkeys(
            ("equity", "gross_exposure", "net_exposure", "realized", "unrealized", "fees"), 0
        )
        said: list[Message] = [
            trading.Position(
                ts_event=self.now_ns, symbol=key, qty=holding.qty, cost=holding.cost, realized=0,
                fees=0, mark_px=0, px_exp=2, qty_exp=holding.qty_exp, quote_exp=8,
            )
            for key, holding in self.ledger.holdings.items()
            if " " not in key
        ]  # fmt: skip
        portfolio = trading.Portfolio(
            ts_event=self.now_ns, quote="USDT", cash=cash.amount, quote_exp=cash.exp,
            peak_equity=0, **zeros,
        )  # fmt: skip
        return [*said, portfolio]

    def _beat(self, name: str) -> Heartbeat:
        return Heartbeat(
            ts_event=self.now_ns, service=name, reason="", world="w", pid=7, started_ns=0, turn=1,
            state=self.monitor_state if name == "monitor" else "READY", last=(), synced=(),
            cursors=((ORDER, self.read),) if name == "engine" else (), contract="c",
        )  # fmt: skip
