"""The account as the audit adds it up: whole numbers of the smallest part that anything has.

Written apart from every other fold of the house, in an arithmetic of its own: there is one unit for
all amounts, so nothing gains or loses decimals, and a cost is cut to those that its symbol has.
"""

from schema.orders import Deposit, Fill
from services.rrr.journal_files import IntegrityError

DEPTH = 40
"""Decimals of the unit; no exchange has half as many."""

POWERS: tuple[int, ...] = tuple(int(10**n) for n in range(DEPTH + 1))
QTY, COST, REALIZED, FEES, FUNDING = "qty", "cost", "realized", "fees", "funding"
SHAPE = (QTY, COST, REALIZED, FEES, FUNDING)
EARNED = ("funding", "dividend")


def atoms(n: int, exp: int) -> int:
    """Return an integer with decimals in the audit's unit."""
    if not 0 <= exp <= DEPTH:
        raise IntegrityError(
            f"an amount has {exp} decimals, expected 0 to {DEPTH}",
            "docs/runbook.md, JournalDamaged, tells what to do",
        )
    return n * POWERS[DEPTH - exp]


def atoms_of(text: str) -> int:
    """Return decimal text in the audit's unit; ValueError for what is none."""
    digits = text.removeprefix("-")
    whole, _, rest = digits.partition(".")
    if not (whole + rest).isdecimal() or len(rest) > DEPTH:
        raise ValueError(f"{text!r} is no number")
    n = atoms(int(whole + rest), len(rest))
    return -n if text.startswith("-") else n


def text_of(n: int) -> str:
    """Return an amount as plain decimal text."""
    whole, rest = divmod(abs(n), POWERS[DEPTH])
    decimals = f"{rest:0{DEPTH}d}".rstrip("0")
    sign = "-" if n < 0 else ""
    return f"{sign}{whole}.{decimals}" if decimals else f"{sign}{whole}"


def is_priced(m: Fill) -> bool:
    """Return whether a fill's money is its price times its quantity, but for a part rounded off."""
    exp = m.px_exp + m.qty_exp
    exact, told = m.px * m.qty * POWERS[m.quote_exp], m.quote_qty * POWERS[exp]
    return abs(exact - told) < POWERS[exp]


class Money:
    """Balances by asset and positions by symbol; all of them plain dictionaries."""

    def __init__(self) -> None:
        self.balances: dict[str, int] = {}
        self.fees: dict[str, int] = {}
        self.held: dict[str, dict[str, int]] = {}  # by symbol: qty, cost, realized, fees, funding
        self.external: dict[str, int] = {}  # what is at the venue, and not the house's to trade
        self.outside: dict[str, int] = {}  # what the other side of all entries holds
        self._fine: dict[str, int] = {}  # decimals of a symbol's money so far

    def deposit(self, m: Deposit) -> None:
        """Add what came by other ways than trading."""
        amount = atoms(m.amount, m.exp)
        if m.book != "trading":
            self.external[m.asset] = self.external.get(m.asset, 0) + amount
            return
        self._pay(m.asset, amount)
        if m.kind == "rebate":
            self.fees[m.asset] = self.fees.get(m.asset, 0) - amount
        book = self.held.get(m.symbol)
        if book is None or m.symbol.partition("/")[2] != m.asset:
            return
        if m.kind in EARNED:
            book[FUNDING] += amount
        elif m.kind == "rebate":
            book[FEES] -= amount
        self._fine[m.symbol] = max(self._fine[m.symbol], m.exp)

    def fill(self, m: Fill) -> None:
        """Add one execution."""
        base, _, quote = m.symbol.partition("/")
        sign = 1 if m.side == "buy" else -1
        qty, money = atoms(m.qty, m.qty_exp), atoms(m.quote_qty, m.quote_exp)
        fee = atoms(m.fee, m.fee_exp)
        self._pay(base, sign * qty)
        self._pay(quote, -sign * money)
        self._pay(m.fee_asset, -fee)
        self.fees[m.fee_asset] = self.fees.get(m.fee_asset, 0) + fee
        fine = max(m.quote_exp, m.fee_exp if m.fee_asset == quote else 0)
        self._fine[m.symbol] = max(self._fine.get(m.symbol, 0), fine)
        book = self.held.setdefault(m.symbol, dict.fromkeys(SHAPE, 0))
        self._trade(m.symbol, book, sign, qty, money)
        if m.fee_asset == quote:
            book[FEES] += fee
        elif m.fee_asset == base and fee:
            self._pay_in_base(m.symbol, book, fee)

    def whole(self) -> dict[str, int]:
        """Return what the account holds, be it the house's to trade with or not."""
        found = dict(self.balances)
        for asset, n in self.external.items():
            found[asset] = found.get(asset, 0) + n
        return found

    def unbalanced(self) -> list[str]:
        """Return the assets of which more was credited than debited, or less."""
        return [name for name, n in self.balances.items() if n + self.outside.get(name, 0)]

    def _pay(self, asset: str, n: int) -> None:
        self.balances[asset] = self.balances.get(asset, 0) + n
        self.outside[asset] = self.outside.get(asset, 0) - n

    def _trade(self, symbol: str, book: dict[str, int], sign: int, qty: int, money: int) -> None:
        if book[QTY] * sign >= 0:
            book[QTY] += sign * qty
            book[COST] += sign * money
            return
        closed = min(qty, abs(book[QTY]))
        part = self._cut(symbol, money * closed // qty)
        book[REALIZED] += -sign * part - self._take(symbol, book, closed)
        if qty > closed:
            book[QTY], book[COST] = sign * (qty - closed), sign * (money - part)

    def _pay_in_base(self, symbol: str, book: dict[str, int], fee: int) -> None:
        if fee < 0 or book[QTY] <= 0:
            self._trade(symbol, book, -1 if fee > 0 else 1, abs(fee), 0)
            return
        paid = min(fee, book[QTY])
        book[FEES] += self._take(symbol, book, paid)
        book[QTY] -= fee - paid

    def _take(self, symbol: str, book: dict[str, int], qty: int) -> int:
        """Take some of a position out, and return what it had cost."""
        whole = abs(book[QTY])
        gone = self._cut(symbol, abs(book[COST]) * qty // whole)
        gone = gone if book[COST] >= 0 else -gone
        if qty == whole:
            gone = book[COST]
        book[COST] -= gone
        book[QTY] -= qty if book[QTY] > 0 else -qty
        return gone

    def _cut(self, symbol: str, n: int) -> int:
        step = POWERS[DEPTH - self._fine[symbol]]
        return n // step * step
