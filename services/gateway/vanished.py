"""What the exchange no longer has: an order that it took, an instrument that it traded.

Neither is ever dropped in silence. An order that was missing in two comparisons, that the exchange
twice said not to know, and of which a whole list of trades has nothing, halts its symbol until a
person says what became of it; one that reappears is what it was.
"""

from schema.exchange import OrderAbsent, OrderReport, TradesSeen
from schema.market import Instrument
from schema.units import MS_NS, iso_ms
from services.gateway.questions import TRADING
from services.gateway.state import Absence, Order
from services.gateway.steps import awaited
from services.gateway.turn import Turn
from services.gateway.unconfirmed import APART_MS

LISTS = 2
"""Comparisons in which an order has to be missing."""


def hear_listing(turn: Turn, instrument: Instrument) -> None:
    """Halt a symbol that the exchange does not trade any more."""
    if instrument.status != TRADING:
        why = f"the exchange does not trade {instrument.symbol}: it says {instrument.status}"
        turn.halt(instrument.symbol, why)


def take_absence(turn: Turn, absent: OrderAbsent) -> None:
    """Take in that the exchange does not know an order that it took."""
    order = turn.books.open.get(absent.client_order_id)
    if order is None or awaited(order):
        return
    found = turn.windows.vanished.setdefault(order.id, Absence())
    first_ms = found.absent_ms[0] or absent.wall_ms
    found.absent_ms = (first_ms, max(found.absent_ms[1], absent.wall_ms))
    cycle = turn.windows.cycle
    found.lists += cycle is not None and order.id in (cycle.missing or ())
    turn.windows.wanted.setdefault(order.symbol, turn.now_ns)


def take_report(turn: Turn, report: OrderReport) -> None:
    """Take in that the exchange knows an order: all is well again."""
    turn.windows.vanished.pop(report.client_order_id, None)


def take_whole_list(turn: Turn, seen: TradesSeen) -> None:
    """Take in a list of all our trades: what it has of an order is booked by now."""
    for order_id, found in turn.windows.vanished.items():
        order = turn.books.open.get(order_id)
        if order is not None and order.symbol == seen.symbol and seen.wall_ms > found.absent_ms[0]:
            found.untraded_ms = max(found.untraded_ms, seen.wall_ms)


def settle(turn: Turn) -> None:
    """Halt the symbol of every order that is gone for good, as far as can be told."""
    for order_id, found in list(turn.windows.vanished.items()):
        order = turn.books.open.get(order_id)
        if order is None or awaited(order):
            del turn.windows.vanished[order_id]
        elif _is_gone(found):
            _halt(turn, order, found)


def _is_gone(found: Absence) -> bool:
    first_ms, last_ms = found.absent_ms
    return found.lists >= LISTS and last_ms - first_ms >= APART_MS and found.untraded_ms > 0


def _halt(turn: Turn, order: Order, found: Absence) -> None:
    since = iso_ms(found.absent_ms[0] * MS_NS)
    way = f'rrr resolve {order.id} absent|filled --evidence "..."'
    why = f"order {order.id} was taken, and the exchange does not know it since {since}: {way}"
    turn.halt(order.symbol, why, order.id, order.intent.trace)
