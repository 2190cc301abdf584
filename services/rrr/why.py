"""`rrr why`: the whole way of one order, from the tick to the cash."""

import json
from itertools import pairwise
from typing import Any

import click
import msgspec

from bus.errors import JournalError
from bus.house import House
from bus.telling import plain, step_name, tell
from schema.orders import Fill
from schema.units import iso_ms
from services.rrr.books import Row, as_integrity
from services.rrr.chain import Chain, chain_of
from services.rrr.ears import Seen
from services.rrr.naming import order_named
from services.rrr.pipes import reader_may_leave
from services.rrr.round_trip import round_trip
from services.rrr.screen import table, world_line
from services.rrr.standing import standing_house
from services.rrr.survey import running_house
from services.rrr.why_after import (
    ledger_of,
    ledger_text,
    protection_of,
    protection_text,
    times_of,
    times_text,
    trip_text,
)
from services.rrr.why_model import Made, made_of, made_text

HEAD = ("STEP", "MARKET TIME", "SAID AT", "AFTER", "")
LEGS = ("LEG", "ORDER", "SIDE", "TYPE", "QTY", "FILLED", "STOP", "STATE")
LEG_CELLS = (
    "leg", "client_order_id", "side", "order_type", "qty", "filled_qty", "stop_price", "status",
)  # fmt: skip


ENTRY = "entry"


class Around(msgspec.Struct):
    """What the shards know beside the way of an order."""

    made: Made
    times: dict[str, Any]
    ledger: list[Row] = []
    protection: list[Row] = []
    trip: Row | None = None


@click.command()
@click.argument("order", metavar="ORDER|TRADE|SYMBOL|last")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def why(order: str, *, as_json: bool) -> None:
    """Show why an order was made, and what became of it, step by step.

    ORDER may be its id or a unique part of it, the id of one of its trades, a symbol (its newest
    order) or `last`. SAID AT is the time of the wall, AFTER the time since the step before.
    """
    house = running_house(standing_house())
    try:
        chain = chain_of(house, order_named(house, order))
    except JournalError as error:
        raise as_integrity(error) from error
    around = around_of(house, chain)
    with reader_may_leave():
        if as_json:
            click.echo(json.dumps(as_object(chain, around)))
        else:
            click.echo(as_text(chain, around, house.world))


def around_of(house: House, chain: Chain) -> Around:
    """Return what stands around the way of an order, in the shards."""
    wish, order_id = chain.intent, chain.order_id
    around = Around(made_of(house, chain.steps), times_of(house, order_id, chain.steps))
    around.ledger = ledger_of(house, chain.steps)
    around.protection = protection_of(order_id, chain.legs)
    messages = (seen.message for seen in chain.steps)
    own = [m for m in messages if isinstance(m, Fill) and m.client_order_id == order_id]
    if own:
        around.trip = round_trip(house, order_id, own[-1].symbol)
    is_kept = bool(chain.cash)  # Else the shard does not know of its legs either.
    if is_kept and wish is not None and wish.leg == ENTRY and not around.protection:
        around.made.missing.append("no stop and no target was ever asked for what it opened")
    return around


def as_object(chain: Chain, around: Around) -> dict[str, Any]:
    """Return a chain as JSON holds it."""
    return {
        "client_order_id": chain.order_id,
        "state": chain.state,
        "symbol": chain.intent.symbol if chain.intent is not None else "",
        "strategy": chain.intent.strategy if chain.intent is not None else "",
        "steps": [
            {
                "step": step_name(seen.message),
                "stream": seen.stream,
                "pos": seen.pos,
                "market_ns": seen.message.ts_event,
                "wall_ns": seen.ts_ns,
                "since_us": since_us,
                "text": tell(seen.message),
                "message": plain(seen.message),
            }
            for seen, since_us in zip(chain.steps, _since_us(chain.steps), strict=True)
        ],
        "model": around.made.model,
        "features": around.made.features,
        "times": around.times,
        "legs": chain.legs,
        "protection": around.protection,
        "cash": chain.cash,
        "ledger": around.ledger,
        "round_trip": around.trip,
        "missing": chain.missing,
        "unknown": around.made.missing,
    }


def as_text(chain: Chain, around: Around, world: str) -> str:
    """Return a chain as a page to read."""
    whose = f", {chain.intent.strategy}, {chain.intent.symbol}" if chain.intent is not None else ""
    lines = [world_line(world), f"Order {chain.order_id}{whose}: {chain.state}", ""]
    waits = _since_us(chain.steps)
    rows = [_row(seen, us) for seen, us in zip(chain.steps, waits, strict=True)]
    lines += table([HEAD, *rows])
    lines += made_text(around.made) + times_text(around.times)
    if chain.legs:
        cells = [tuple(str(row[name] or "-") for name in LEG_CELLS) for row in chain.legs]
        lines += ["", *table([LEGS, *cells])]
    if chain.cash:
        lines += ["", "Cash moved:"]
        lines += [_cash_line(row) for row in chain.cash]
    lines += protection_text(around.protection) + ledger_text(around.ledger)
    lines += trip_text(around.trip)
    gaps = (*chain.missing, *around.made.missing)
    return "\n".join([*lines, *(f"({gap})" for gap in gaps)])


def _row(seen: Seen, since_us: int | None) -> tuple[str, ...]:
    after = "" if since_us is None else f"{since_us:+} us"
    times = iso_ms(seen.message.ts_event), iso_ms(seen.ts_ns)[11:]
    return (step_name(seen.message), *times, after, tell(seen.message))


def _cash_line(row: dict[str, Any]) -> str:
    return f"  {row['amount']} {row['asset']} ({row['kind']})"


def _since_us(steps: list[Seen]) -> list[int | None]:
    """Return how long after the step before each was said; None for the first."""
    waits: list[int | None] = [(b.ts_ns - a.ts_ns) // 1000 for a, b in pairwise(steps)]
    return [None, *waits] if steps else []
