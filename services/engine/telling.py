"""What a person is told of the strategies that run."""

from schema.ledger import decimals, holdings
from schema.lifecycle import State
from schema.locks import ANY
from schema.soundness import flaws
from schema.strategy import Offer
from schema.units import to_text
from services.engine.line import Pass
from services.engine.orders import slot_of
from services.engine.roster import Roster
from services.engine.state import Books, Slot
from services.engine.worth import holding_of, worth_of

Row = dict[str, object]


def audited(books: Books) -> Row:
    """Return the account as these books have it, for whoever holds it against others."""
    return {
        "balances": decimals(books.ledger),
        "positions": holdings(books.ledger),
        "orders": {
            key: {
                "state": order.place.under.value,
                "left": to_text(order.left, order.intent.qty_exp),
            }
            for key, order in books.orders.items()
            if not order.place.terminal and order.place.state is not State.INITIALIZED
        },
        "level": books.kill[0],
        "flaws": flaws(books.ledger),
    }


def told_of(turn: Pass, roster: Roster) -> list[Row]:
    """Return a row for each strategy, with what it holds of each symbol."""
    names = [*turn.books.loaded, *(n for n in turn.windows.unloaded if n not in turn.books.loaded)]
    return [_row(turn, roster, name) for name in names]


def _row(turn: Pass, roster: Roster, name: str) -> Row:
    offer, latch = turn.books.loaded.get(name), turn.books.latches.get(name)
    trouble = turn.windows.unloaded.get(name, "") or roster.broken.get(name, "")
    row: Row = {
        "name": name,
        "trouble": trouble,
        "latch": f"{latch.what} by {latch.by}: {latch.why}" if latch else "",
    }
    return row if offer is None else row | _running(turn, roster, offer)


def _running(turn: Pass, roster: Roster, offer: Offer) -> Row:
    return {
        "mode": offer.role,
        "file": offer.file,
        "digest": offer.digest,
        "budget": offer.budget,
        "worth": worth_of(turn, offer),
        "short": offer.short,
        "params": offer.params,
        "every_s": roster.every_s(turn.books, offer.name),
        "symbols": [_symbol(turn, offer, symbol) for symbol in offer.symbols],
    }


def _symbol(turn: Pass, offer: Offer, symbol: str) -> Row:
    holding, slot = holding_of(turn, offer, symbol), slot_of(turn.books, offer.name, symbol)
    lock = turn.books.locks.against(symbol, ANY, turn.now_ns)
    return {
        "symbol": symbol,
        "position": to_text(holding.qty, holding.qty_exp) if holding else "0",
        "cost": to_text(holding.cost, holding.quote_exp) if holding else "0",
        "realized": to_text(holding.realized, holding.quote_exp) if holding else "0",
        "fees": to_text(holding.fees, holding.quote_exp) if holding else "0",
        "locked": lock.why if lock is not None else "",
        **_wants(slot),
    }


def _wants(slot: Slot) -> Row:
    return {
        "wants": to_text(slot.qty, slot.qty_exp),
        "stop": to_text(slot.stop_px, slot.px_exp),
        "take": to_text(slot.take_px, slot.px_exp),
        "until_ns": slot.until_ns,
        "trails": slot.trails,
        "taken": f"{slot.taken} of {len(slot.takes)}" if slot.takes else "",
        "why": slot.why,
    }
