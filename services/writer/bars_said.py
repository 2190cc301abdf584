"""When bars were said, remembered in the shard for what they lead to.

A forecast or an order is linked to a bar that was said less than a day before it, whichever of both
is read first. So what is two days behind all that could still be linked may be forgotten.
"""

from typing import Any

from bus.shard import Connection
from schema.units import DAY_NS, SECOND_NS

LINKED_NS = DAY_NS
KEPT_NS = 2 * DAY_NS
EVERY_NS = 3600 * SECOND_NS

GROWN = (
    "UPDATE bar_said SET last = ?1 "
    "WHERE pos = (SELECT max(pos) FROM bar_said) AND last = ?1 - 1 AND said_ns = ?2"
)
NEW = "INSERT INTO bar_said VALUES (?1, ?1, ?2)"
FOUND = "SELECT last, said_ns FROM bar_said WHERE pos <= ? ORDER BY pos DESC LIMIT 1"


def remember(db: Connection, pos: int, said_ns: int) -> None:
    """Keep when a bar was said; bars side by side that were said at once are one row."""
    db.execute(GROWN, (pos, said_ns))
    if not db.changes():
        db.execute(NEW, (pos, said_ns))


def said_of(db: Connection, pos: int, before_ns: int) -> int | None:
    """Return when a bar was said, where that was less than a day before something else was."""
    rows: list[Any] = db.execute(FOUND, (pos,)).fetchall()
    for last, said_ns in rows:
        if pos <= last and before_ns - said_ns < LINKED_NS:
            return int(said_ns)
    return None


class Horizon:
    """How far the streams have come that may speak of bars, so that old bars can be forgotten."""

    def __init__(self, streams: int) -> None:
        self._streams = streams
        self._heard_ns: dict[int, int] = {}
        self._forgot_ns = 0

    def pass_by(self, db: Connection, stream: int, said_ns: int) -> None:
        """Take note of a stream; forget, once an hour, what nobody can speak of any more."""
        self._heard_ns[stream] = max(said_ns, self._heard_ns.get(stream, 0))
        if len(self._heard_ns) < self._streams:
            return
        until_ns = min(self._heard_ns.values()) - KEPT_NS
        if until_ns - self._forgot_ns >= EVERY_NS:
            self._forgot_ns = until_ns
            db.execute("DELETE FROM bar_said WHERE said_ns < ?", (until_ns,))
