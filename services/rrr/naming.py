"""Which order a person means: its id or a part of it, a trade's id, a symbol, or "last"."""

import re
from collections.abc import Iterable, Iterator

import click

from bus.errors import HouseError
from bus.house import House
from schema.head import Message
from schema.identity import ID_CHARS, house_tag
from schema.orders import Fill, OrderDenied, OrderSubmitted
from services.rrr.books import Row, known_rows
from services.rrr.said import said_with

PART = re.compile(r"[0-9a-f]{6,32}")
SHOWN_MAX = 10
FOUND_MAX = 1000

BY_PREFIX = "SELECT client_order_id AS id FROM trading.orders WHERE client_order_id GLOB ?"
BY_TRADE = "SELECT DISTINCT client_order_id AS id FROM trading.trades WHERE venue_trade_id = ?"
NEWEST = """
SELECT client_order_id AS id FROM trading.orders WHERE ? IN ('', symbol)
ORDER BY created_ns DESC LIMIT 1
"""


def order_named(house: House, text: str) -> str:
    """Return the id of the order that a person means; it must be one, and known."""
    if text.lower() == "last" or "/" in text:
        found = _newest(house, "" if text.lower() == "last" else text.upper())
    else:
        found = _by_trade(house, text) or _by_part(house, text.lower())
    if not found:
        raise HouseError(
            f"no order of world {house.world} is known as {text!r}",
            "`rrr orders` lists them; give an id or at least 6 characters of it, "
            "a trade's id, a symbol, or `last`",
        )
    if len(found) > 1:
        more = " ..." if len(found) > SHOWN_MAX else ""
        raise click.UsageError(
            f"{text!r} is the beginning or a part of {len(found)} orders: "
            f"{' '.join(found[:SHOWN_MAX])}{more}"
        )
    return found[0]


def _newest(house: House, symbol: str) -> list[str]:
    # Every order that left this house carries its tag; the journal knows more than the shard.
    text, part = symbol or house_tag(house.world), not symbol
    for seen in said_with(house.journal_dir, "gateway.order", text, part=part):
        m = seen.message
        if isinstance(m, OrderSubmitted | OrderDenied) and symbol in {"", _symbol(m)}:
            return [m.client_order_id]
    return _ids(known_rows(house, NEWEST, (symbol,)))


def _symbol(m: OrderSubmitted | OrderDenied) -> str:
    return m.intent.symbol if isinstance(m, OrderSubmitted) else m.symbol


def _by_trade(house: House, trade_id: str) -> list[str]:
    found = _ids(known_rows(house, BY_TRADE, (trade_id,)))
    if found or len(trade_id) == ID_CHARS:
        return found
    said = (seen.message for seen in said_with(house.journal_dir, "gateway.order", trade_id))
    fills = (m for m in said if isinstance(m, Fill) and m.venue_trade_id == trade_id)
    return _different(m.client_order_id for m in fills)


def _by_part(house: House, part: str) -> list[str]:
    if not PART.fullmatch(part):
        return []
    for pattern in (f"{part}*", f"*{part}*"):
        found = _ids(known_rows(house, BY_PREFIX, (pattern,)))
        if found:
            return found
    return _different(_said_ids(house, part))


def _said_ids(house: House, part: str) -> Iterator[str]:
    for name in ("gateway.order", "engine.intent"):
        for seen in said_with(house.journal_dir, name, part, part=True):
            order_id = _id_of(seen.message)
            if order_id.startswith(part):
                yield order_id


def _id_of(message: Message) -> str:
    return str(getattr(message, "client_order_id", ""))


def _different(ids: Iterable[str]) -> list[str]:
    found: dict[str, None] = {}
    for order_id in ids:
        found[order_id] = None
        if len(found) >= FOUND_MAX:
            break
    return list(found)


def _ids(rows: list[Row]) -> list[str]:
    return [str(row["id"]) for row in rows]
