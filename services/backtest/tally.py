"""What became of a run, counted from what its cores said: orders, denials, fills, round trips.

It keeps a ledger of its own, by the rules of the house, and so can be held against the engine's.
"""

from collections import Counter
from hashlib import blake2b

import msgspec

from schema.head import Message
from schema.ledger import Ledger, book, deposit, equity
from schema.market import Bar, Instrument
from schema.orders import Deposit, Fill, OrderDenied, OrderSubmitted
from schema.trading import StrategyFailed
from schema.units import floor_scale, rescale
from services.engine.sizing import sellable

MONEY_EXP = 8
HASH_BYTES = 16


class Tally:
    """Hears all that is said; samples the account's worth at each bar's close."""

    def __init__(self, instrument: Instrument, opening: int, start_ns: int) -> None:
        self.ledger = Ledger()
        self.equity = [opening]
        self.at_ns = [start_ns]
        self.trips: list[int] = []  # what each round trip earned, after fees
        self.denials: Counter[str] = Counter()
        self.failures: list[str] = []
        self.orders = self.fills = self.traded = self.exposed = 0
        self._instrument = instrument
        self._begun = (0, 0)
        self._mark = (0, 0)
        self._hash = blake2b(digest_size=HASH_BYTES)

    def witness(self, message: Message) -> None:
        """Count one message."""
        match message:
            case Fill():
                self._fill(message)
            case Deposit():
                deposit(self.ledger, message)
            case OrderSubmitted():
                self.orders += 1
            case OrderDenied(code=code):
                self.denials[code] += 1
            case StrategyFailed(reason=reason, detail=detail):
                self.failures.append(f"{reason}: {detail}")

    def sample(self, bar: Bar) -> None:
        """Take the account's worth at a bar's close."""
        self._mark = (bar.close, bar.px_exp)
        worth = equity(self.ledger, self._instrument.quote, MONEY_EXP, {bar.symbol: self._mark})
        assert worth is not None, "the only price that there is, is known"
        self.equity.append(worth)
        self.at_ns.append(bar.ts_event)
        self.exposed += self._holds(bar.close)

    @property
    def fees(self) -> int:
        """What was paid in fees, in the quote asset."""
        holding = self.ledger.holding(self._instrument.symbol)
        return floor_scale(holding.fees, holding.quote_exp, MONEY_EXP) if holding else 0

    def fingerprint(self) -> str:
        """Return a hash of every fill and every sample."""
        whole = self._hash.copy()
        whole.update(msgspec.msgpack.encode((self.at_ns, self.equity, self.trips)))
        return whole.hexdigest()

    def _fill(self, fill: Fill) -> None:
        if not book(self.ledger, fill):
            return
        self._hash.update(msgspec.msgpack.encode(fill))
        self.fills += 1
        self.traded += floor_scale(fill.quote_qty, fill.quote_exp, MONEY_EXP)
        if fill.side == "sell" and not self._holds(fill.px):
            self._end_trip()

    def _holds(self, px: int) -> bool:
        holding = self.ledger.holding(self._instrument.symbol)
        return sellable(holding, self._instrument, px) > 0

    def _end_trip(self) -> None:
        holding = self.ledger.holding(self._instrument.symbol)
        assert holding is not None
        earned, exp = holding.realized - holding.fees, holding.quote_exp
        gain = earned - rescale(*self._begun, exp)
        self.trips.append(floor_scale(gain, exp, MONEY_EXP))
        self._begun = (earned, exp)
