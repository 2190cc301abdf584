"""How the account stands, for those who join the stream late: the books, told whole.

Nothing here is news: whoever has heard the stream from its beginning has the same figures.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from schema.orders import AccountSnapshot, Halted, OpenOrder, Sum
from schema.units import to_text
from services.gateway.state import Amount, Books, Order, Stop

PAGE_BYTES = 48 << 10
"""Rows of one part: with its head it stays within what other frames of the bus hold, so that a
stuck subscriber costs no more than by them."""

TEXT_CHARS = 500
"""Of a reason: a person may give one of any length, and every part repeats it."""

Row = tuple[str, Halted | OpenOrder | Sum]
Page = list[Row]

_encode = msgspec.msgpack.Encoder().encode


def told(books: Books, now_ns: int) -> list[AccountSnapshot]:
    """Return the books as of now, in as many parts as they need."""
    pages = list(_pages(books))
    return [_part(books, now_ns, page, n, len(pages)) for n, page in enumerate(pages, start=1)]


def audited(books: Books) -> dict[str, object]:
    """Return the account as these books have it, for whoever holds it against others."""
    orders = books.open.values()
    return {
        "balances": {name: to_text(one.n, one.exp) for name, one in books.assets.items()},
        "positions": {
            name: {"qty": to_text(one.n, one.exp)} for name, one in books.positions.items()
        },
        "orders": {
            one.id: {"state": one.place.under.value, "left": to_text(one.left, one.exp)}
            for one in orders
        },
        "level": books.level,
    }


def _part(books: Books, now_ns: int, page: Page, part: int, parts: int) -> AccountSnapshot:
    rows: dict[str, list[Any]] = {}
    for name, row in page:
        rows.setdefault(name, []).append(row)
    told_rows: dict[str, Any] = {name: tuple(found) for name, found in rows.items()}
    return AccountSnapshot(
        ts_event=now_ns,
        level=books.level,
        by=_short(books.killed.by),
        reason=_short(books.killed.why),
        since_ns=books.killed.since_ns,
        reconciled_ns=books.reconciled_ns,
        part=part,
        parts=parts,
        retry_after_ns=books.retry_after_ns,
        armed_until_ns=books.arm.until_ns,
        **told_rows,
    )


def _pages(books: Books) -> Iterator[Page]:
    page: Page = []
    room = PAGE_BYTES
    for row in _rows(books):
        size = len(_encode(row[1]))
        if page and size > room:
            yield page
            page, room = [], PAGE_BYTES
        page.append(row)
        room -= size
    yield page


def _rows(books: Books) -> Iterator[Row]:
    for symbol, stop in books.halted.items():
        yield "halted", _halted(symbol, stop)
    for order in books.open.values():
        yield "orders", _open(order)
    yield from (("balances", one) for one in _sums(books.assets))
    yield from (("positions", one) for one in _sums(books.positions))


def _halted(symbol: str, stop: Stop) -> Halted:
    return Halted(symbol, stop.since_ns, _short(stop.by), _short(stop.why))


def _open(order: Order) -> OpenOrder:
    return OpenOrder(
        intent=order.intent,
        signed_ms=order.signed_ms,
        submitted_ns=order.submitted_ns,
        state=order.place.state.value,
        under=order.place.under.value,
        qty=order.qty,
        filled=order.filled,
        exp=order.exp,
        venue_order_id=order.venue_order_id,
    )


def _sums(amounts: Mapping[str, Amount]) -> Iterator[Sum]:
    return (Sum(name, amount.n, amount.exp) for name, amount in amounts.items())


def _short(text: str) -> str:
    return text if len(text) <= TEXT_CHARS else f"{text[:TEXT_CHARS]} ..."
