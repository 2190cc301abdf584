"""The account as the monitor adds it up itself, from what the gateway said and nothing else.

Written apart from the ledger that engine and risk share, and in another arithmetic, on purpose: a
mistake in one of them must not be made here too. Amounts are exact fractions of whole units.
"""

from fractions import Fraction

import msgspec

from schema.orders import BalanceSeen, Deposit, Fill
from schema.units import to_text
from services.monitor.seen import Seen

EXP_MAX = 40
EARNED = ("funding", "dividend")


class Book(msgspec.Struct):
    """One amount: a position in a symbol, or the cash of an asset."""

    amount: Fraction = Fraction(0)
    changed_pos: int = 0  # of the message that changed it last
    waits: bool = False  # the engine has not been seen behind that position yet
    passed_ns: int = 0  # when it was: by the engine's own clock, in market time
    seen_ns: int = 0  # and by the monitor's

    def add(self, amount: Fraction, pos: int) -> None:
        """Change the amount by a message at a position."""
        self.amount += amount
        self.changed_pos = pos
        self.waits = True


class Books:
    """All amounts of the account."""

    def __init__(self) -> None:
        self.pos = 0  # of the last message heard
        self.fills = 0
        self.cash: dict[str, Book] = {}  # by asset
        self.positions: dict[str, Book] = {}  # by symbol
        self.funding: dict[str, Book] = {}  # by symbol: what holding it has earned
        self.external: dict[str, Fraction] = {}  # by asset: what is not the house's to trade with
        self._trades = Seen()

    def deposit(self, m: Deposit, pos: int) -> None:
        """Add what came by other ways than trading."""
        amount = parts(m.amount, m.exp)
        if m.book != "trading":
            self.external[m.asset] = self.external.get(m.asset, Fraction(0)) + amount
            return
        self._pay(m.asset, amount, pos)
        known = m.symbol in self.positions and m.symbol.endswith(f"/{m.asset}")
        if m.kind in EARNED and known:
            self.funding.setdefault(m.symbol, Book()).add(amount, pos)

    def apart(self, m: BalanceSeen) -> Fraction:
        """Return by how much the venue's figure and ours differ otherwise than the gateway says."""
        ours = self.external.get(m.asset, Fraction(0))
        if m.asset in self.cash:
            ours += self.cash[m.asset].amount
        return parts(m.free + m.locked, m.exp) - ours - parts(m.difference, m.exp)

    def fill(self, m: Fill, pos: int) -> bool:
        """Add one execution; False for a trade that was added before."""
        if not self._trades.add(m.symbol, m.venue_trade_id):
            return False
        self.fills += 1
        base, _, quote = m.symbol.partition("/")
        bought = parts(m.qty, m.qty_exp) * (1 if m.side == "buy" else -1)
        paid = parts(m.quote_qty, m.quote_exp) * (1 if m.side == "buy" else -1)
        fee = parts(m.fee, m.fee_exp)
        self._pay(base, bought, pos)
        self._pay(quote, -paid, pos)
        self._pay(m.fee_asset, -fee, pos)
        held = bought - fee if m.fee_asset == base else bought
        self.positions.setdefault(m.symbol, Book()).add(held, pos)
        return True

    def passed(self, cursor: int, at_ns: int, now_ns: int) -> None:
        """Note by the engine's heartbeat which changes it has read."""
        for book in (*self.cash.values(), *self.positions.values(), *self.funding.values()):
            if book.waits and cursor >= book.changed_pos:
                book.waits, book.passed_ns, book.seen_ns = False, at_ns, now_ns

    def _pay(self, asset: str, amount: Fraction, pos: int) -> None:
        if amount:
            self.cash.setdefault(asset, Book()).add(amount, pos)


def parts(amount: int, exp: int) -> Fraction:
    """Return an integer with decimals as the number that it stands for."""
    return Fraction(amount, 10**exp)


def in_text(number: Fraction) -> str:
    """Return a number as a plain decimal, exactly."""
    exp = next(exp for exp in range(EXP_MAX) if 10**exp % number.denominator == 0)
    return to_text(int(number * 10**exp), exp)
