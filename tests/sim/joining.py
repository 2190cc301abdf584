"""What a late joiner of `gateway.order` begins with is what everything before it comes to.

Each snapshot in the journal is held against the fold of all messages before it, and whoever begins
with one against whoever has read everything.
"""

from collections.abc import Iterator, Sequence

from bus.intake import read_body
from bus.journals import Journals
from schema.frame import Frame, Kind
from schema.head import Message
from schema.lifecycle import Place, State
from schema.messages import encode
from schema.orders import AccountSnapshot, Sum
from schema.streams import STREAMS
from services.gateway import account, books
from services.gateway.state import Amount, Books, Order, Stop

ORDER = STREAMS["gateway.order"]


def check_joining(journals: Journals) -> int:
    """Assert that every snapshot of the stream holds; return how many there are."""
    told = Books()
    snapshots, joined = 0, None
    parts: list[AccountSnapshot] = []
    for frame in _frames(journals):
        for message in read_body(ORDER, frame.body):
            if frame.kind != Kind.SNAPSHOT:
                for one in (told, joined):
                    if one is not None and message is not None:
                        books.apply(one, message)
                continue
            assert isinstance(message, AccountSnapshot)
            parts = [*parts, message] if message.part > 1 else [message]
            if message.part == message.parts:
                _same(parts, account.told(told, message.ts_event))
                if joined is not None:
                    _same(parts, account.told(joined, message.ts_event))
                joined = restored(parts) if snapshots % 5 == 0 else joined
                snapshots += 1
    if joined is not None:
        _same(account.told(told, 1), account.told(joined, 1))
    _check_newest(journals, snapshots)
    return snapshots


def restored(parts: Sequence[AccountSnapshot]) -> Books:
    """Return the books of somebody who has heard a snapshot and nothing else."""
    first = parts[0]
    made = Books(
        level=first.level,
        killed=Stop(first.since_ns, first.by, first.reason),
        reconciled_ns=first.reconciled_ns,
        retry_after_ns=first.retry_after_ns,
    )
    for part in parts:
        for halt in part.halted:
            made.halted[halt.symbol] = Stop(halt.since_ns, halt.by, halt.why)
        for one in part.orders:
            order = Order(
                intent=one.intent,
                signed_ms=one.signed_ms,
                submitted_ns=one.submitted_ns,
                exp=one.exp,
                qty=one.qty,
                filled=one.filled,
                place=Place(State(one.state), State(one.under)),
                venue_order_id=one.venue_order_id,
            )
            made.open[order.id] = order
        made.assets.update(_amounts(part.balances))
        made.positions.update(_amounts(part.positions))
    return made


def _amounts(sums: Sequence[Sum]) -> dict[str, Amount]:
    return {one.name: Amount(one.n, one.exp) for one in sums}


def _same(found: Sequence[Message], wanted: Sequence[Message]) -> None:
    assert encode(list(found)) == encode(list(wanted)), (found, wanted)


def _check_newest(journals: Journals, snapshots: int) -> None:
    pos = journals.reader(ORDER).snapshot()
    assert bool(pos) == bool(snapshots)
    if pos:
        (frame, *_) = journals.reader(ORDER).read(pos - 1)
        assert (frame.pos, frame.kind) == (pos, Kind.SNAPSHOT)
        assert not [f for f in _frames(journals, pos) if f.kind == Kind.SNAPSHOT]


def _frames(journals: Journals, after: int = 0) -> Iterator[Frame]:
    reader = journals.reader(ORDER)
    while frames := reader.read(after):
        after = frames[-1].last
        yield from frames
