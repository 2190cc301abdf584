"""`rrr why`: the whole way of one order, from the tick to the cash."""

import json
from itertools import pairwise
from typing import Any

import click

from bus.errors import JournalError
from bus.telling import plain, step_name, tell
from schema.units import iso_ms
from services.rrr.books import as_integrity
from services.rrr.chain import Chain, chain_of
from services.rrr.ears import Seen
from services.rrr.naming import order_named
from services.rrr.pipes import reader_may_leave
from services.rrr.screen import table, world_line
from services.rrr.standing import standing_house
from services.rrr.survey import running_house

HEAD = ("STEP", "MARKET TIME", "SAID AT", "AFTER", "")
LEGS = ("LEG", "ORDER", "SIDE", "TYPE", "QTY", "FILLED", "STOP", "STATE")
LEG_CELLS = (
    "leg", "client_order_id", "side", "order_type", "qty", "filled_qty", "stop_price", "status",
)  # fmt: skip


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
    with reader_may_leave():
        click.echo(json.dumps(as_object(chain)) if as_json else as_text(chain, house.world))


def as_object(chain: Chain) -> dict[str, Any]:
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
        "legs": chain.legs,
        "cash": chain.cash,
        "missing": chain.missing,
    }


def as_text(chain: Chain, world: str) -> str:
    """Return a chain as a page to read."""
    whose = f", {chain.intent.strategy}, {chain.intent.symbol}" if chain.intent is not None else ""
    lines = [world_line(world), f"Order {chain.order_id}{whose}: {chain.state}", ""]
    waits = _since_us(chain.steps)
    rows = [_row(seen, us) for seen, us in zip(chain.steps, waits, strict=True)]
    lines += table([HEAD, *rows])
    if chain.legs:
        cells = [tuple(str(row[name] or "-") for name in LEG_CELLS) for row in chain.legs]
        lines += ["", *table([LEGS, *cells])]
    if chain.cash:
        lines += ["", "Cash moved:"]
        lines += [_cash_line(row) for row in chain.cash]
    return "\n".join([*lines, *(f"({gap})" for gap in chain.missing)])


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
