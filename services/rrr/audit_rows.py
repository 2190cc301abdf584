"""The rows of the trading shard, held against the fold at the place where they stand."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from bus.clock import Clock
from bus.errors import ShardError
from bus.rows import Reader
from services.rrr.audit_fold import Fold
from services.rrr.audit_money import atoms, text_of
from services.rrr.audit_read import BOOKS, ORDER, Asked
from services.rrr.audit_steps import shown

TRIES = 20
PAUSE_MS = 100
READ_MS = 600_000

PLACES = "SELECT stream, pos FROM trading.stream_position ORDER BY stream"
QUERIES = {
    "orders": "SELECT client_order_id, status, under, filled_qty, filled_exp FROM trading.orders",
    "trades": "SELECT * FROM trading.trades",
    "positions": "SELECT * FROM trading.positions",
    "ledger": "SELECT entry, account, asset, amount, exp, kind FROM trading.ledger ORDER BY id",
}
SAME = (
    "client_order_id", "venue_order_id", "side", "px", "qty", "quote_qty", "fee", "fee_asset",
    "px_exp", "qty_exp", "quote_exp", "fee_exp",
)  # fmt: skip
STATED = (
    "qty",
    "cost",
    "realized",
    "fees",
    "funding",
    "mark",
    "mark_px",
    "px_exp",
    "qty_exp",
    "quote_exp",
)
WAITING = "INITIALIZED"

Rows = list[dict[str, Any]]


class Shard(msgspec.Struct):
    """What the shard holds, and how far it has come in each stream."""

    places: dict[str, int] = {}
    rows: dict[str, Rows] = {}
    why_not: str = ""
    behind: bool = False
    differences: dict[str, list[str]] = {}

    @property
    def pos(self) -> int:
        """Where it stands in `gateway.order`."""
        return self.places.get(ORDER, 0)


def read_shard(db_dir: Path, clock: Clock) -> Shard:
    """Return all rows of one moment; the writer may go on meanwhile, then it is read again."""
    try:
        with Reader(db_dir, "trading", clock, READ_MS) as reader:
            if reader.older is not None:
                return Shard(why_not=reader.older.what, behind=True)
            for _ in range(TRIES):
                before = _places(reader)
                found = {name: list(reader.rows(sql)) for name, sql in QUERIES.items()}
                if before == _places(reader):
                    return Shard(before, found)
                clock.pause_ms(PAUSE_MS)
    except ShardError as error:
        return Shard(why_not=error.what)
    return Shard(why_not="its writer went on at every look", behind=True)


def _places(reader: Reader) -> dict[str, int]:
    return {str(row["stream"]): int(row["pos"] or 0) for row in reader.rows(PLACES)}


def cut_of(shard: Shard) -> Callable[[Fold], None]:
    """Return what holds the shard against the fold, once that stands where the shard does."""

    def compare(fold: Fold) -> None:
        shard.differences = {
            "shard orders": list(_orders(shard.rows["orders"], fold)),
            "shard trades": list(_trades(shard.rows["trades"], fold)),
            "shard ledger": [*_sums(shard.rows["ledger"], fold), *_entries(shard, fold)],
        }

    return compare


def _orders(rows: Rows, fold: Fold) -> Iterable[str]:
    there = {row["client_order_id"]: row for row in rows}
    for key, known in fold.orders.items():
        row = there.get(key)
        if row is None:
            yield f"order {key}: no row, expected {known.state}"
            continue
        ours = (shown(known.state, pending=known.pending), known.filled)
        theirs = (row["status"], atoms(row["filled_qty"], row["filled_exp"] or 0))
        if ours != theirs:
            yield (
                f"order {key}: the row says {theirs[0]} with {text_of(theirs[1])} filled, "
                f"the journal {ours[0]} with {text_of(ours[1])}"
            )
    strangers = {key for _, _, key, _ in fold.unclaimed}
    for key, row in there.items():
        waits = row["status"] == WAITING or (row["status"] == "DENIED" and key in fold.denied)
        if key not in fold.orders and not waits and key not in strangers:
            yield f"order {key}: the row says {row['status']}, the journal has no such order"


def _trades(rows: Rows, fold: Fold) -> Iterable[str]:
    there = {(row["symbol"], row["venue_trade_id"]): row for row in rows}
    for key, (pos, fill) in fold.trades.items():
        row = there.pop(key, None)
        if row is None:
            yield f"trade {key[1]} of {key[0]}: no row, said at {ORDER} {pos}"
            continue
        for name in SAME:
            ours = getattr(fill, name)
            if row[name] != ours:
                yield f"trade {key[1]} of {key[0]}: {name} is {row[name]}, said was {ours}"
    for symbol, trade in there:
        yield f"trade {trade} of {symbol}: a row, and nobody said it"


def _sums(rows: Rows, fold: Fold) -> Iterable[str]:
    sums: dict[tuple[str, str], int] = {}
    entry, legs, whole = "", dict[str, int](), set[str]()
    for row in [*rows, {"entry": "", "asset": "", "amount": 0, "exp": 0, "account": ""}]:
        if row["entry"] != entry:
            yield from (
                f"entry {entry}: its legs in {asset} come to {text_of(n)}, expected 0"
                for asset, n in legs.items() if n
            )  # fmt: skip
            if entry in whole:
                yield f"entry {entry}: other entries stand between its legs"
            whole.add(entry)
            entry, legs = row["entry"], {}
        n = atoms(row["amount"], row["exp"])
        legs[row["asset"]] = legs.get(row["asset"], 0) + n
        key = row["account"], row["asset"]
        sums[key] = sums.get(key, 0) + n
    apart = {asset: n for asset, (_, n) in fold.apart.items()}
    books = {"trading": fold.money.balances, "external": fold.money.external, "suspense": apart}
    for account, ours in books.items():
        theirs = {asset: n for (whose, asset), n in sums.items() if whose == account}
        yield from _unlike(account, theirs, ours)


def _unlike(account: str, theirs: dict[str, int], ours: dict[str, int]) -> Iterable[str]:
    for asset in sorted({*theirs, *ours}):
        there, here = theirs.get(asset, 0), ours.get(asset, 0)
        if there != here:
            where = "" if account == "trading" else f" in {account}"
            yield f"{asset}{where}: the ledger holds {text_of(there)}, the journal {text_of(here)}"


def _entries(shard: Shard, fold: Fold) -> Iterable[str]:
    there: dict[str, int] = {}
    for row in shard.rows["ledger"]:
        fee = atoms(row["amount"], row["exp"]) if row["account"] == "fees" else 0
        there[row["entry"]] = there.get(row["entry"], 0) + fee
    for (symbol, trade), (pos, fill) in fold.trades.items():
        entry = f"fill:{symbol}:{trade}"
        booked, fee = there.pop(entry, None), atoms(fill.fee, fill.fee_exp)
        if booked is None:
            yield f"entry {entry}: it is not in the ledger, said at {ORDER} {pos}"
        elif booked != fee:
            yield f"entry {entry}: a fee of {text_of(booked)} is booked, {text_of(fee)} was said"
    for entry in there:
        if entry not in fold.deposits:
            yield f"entry {entry}: nobody said what it books"


def positions(shard: Shard, asked: Asked) -> list[str]:
    """Return how the rows of positions differ from what the engine said last."""
    pos = shard.places.get(BOOKS, 0)
    found = []
    there = {(row["symbol"], row["strategy"]): row for row in shard.rows["positions"]}
    for key, (said, told) in asked.newest.items():
        row = there.pop(key, None)
        if said > pos:
            continue  # It comes: the shard has not read that far.
        if row is None:
            found.append(f"position {' '.join(key).strip()}: no row, said at {BOOKS} {said}")
            continue
        found += [
            f"position {' '.join(key).strip()}: {name} is {row[name]}, "
            f"{BOOKS} {said} says {getattr(told, name)}"
            for name in STATED
            if row[name] != getattr(told, name)
        ]
    found += [f"position {' '.join(key).strip()}: a row, and nobody said it" for key in there]
    return found
