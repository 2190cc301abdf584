"""What must hold at every step of a run, and what once more holds when all faults have ended."""

from schema.identity import strategy_tag
from schema.ledger import Holding, Ledger, decimals
from schema.lifecycle import State
from schema.units import floor_scale, to_text
from services.engine.core import Engine
from services.engine.state import State as EngineState
from services.gateway.core import Gateway
from services.risk.core import Risk
from services.venue.account import EXP
from tests.sim.stand import NAMES, Stand
from tests.sim.walk import FACTS_OF

RESTING = frozenset({State.ACCEPTED, State.TRIGGERED, State.PARTIALLY_FILLED})
"""What an order is that is known, and that nobody does anything about."""

RESERVE_PASSES = 40
"""So many passes a service may lag behind what the exchange has."""


END_PASSES = 1
"""In so many passes the end of an order has begun whose time is over."""


class Laws:
    """Looks at a stand after every pass."""

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self._missing: dict[str, int] = {}
        self._outlived: dict[str, int] = {}

    def check_step(self) -> None:
        """Assert that nothing is sold twice, and that what may trade is reserved."""
        stand = self._stand
        stand.truth.look()
        self._check_sells()
        self._check_reserved()
        self._check_times()
        for life in stand.lives.values():
            if isinstance(life.core, Engine | Risk):
                _check_holdings(life.core.state.books.ledger, stand.symbols)
            if isinstance(life.core, Risk):
                _check_spared(life.core)

    def _check_sells(self) -> None:
        stand = self._stand
        if stand.truth.disturbed or stand.flips:
            return
        for symbol, held in stand.truth.positions.items():
            assert held >= 0, f"I2: more of {symbol} was sold than bought: {held}"
            selling = sum(
                order.left * int(10 ** (EXP - FACTS_OF[symbol].qty_exp))
                for order in stand.truth.open_orders(symbol)
                if not (order.buys or order.tied)
            )
            assert selling <= held, f"I2: selling {selling} of {held} {symbol}"

    def _check_times(self) -> None:
        """Assert that what is good until a time is being ended as soon as that has come."""
        stand, life = self._stand, self._stand.lives.get("gateway")
        if life is None or stand.paused:
            self._outlived.clear()
            return
        assert isinstance(life.core, Gateway)
        now_ns, found = stand.clock.market_ns(), life.core.state.books.open.items()
        over = [
            key
            for key, order in found
            if 0 < order.intent.expire_ns <= now_ns and order.place.state in RESTING
        ]
        self._outlived = {key: self._outlived.get(key, 0) + 1 for key in over}
        late = [key for key, passes in self._outlived.items() if passes > END_PASSES]
        assert not late, f"I37: they outlive their time: {late}"

    def _check_reserved(self) -> None:
        """Assert that risk counts all orders that may trade and no others, once it can know."""
        stand = self._stand
        lives, settled = stand.lives, {"risk", "gateway"}.issubset(stand.lives)
        if not settled or stand.paused:
            self._missing.clear()
            return
        risk, gateway = lives["risk"].core, lives["gateway"].core
        assert isinstance(risk, Risk)
        assert isinstance(gateway, Gateway)
        books, counted = gateway.state.books, risk.state.books.orders.keys()
        unreserved = books.open.keys() - counted
        over = (counted & books.ids) - books.open.keys()
        wrong = sorted(unreserved | over)
        self._missing = {key: self._missing.get(key, 0) + 1 for key in wrong}
        late = [key for key, passes in self._missing.items() if passes > RESERVE_PASSES]
        assert not late, f"I4: risk does not count what may trade, or what is over: {late}"


def check_rest(stand: Stand) -> None:
    """Assert that nothing is lost, left over or different, once everything has settled."""
    assert sorted(stand.lives) == sorted(NAMES)
    for name, life in stand.lives.items():
        pulse = life.runner.pulse
        assert pulse.state == "READY", f"I37: {name} is {pulse.state}: {pulse.reason}"
    engine, risk, gateway = cores(stand)
    books = gateway.state.books
    over = [o for o in books.open.values() if 0 < o.intent.expire_ns <= stand.clock.market_ns()]
    assert not over, f"I37: their time is over: {over}"
    unsure = [o for o in books.open.values() if o.place.state not in RESTING]
    assert not unsure, f"I37: {unsure}"
    assert not gateway.state.windows.intents, gateway.state.windows.intents
    assert not gateway.state.windows.verdicts, gateway.state.windows.verdicts
    assert not books.halted, f"I37: {books.halted}"
    assert risk.state.books.orders.keys() == books.open.keys(), "I4: risk counts other orders"
    at_venue = {order.client_id for order in stand.truth.open_orders()}
    assert at_venue == set(books.open), f"I19: {at_venue} at the exchange, {set(books.open)} here"
    of_engine = engine.state.books.orders.items()
    assert {key for key, o in of_engine if not o.place.terminal} == set(books.open), "I19: engine"
    _check_money(stand, engine, risk, gateway)
    _check_sums(risk)
    _check_slots(engine.state, stand)


def cores(stand: Stand) -> tuple[Engine, Risk, Gateway]:
    """Return the three that run."""
    engine, risk, gateway = (stand.lives[name].core for name in NAMES)
    assert isinstance(engine, Engine)
    assert isinstance(risk, Risk)
    assert isinstance(gateway, Gateway)
    return engine, risk, gateway


def _check_money(stand: Stand, engine: Engine, risk: Risk, gateway: Gateway) -> None:
    """Assert that all books are the exchange's, to the last unit, but for what others moved."""
    foreign, adopted = stand.truth.foreign, stand.oracle.record.adopted
    before = stand.oracle.record.before
    venue = stand.exchange.balances().items()
    ours = {asset: n - foreign.get(asset, 0) + before.get(asset, 0) for asset, n in venue}
    trading = {asset: _plain(to_text(n, EXP)) for asset, n in ours.items()}
    known = {a: _plain(to_text(n + adopted.get(a, 0), EXP)) for a, n in ours.items()}
    true = {asset: _plain(to_text(n, EXP)) for asset, n in venue}
    assert _whole(known, true), f"I15: {known} with what was adopted, at the exchange {true}"
    for ledger in (engine.state.books.ledger, risk.state.books.ledger):
        own = {key: _plain(text) for key, text in decimals(ledger).items()}
        assert _whole(own, trading) or _whole(own, known), f"I15: {own}, at the exchange {known}"
    held = {key: _plain(to_text(a.n, a.exp)) for key, a in gateway.state.books.assets.items()}
    assert _whole(held, known), f"I15: {held} here, {known} at the exchange"
    for asset, seen in gateway.state.books.differences.items():
        assert seen.n == 0, f"I19: {asset} differs by {seen.n}"
    _check_holdings(engine.state.books.ledger, stand.symbols)


def _whole(held: dict[str, str], venue: dict[str, str]) -> bool:
    """Return whether both are the same, where what is nothing may be left out."""
    names = {*held, *venue}
    return all(held.get(name, "0") == venue.get(name, "0") for name in names)


def _check_holdings(ledger: Ledger, symbols: tuple[str, ...]) -> None:
    """Assert that the books of all strategies together are the account's, and none is short."""
    for symbol in symbols:
        parts = {key: h for key, h in ledger.holdings.items() if key.startswith(f"{symbol} ")}
        whole = ledger.holding(symbol)
        if whole is None:
            continue
        exp = max(h.qty_exp for h in (whole, *parts.values()))
        total = sum(h.qty * 10 ** (exp - h.qty_exp) for h in parts.values())
        assert total == whole.qty * 10 ** (exp - whole.qty_exp), f"I15: {whole} {parts}"
        for tag in map(strategy_tag, ("threshold", "pulse")):
            holding = ledger.holding(symbol, tag)
            assert holding is None or holding.qty >= 0, f"I14: {tag} {holding}"


def _check_sums(risk: Risk) -> None:
    books = risk.state.books
    assert books.held == sum(order.cost for order in books.orders.values()), "I17: cash held"
    for symbol, line in books.lines.items():
        orders = [order for order in books.orders.values() if order.symbol == symbol]
        sells = [o for o in orders if o.side == "sell" and not o.waits]
        stops = [o for o in orders if o.side == "sell" and o.waits]
        buys = [o for o in orders if o.side == "buy"]
        for money, some in ((line.sells, sells), (line.stops, stops), (line.buys, buys)):
            assert money.amount == sum(order.leaves for order in some), f"I17: {line} {some}"


def _check_spared(risk: Risk) -> None:
    """Assert that another order counts for one only while it is open itself."""
    orders = risk.state.books.orders
    for key, order in orders.items():
        old = orders.get(order.replaces)
        most = old.leaves if old is not None else 0
        assert order.spared <= most, f"I17: {key} counts {order.counted} of {order}, beside {old}"


def _check_slots(state: EngineState, stand: Stand) -> None:
    """Assert that what a strategy holds with a stop is protected, to the last lot."""
    for slot in state.books.slots.values():
        holding = state.books.ledger.holding(slot.symbol, strategy_tag(slot.strategy))
        if not slot.stop_px or holding is None or stand.truth.disturbed:
            continue
        lots = _lots(state.books.ledger, slot.symbol, holding)
        stops = [
            order.left
            for order in state.books.orders.values()
            if order.intent.strategy == slot.strategy
            and order.intent.symbol == slot.symbol
            and order.intent.leg == "stop"
        ]
        assert sum(stops) == abs(lots), f"I19: {slot} {holding} is protected by {stops}"


def _lots(ledger: Ledger, symbol: str, holding: Holding) -> int:
    """Return how much of a holding the account has, too: another may be on its other side."""
    whole, sign = ledger.holding(symbol), 1 if holding.qty > 0 else -1
    assert whole is not None
    exp = FACTS_OF[symbol].qty_exp
    own = floor_scale(holding.qty, holding.qty_exp, exp)
    most = floor_scale(max(0, whole.qty * sign), whole.qty_exp, exp)
    return min(abs(own), most) * sign


def _plain(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
