"""A row that SQLite refuses must not stop the rows around it, nor be dropped without a word."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import apsw

from bus.shard import Connection
from schema.head import Message
from schema.messages import encode
from schema.units import INT64_LIMIT

T = TypeVar("T")
Refusal = tuple[Message, str]

POISON = (
    apsw.ConstraintError,
    apsw.MismatchError,
    apsw.TooBigError,
    OverflowError,
    ValueError,
)
"""What a value can do wrong; what a disk can do wrong is not here and ends the transaction."""


def write_around(
    db: Connection, write: Callable[[Sequence[T]], None], items: Sequence[T]
) -> list[tuple[T, str]]:
    """Write all items that can be written, in order; return the others with the reason.

    Halves what fails until single items are left: the price is paid only when there is poison.
    """
    db.execute("SAVEPOINT poison")
    try:
        write(items)
    except POISON as error:
        db.execute("ROLLBACK TO poison")
        db.execute("RELEASE poison")
        if len(items) == 1:
            return [(items[0], f"{type(error).__name__}: {error}")]
        half = len(items) // 2
        return write_around(db, write, items[:half]) + write_around(db, write, items[half:])
    db.execute("RELEASE poison")
    return []


def undo(db: Connection) -> None:
    """Take back what `write` of `write_around` has written so far; it may go on."""
    db.execute("ROLLBACK TO poison")


def bury(db: Connection, refusals: Sequence[Refusal]) -> None:
    """Keep refused messages as they were said, with the reason."""
    db.executemany(
        "INSERT INTO dead_letter (ts_ns, type, reason, body) VALUES (?, ?, ?, ?)",
        [
            (
                min(message.ts_event, INT64_LIMIT - 1),
                type(message).__name__,
                reason,
                encode([message]),
            )
            for message, reason in refusals
        ],
    )
