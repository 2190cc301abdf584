"""What each strategy holds of each symbol and where it gives that up, told apart by order ids.

The strategy's tag in a client order id says whose a fill is, however long ago the order ended, so
that the last stops stand here when the engine that made them does not.
"""

from schema.identity import tag_of
from schema.orders import Fill
from schema.trading import OrderIntent
from services.gateway.amounts import add, scaled
from services.gateway.state import Books, Order, Stake

GUARD = "guard "
"""How the moment begins of an order that the gateway makes for a strategy's position."""

STOP = "stop"
ENTRY = "entry"


def key_of(order_id: str, symbol: str) -> str:
    """Return the name of a strategy's stake in a symbol."""
    return f"{tag_of(order_id)} {symbol}"


def fold_order(books: Books, intent: OrderIntent) -> None:
    """Note where a strategy gives up: the newest word counts, an entry's "nowhere" too."""
    books.guards += intent.reason.startswith(GUARD)
    px = intent.stop_px if intent.leg == STOP else intent.protect_px
    if intent.leg != ENTRY and not (intent.leg == STOP and px > 0):
        return
    stake = _of(books, key_of(intent.client_order_id, intent.symbol), intent.symbol)
    stake.strategy, stake.stop_px, stake.px_exp = intent.strategy, px, intent.px_exp


def fold_fill(books: Books, fill: Fill, *, closes: bool) -> None:
    """Move a strategy's position; what `closes` for the house reduces whatever is held."""
    base = fill.symbol.partition("/")[0]
    change = fill.qty if fill.side == "buy" else -fill.qty
    if closes:
        _reduce(books, fill.symbol, change, fill.qty_exp)
        return
    key = key_of(fill.client_order_id, fill.symbol)
    stake = _of(books, key, fill.symbol)
    add(stake.held, change, fill.qty_exp)
    if fill.fee_asset == base:
        add(stake.held, -fill.fee, fill.fee_exp)
    _forget(books, key, stake)


def _reduce(books: Books, symbol: str, change: int, exp: int) -> None:
    for key in books.staked.get(symbol, ()):
        stake = books.stakes[key]
        held = stake.held
        if held.n * change >= 0:
            continue
        add(held, 0, exp)
        left = scaled(change, exp, held.exp)
        taken = min(left, -held.n) if left > 0 else max(left, -held.n)
        held.n += taken
        change, exp = left - taken, held.exp
        _forget(books, key, stake)


def _forget(books: Books, key: str, stake: Stake) -> None:
    if stake.held.n == 0:
        stake.stop_px = 0
        for order in orders_of(books, key):
            if order.intent.leg == ENTRY:  # What it still trades is given up where it says.
                stake.stop_px, stake.px_exp = order.intent.protect_px, order.intent.px_exp


def orders_of(books: Books, key: str) -> list[Order]:
    """Return the open orders of a stake."""
    return [o for o in books.open.values() if key_of(o.id, o.symbol) == key]


def _of(books: Books, key: str, symbol: str) -> Stake:
    found = books.stakes.get(key)
    if found is None:
        found = books.stakes[key] = Stake(symbol=symbol)
        books.staked.setdefault(symbol, []).append(key)
    return found
