"""What is true at the exchange: our orders, fills and positions, folded by nobody else's code.

It reads the exchange's own records, which no gateway can see whole, and knows which of the orders
there are of the house by who was seen to send them.
"""

from schema.orders import Fill
from schema.trading import OrderIntent
from services.venue.account import EXP
from services.venue.orders import Fill as Traded
from services.venue.orders import Order as Placed
from tests.sim.exchange import Exchange
from tests.sim.walk import FACTS_OF


class Truth:
    """The exchange's side of the account, ours apart from others'."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.taken: dict[str, OrderIntent] = {}  # by client order id, as the exchange took them
        self.replaced: set[str] = set()  # whose place another one has taken
        self.positions: dict[str, int] = {}
        self.foreign: dict[str, int] = {}  # by asset: what others' trades moved
        self._fills = 0

    @property
    def disturbed(self) -> bool:
        """Whether somebody else traded, or the exchange told what was not true."""
        return bool(self.foreign) or any(self.exchange.lied.values())

    def take(self, intent: OrderIntent) -> None:
        """Note an order that the exchange took."""
        self.taken[intent.client_order_id] = intent
        self.replaced.add(intent.replaces)

    def meet_stranger(self) -> None:
        """Note that somebody else is active in the account."""
        self.foreign.setdefault("USDT", 0)

    def look(self) -> None:
        """Fold the fills that are new."""
        fills = self.exchange.desk.records.fills
        for number in range(self._fills + 1, len(fills) + 1):
            self._fold(fills[number])
        self._fills = len(fills)

    def _fold(self, fill: Traded) -> None:
        facts = self.exchange.walk.facts[fill.symbol]
        sign, lots = 1 if fill.buyer else -1, fill.qty * int(10 ** (EXP - facts.qty_exp))
        flows = {facts.base: sign * lots, facts.quote: -sign * fill.money}
        flows[fill.fee_asset] -= fill.fee
        order = self.exchange.desk.records.orders[fill.order_id]
        if order.client_id in self.taken:
            held = self.positions.get(facts.symbol, 0)
            self.positions[facts.symbol] = held + flows[facts.base]
            return
        for asset, n in flows.items():
            self.foreign[asset] = self.foreign.get(asset, 0) + n

    def closable(self, intent: OrderIntent) -> int:
        """Return how much of a symbol an order's side may trade and still only shrink what is held.

        What rests counts as traded; of a pair the larger part alone; what it replaces does not.
        An order in the place of one that is gone or has traded is not taken at all.
        """
        self.look()
        old = self.order(intent.replaces) if intent.replaces else None
        if old is not None and (old.filled or not old.open):
            return intent.qty * int(10 ** (EXP - intent.qty_exp))
        held = self.positions.get(intent.symbol, 0)
        held = held if intent.side == "sell" else -held
        resting: dict[int, int] = {}
        for order in self.open_orders(intent.symbol):
            if order.buys == (intent.side == "buy") and order.client_id != intent.replaces:
                left = order.left * int(10 ** (EXP - FACTS_OF[intent.symbol].qty_exp))
                key = order.list_id if order.tied else -2 - order.id
                resting[key] = max(resting.get(key, 0), left)
        return held - sum(resting.values())

    def open_orders(self, symbol: str = "") -> list[Placed]:
        """Return our open orders."""
        names = {FACTS_OF[symbol].id} if symbol else set(self.exchange.walk.facts)
        records = self.exchange.desk.records
        return [o for o in records.all_open() if o.client_id in self.taken and o.symbol in names]

    def order(self, order_id: str) -> Placed | None:
        """Return an order of ours as the exchange has it."""
        return self.exchange.order(order_id)

    def price(self, symbol: str) -> int:
        """Return the best bid of a symbol."""
        exchange = self.exchange
        return exchange.walk.top(FACTS_OF[symbol].id, exchange.desk.at_ms).bid[0]

    def check_fill(self, fill: Fill) -> None:
        """Assert that a booked execution is one of the exchange's, to the last digit."""
        found = self.exchange.desk.records.fills.get(int(fill.venue_trade_id))
        assert found is not None, f"I14: the exchange has no such execution: {fill}"
        order = self.exchange.desk.records.orders[found.order_id]
        assert order.client_id == fill.client_order_id, f"I14: it is of {order.client_id}: {fill}"
        booked = (
            fill.side == "buy",
            _fine(fill.px, fill.px_exp),
            _fine(fill.qty, fill.qty_exp),
            _fine(fill.quote_qty, fill.quote_exp),
            _fine(fill.fee, fill.fee_exp),
            fill.fee_asset,
        )
        facts = self.exchange.walk.facts[found.symbol]
        true = (
            found.buyer,
            _fine(found.px, facts.px_exp),
            _fine(found.qty, facts.qty_exp),
            _fine(found.money, EXP),
            _fine(found.fee, EXP),
            found.fee_asset,
        )
        assert booked == true, f"I16: booked {booked}, traded {true}: {fill}"

    def filled(self, order_id: str) -> int:
        """Return how much of an order has traded, with eight decimals."""
        order = self.exchange.order(order_id)
        if order is None:
            return 0
        facts = self.exchange.walk.facts[order.symbol]
        return order.filled * int(10 ** (EXP - facts.qty_exp))


def _fine(n: int, exp: int) -> int:
    return n * int(10 ** (18 - exp))
