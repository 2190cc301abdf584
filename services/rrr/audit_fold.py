"""The audit's own fold of `gateway.order`: orders, money and levels, and every law on the way."""

from collections.abc import Callable
from typing import Any

from schema.approval import order_hash
from schema.head import Message
from schema.house import Inputs
from schema.orders import (
    AccountSnapshot,
    BalanceSeen,
    Deposit,
    Fill,
    InstrumentHalted,
    InstrumentResumed,
    KillLevel,
    OrderAdopted,
    OrderDenied,
    OrderSubmitted,
)
from schema.units import iso_ms, to_text
from services.rrr.audit_known import APPROVERS, CLOSER, Known, Sent
from services.rrr.audit_money import Money, atoms, is_priced, text_of
from services.rrr.audit_steps import ENDED, RELATION, led, shown


class Fold:
    """All that the stream says, folded once; `faults` by the name of the law that was broken."""

    def __init__(self) -> None:
        self.money = Money()
        self.orders: dict[str, Known] = {}
        self.sent: dict[str, Sent] = {}
        self.denied: dict[str, int] = {}
        self.trades: dict[tuple[str, str], tuple[int, Fill]] = {}
        self.level = KillLevel(ts_event=0, level="ACTIVE", by="", reason="")
        self.halted: dict[str, str] = {}
        self.heard: dict[int, int] = {}  # how far the gateway has read each stream
        self.now_ns = 0  # of its newest turn
        self.pos = 0
        self.records = 0
        self.deposits: dict[str, int] = {}  # entries of the ledger, by name
        self.held_at: dict[str, list[tuple[int, int]]] = {}  # position of each symbol, over time
        self.faults: dict[str, list[str]] = {}
        self.apart: dict[str, tuple[int, int]] = {}  # what the venue has more of, as seen last
        self.moved: dict[str, int] = {}  # how often that changed
        self.late: list[tuple[int, Fill]] = []
        self.halts: list[tuple[int, InstrumentHalted]] = []
        self.adopted: set[str] = set()
        self.unclaimed: list[tuple[int, str, str, str]] = []  # what is said of nobody's orders
        self.snapshot: dict[str, Any] = {}
        self._open: dict[str, Known] = {}
        self._takes: dict[type[Message], Callable[[Any], None]] = {
            Inputs: self._turn,
            OrderSubmitted: self._submit,
            OrderDenied: self._deny,
            Fill: self._fill,
            Deposit: self._deposit,
            KillLevel: self._latch,
            InstrumentHalted: self._halt,
            InstrumentResumed: self._resume,
            OrderAdopted: lambda m: self.adopted.update((m.venue_order_id, m.client_order_id)),
            BalanceSeen: self._balance,
            AccountSnapshot: self._told,
        }

    def take(self, message: Message, pos: int) -> None:
        """Take one message of the stream."""
        self.pos = pos
        self.records += 1
        take = self._takes.get(type(message))
        if take is not None:
            take(message)
        elif type(message).__name__ in RELATION or type(message).__name__ == "OrderPendingCancel":
            self._step(message)

    def fault(self, law: str, text: str, pos: int = 0) -> None:
        """Note that a law is broken, and where."""
        self.faults.setdefault(law, []).append(f"{text}, at gateway.order {pos or self.pos}")

    def open_orders(self) -> dict[str, Known]:
        """Return the orders that have not ended."""
        return self._open

    def _turn(self, m: Inputs) -> None:
        self.now_ns = max(self.now_ns, m.now_ns)
        for number, _, last in m.slices:
            self.heard[number] = max(self.heard.get(number, 0), last)

    def _submit(self, m: OrderSubmitted) -> None:
        key, wish = m.client_order_id, m.intent
        if key in self.orders or key in self.denied:
            self.fault("ids", f"order {key} was answered before")
            return
        known = Known(
            wish.symbol, wish.side, wish.strategy, atoms(wish.qty, wish.qty_exp), self.pos, wish.oco
        )
        known.replaces = wish.replaces
        reducing = self._reduces(known)
        expected = order_hash(wish)
        self._hold_against_verdict(m, expected)
        self._hold_against_levels(key, known, reducing=reducing)
        if wish.replaces in self._open:
            self._open[wish.replaces].successor = key
        self.orders[key] = self._open[key] = known
        yes = m.verdict
        self.sent[key] = Sent(self.pos, expected, reducing, yes.by, yes.order_hash)

    def _hold_against_verdict(self, m: OrderSubmitted, expected: bytes) -> None:
        key, yes, wish = m.client_order_id, m.verdict, m.intent
        found = []
        if wish.client_order_id != key:
            found.append(f"it was sent as {wish.client_order_id}")
        if yes.client_order_id != key:
            found.append(f"its verdict is of the order {yes.client_order_id}")
        if not yes.approved:
            found.append(f"{yes.by} denied it: {yes.code}")
        if yes.order_hash != expected:
            found.append(f"its verdict has the hash {yes.order_hash.hex()}, it {expected.hex()}")
        if yes.by not in APPROVERS:
            found.append(f"its verdict is by {yes.by}")
        if m.ts_event > yes.expires_ns:
            ended, left = iso_ms(yes.expires_ns), iso_ms(m.ts_event)
            found.append(f"its verdict ended {ended}, it left {left}")
        for text in found:
            self.fault("approvals", f"order {key}: {text}")

    def _hold_against_levels(self, key: str, known: Known, *, reducing: bool) -> None:
        if reducing:
            return
        if self.level.level != "ACTIVE":
            why = f"the kill level {self.level.level} by {self.level.by}"
            self.fault("kill", f"order {key} adds risk, and left under {why}")
        if known.symbol in self.halted:
            why = self.halted[known.symbol]
            self.fault("kill", f"order {key} adds risk in {known.symbol}, halted: {why}")

    def _reduces(self, known: Known) -> bool:
        """Return whether an order can only shrink the position, whatever the others do."""
        sign = 1 if known.side == "sell" else -1
        held = sign * self.money.held.get(known.symbol, {}).get("qty", 0)
        if known.strategy != CLOSER:
            held -= self._resting(known)
        return 0 < known.qty <= held

    def _resting(self, known: Known) -> int:
        total = 0
        for key, other in self._open.items():
            if (other.symbol, other.side) != (known.symbol, known.side) or key in known.twins:
                continue
            twins = [(self._open[one].left, one) for one in other.twins if one in self._open]
            # Of those that exclude each other the larger counts, once.
            if (other.left, key) >= max(twins, default=(0, "")):
                total += other.left
        return total

    def _deny(self, m: OrderDenied) -> None:
        if not m.code:
            self.fault("answers", f"order {m.client_order_id} was denied without a code")
        self.denied[m.client_order_id] = self.pos

    def _step(self, m: Any, *, whole: bool = False) -> None:
        key, event = m.client_order_id, type(m).__name__
        known = self.orders.get(key)
        if known is None:
            self.unclaimed.append((self.pos, m.symbol, key, event))
            return
        found = led(known.state, event, pending=known.pending, whole=whole)
        if found is None:
            stands = shown(known.state, pending=known.pending)
            self.fault("states", f"{event} of order {key}, which is {stands}")
            return
        known.state, known.pending = found
        if known.state in ENDED:
            self._open.pop(key, None)

    def _fill(self, m: Fill) -> None:
        key = (m.symbol, m.venue_trade_id)
        if key in self.trades:
            before, _ = self.trades[key]
            self.fault("trades", f"trade {m.venue_trade_id} of {m.symbol} stands at {before}, too")
            return
        self.trades[key] = (self.pos, m)
        self.money.fill(m)
        self.held_at.setdefault(m.symbol, []).append((self.pos, self.money.held[m.symbol]["qty"]))
        self._balance_sheet()
        if not is_priced(m):
            text = f"{to_text(m.qty, m.qty_exp)} at {to_text(m.px, m.px_exp)} for "
            text += f"{to_text(m.quote_qty, m.quote_exp)}"
            self.fault("double-entry", f"trade {m.venue_trade_id} of {m.symbol}: {text}")
        known = self.orders.get(m.client_order_id)
        if known is None:
            self.unclaimed.append((self.pos, m.symbol, m.client_order_id, "Fill"))
            return
        if (m.symbol, m.side) != (known.symbol, known.side):
            text = f"a {known.side} of {known.symbol} was filled as a {m.side} of {m.symbol}"
            self.fault("quantities", f"order {m.client_order_id}: {text}")
        self._count(m, known)

    def _count(self, m: Fill, known: Known) -> None:
        known.filled += atoms(m.qty, m.qty_exp)
        ended, told = known.state in ENDED, atoms(m.cum_qty, m.qty_exp)
        key = m.client_order_id
        if m.cum_qty and told != known.filled:
            text = f"{text_of(known.filled)} of it is filled, the fill says {text_of(told)}"
            self.fault("quantities", f"order {key}: {text}")
        if m.late != ended:
            late = "late" if m.late else "in time"
            text = f"trade {m.venue_trade_id} of order {key}, {known.state}: it is told as {late}"
            self.fault("states", text)
        if known.filled > known.qty and not ended:
            text = f"{text_of(known.filled)} was filled of {text_of(known.qty)}"
            self.fault("quantities", f"order {key}: {text}")
        if ended:
            self.late.append((self.pos, m))
        else:
            self._step(m, whole=known.filled >= known.qty)

    def _deposit(self, m: Deposit) -> None:
        self.money.deposit(m)
        self.deposits[f"deposit:{m.asset}:{m.venue_id}"] = self.pos
        self._balance_sheet()

    def _balance_sheet(self) -> None:
        for asset in self.money.unbalanced():
            self.fault("double-entry", f"debits and credits of {asset} differ")

    def _latch(self, m: KillLevel) -> None:
        if m.level == "ACTIVE" and m.by in {CLOSER, "risk", "file"}:
            self.fault("kill", f"the kill level was released by {m.by}, and by no person")
        self.level = m

    def _halt(self, m: InstrumentHalted) -> None:
        self.halted[m.symbol] = m.reason
        self.halts.append((self.pos, m))

    def _resume(self, m: InstrumentResumed) -> None:
        self.halted.pop(m.symbol, None)

    def _balance(self, m: BalanceSeen) -> None:
        theirs = atoms(m.free + m.locked, m.exp)
        ours, apart = self.money.whole().get(m.asset, 0), atoms(m.difference, m.exp)
        _, before = self.apart.get(m.asset, (0, 0))
        if apart != before:
            number = self.moved[m.asset] = self.moved.get(m.asset, 0) + 1
            self.deposits[f"suspense:{m.asset}:{number}"] = self.pos
        self.apart[m.asset] = (self.pos, apart)
        if theirs - ours != apart:
            text = (
                f"{m.asset}: the venue has {text_of(theirs)}, the journals add up to "
                f"{text_of(ours)}, the gateway says that {text_of(apart)} is between them"
            )
            self.fault("venue-seen", text)

    def _told(self, m: AccountSnapshot) -> None:
        if m.part == 1:
            self.snapshot = {"pos": self.pos, "orders": {}, "balances": {}, "positions": {}}
        told = self.snapshot
        for one in m.orders:
            told["orders"][one.intent.client_order_id] = (one.state, atoms(one.filled, one.exp))
        told["balances"].update({one.name: atoms(one.n, one.exp) for one in m.balances})
        told["positions"].update({one.name: atoms(one.n, one.exp) for one in m.positions})
        if m.part == m.parts:
            self._hold_snapshot(m)

    def _hold_snapshot(self, m: AccountSnapshot) -> None:
        mine: dict[str, dict[str, Any]] = {
            "orders": {k: (shown(o.state, pending=o.pending), o.filled)
                       for k, o in self._open.items()},
            "balances": self.money.whole(),
            "positions": {k: book["qty"] for k, book in self.money.held.items()},
        }  # fmt: skip
        if m.level != self.level.level:
            self.fault("snapshots", f"it says {m.level}, the journal {self.level.level}")
        for name, book in mine.items():
            told = self.snapshot[name]
            for key in sorted({*book, *told}):
                if (book.get(key) or 0) != (told.get(key) or 0):
                    text = f"{name} {key}: it says {told.get(key)}, the journal {book.get(key)}"
                    self.fault("snapshots", text)
