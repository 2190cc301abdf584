"""What stands at the exchange in one symbol, by the gateway's own fold: what its filters count.

Orders on their way and in doubt count as open, as everywhere at the last gate.
"""

from schema.instruments import TRIGGERS, Standing
from schema.lifecycle import State
from schema.market import Instrument
from services.gateway.amounts import scaled
from services.gateway.state import Amount, Books


def standing_of(books: Books, instrument: Instrument) -> Standing:
    """Return the open orders of a symbol, and what the account has of its base asset."""
    exp = instrument.qty_exp
    there = [order for order in books.open.values() if order.symbol == instrument.symbol]
    waits = [order for order in there if order.intent.order_type in TRIGGERS]
    buys = [order for order in there if order.intent.side == "buy"]
    held = books.assets.get(instrument.base, Amount())
    return Standing(
        orders=len(there),
        algo_orders=sum(order.place.state is not State.TRIGGERED for order in waits),
        lists=len({min(order.id, order.intent.oco) for order in there if order.intent.oco}),
        position=_at_most(held.n, held.exp, exp),
        buys=sum(_at_most(order.left, order.exp, exp) for order in buys),
    )


def _at_most(n: int, exp: int, to_exp: int) -> int:
    fine = max(exp, to_exp)
    return -(-scaled(n, exp, fine) // int(10 ** (fine - to_exp)))
