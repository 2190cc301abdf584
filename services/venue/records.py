"""All that the venue remembers of an account, by every key that somebody asks for.

What changed since the last drain is one `Batch`. The log on the disk is a row of batches, and the
records are their fold: a batch holds whole new values, so applying it is putting them in place.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from services.venue.account import Account, Balance, Moved
from services.venue.orders import Fill, Order, Pair

CHUNK = 4096


def symbol_of(order: Order) -> str:
    """Return the symbol of an order with its two assets apart: it locks one of them."""
    if order.buys:
        return f"{order.symbol.removesuffix(order.asset)}/{order.asset}"
    return f"{order.asset}/{order.symbol.removeprefix(order.asset)}"


class Batch(msgspec.Struct, frozen=True, array_like=True):
    """What changed, up to a market time and including it."""

    at_ms: int
    numbers: int  # reports that have been given so far
    balances: Mapping[str, Balance]
    orders: list[Order]
    pairs: list[Pair]
    fills: list[Fill]
    marks: Mapping[str, int] = {}  # newest trade of the exchange's tape that was matched, by symbol
    cursors: Mapping[int, int] = {}  # of each stream that is heard: what lies before is matched
    moves: Sequence[Moved] = ()


class Records:
    """Orders, pairs and fills of one account, and its money."""

    def __init__(self) -> None:
        self.at_ms = 0
        self.numbers = 0
        self.marks: dict[str, int] = {}
        self.cursors: dict[int, int] = {}
        self.account = Account()
        self.orders: dict[int, Order] = {}
        self.pairs: dict[int, Pair] = {}
        self.fills: dict[int, Fill] = {}
        self.moves: list[Moved] = []  # deposits and withdrawals, the oldest first
        self.open: dict[str, dict[int, Order]] = {}
        self._ids: dict[str, list[int]] = {}  # of a symbol's orders, rising
        self._fill_ids: dict[str, list[int]] = {}
        self._of_order: dict[int, list[int]] = {}
        self._named: dict[tuple[str, str], int] = {}  # the newest order with a client id
        self._changed_orders: dict[int, None] = {}
        self._changed_pairs: dict[int, None] = {}
        self._new_fills: list[Fill] = []
        self._new_moves: list[Moved] = []

    @property
    def next_order(self) -> int:
        return next(reversed(self.orders), 0) + 1

    @property
    def next_pair(self) -> int:
        return next(reversed(self.pairs), -1) + 1

    @property
    def next_fill(self) -> int:
        return next(reversed(self.fills), 0) + 1

    def put(self, order: Order) -> None:
        """Keep an order's new state."""
        if order.id not in self.orders:
            self._ids.setdefault(order.symbol, []).append(order.id)
            self._named[order.symbol, order.client_id] = order.id
        self.orders[order.id] = order
        waiting = self.open.setdefault(order.symbol, {})
        if order.open:
            waiting[order.id] = order
        else:
            waiting.pop(order.id, None)
        self._changed_orders[order.id] = None

    def put_pair(self, pair: Pair) -> None:
        """Keep a pair's new state."""
        self.pairs[pair.id] = pair
        self._changed_pairs[pair.id] = None

    def put_fill(self, fill: Fill) -> None:
        """Keep a fill."""
        self.fills[fill.id] = fill
        self._fill_ids.setdefault(fill.symbol, []).append(fill.id)
        self._of_order.setdefault(fill.order_id, []).append(fill.id)
        self._new_fills.append(fill)

    def move(self, asset: str, amount: int) -> None:
        """Let money come, or go, by other ways than trading."""
        last_ms = self.moves[-1].at_ms if self.moves else 0
        self.account.receive(asset, amount)
        self._put_move(Moved(asset, amount, max(self.at_ms, last_ms + 1)))

    def _put_move(self, moved: Moved) -> None:
        self.moves.append(moved)
        self._new_moves.append(moved)

    def waiting(self, symbol: str) -> list[Order]:
        """Return a symbol's open orders."""
        return list(self.open.get(symbol, {}).values())

    def all_open(self) -> list[Order]:
        """Return every open order, the oldest first."""
        return sorted(
            (order for waiting in self.open.values() for order in waiting.values()),
            key=lambda order: order.id,
        )

    def traded(self) -> list[str]:
        """Return every symbol that there was an order in, as the house writes it."""
        return [symbol_of(self.orders[ids[0]]) for ids in self._ids.values()]

    def named(self, symbol: str, client_id: str) -> Order | None:
        """Return the newest order with a client id."""
        found = self._named.get((symbol, client_id))
        return None if found is None else self.orders[found]

    def open_named(self, symbol: str, client_id: str) -> Order | None:
        """Return the open order with a client id; there is at most one."""
        order = self.named(symbol, client_id)
        return order if order is not None and order.open else None

    def fills_of(self, order_id: int) -> list[Fill]:
        """Return the fills of an order."""
        return [self.fills[fill_id] for fill_id in self._of_order.get(order_id, ())]

    def orders_from(self, symbol: str, first_id: int) -> Iterator[Order]:
        """Yield a symbol's orders from an id on."""
        ids = self._ids.get(symbol, [])
        return (self.orders[order_id] for order_id in ids[bisect_left(ids, first_id) :])

    def orders_back(self, symbol: str) -> Iterator[Order]:
        """Yield a symbol's orders, the newest first."""
        return (self.orders[order_id] for order_id in reversed(self._ids.get(symbol, [])))

    def fills_from(self, symbol: str, first_id: int) -> Iterator[Fill]:
        """Yield a symbol's fills from an id on."""
        ids = self._fill_ids.get(symbol, [])
        return (self.fills[fill_id] for fill_id in ids[bisect_left(ids, first_id) :])

    def fills_back(self, symbol: str) -> Iterator[Fill]:
        """Yield a symbol's fills, the newest first."""
        return (self.fills[fill_id] for fill_id in reversed(self._fill_ids.get(symbol, [])))

    def drain(self) -> Batch:
        """Return what changed since the last time."""
        batch = Batch(
            self.at_ms,
            self.numbers,
            {asset: self.account.balances[asset] for asset in self.account.changed},
            [self.orders[order_id] for order_id in self._changed_orders],
            [self.pairs[pair_id] for pair_id in self._changed_pairs],
            self._new_fills,
            dict(self.marks),
            dict(self.cursors),
            tuple(self._new_moves),
        )
        self._forget_changes()
        return batch

    def apply(self, batch: Batch) -> None:
        """Put a batch of the log in place."""
        self.at_ms, self.numbers = batch.at_ms, batch.numbers
        self.marks.update(batch.marks)
        self.cursors.update(batch.cursors)
        self.account.balances.update(batch.balances)
        for order in batch.orders:
            self.put(order)
        for pair in batch.pairs:
            self.put_pair(pair)
        for fill in batch.fills:
            self.put_fill(fill)
        for moved in batch.moves:
            self._put_move(moved)
        self._forget_changes()

    def whole(self) -> Iterator[Batch]:
        """Yield batches that make the same records, without what was overwritten."""
        orders, fills = list(self.orders.values()), list(self.fills.values())
        pairs = list(self.pairs.values())
        for start in range(0, max(len(orders), len(fills), len(pairs), 1), CHUNK):
            part = slice(start, start + CHUNK)
            balances = {} if start else self.account.balances
            yield Batch(
                self.at_ms,
                self.numbers,
                balances,
                orders[part],
                pairs[part],
                fills[part],
                self.marks,
                self.cursors,
                () if start else self.moves,
            )

    def _forget_changes(self) -> None:
        self.account.changed, self._new_moves = {}, []
        self._changed_orders, self._changed_pairs, self._new_fills = {}, {}, []
