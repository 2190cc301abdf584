"""Is the audit the chain that was written: no row changed, taken out or cut off at its end?"""

from typing import Any

from bus.chained import CHAIN_START, audit_hash
from bus.shard import Connection
from services.writer.proofs import Found, rows_of

AUDIT = "SELECT id, ts_ns, by, what, scope, reason, detail, hash FROM audit ORDER BY id"
HEAD = "SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1"
LINK = "SELECT id FROM audit WHERE hash = ?"


def chain(db: Connection) -> Found:
    """Follow the chain from its first row to its last."""
    before, count = CHAIN_START, 0
    rows: Any = db.execute(AUDIT)
    for row in rows:
        *fields, found = row
        count += 1
        if fields[0] != count:
            return False, f"row {count} is missing: the next one is {fields[0]}"
        if audit_hash(before, *fields) != found:
            return False, f"row {count} is not what was chained, or the row before it is not"
        before = found
    return True, f"{count} rows, up to {before.hex()[:16]}"


def head(db: Connection) -> tuple[int, bytes]:
    """Return the last row's number and hash: what a backup keeps of it."""
    rows = rows_of(db, HEAD)
    return (rows[0][0], rows[0][1]) if rows else (0, CHAIN_START)


def holds(db: Connection, known: str, whose: str) -> Found:
    """Look for the end that the chain had once, as somebody else has kept it."""
    if not known:
        return True, f"{whose} holds no row of it"
    rows = rows_of(db, LINK, (bytes.fromhex(known),))
    if rows:
        return True, f"row {rows[0][0]} is the end that {whose} has"
    last, _ = head(db)
    return False, f"{whose} ends with {known[:16]}, which is not here: it ends with row {last}"
