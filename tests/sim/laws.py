"""What must hold at every step of a run, and what once more holds when all faults have ended."""

from schema.approval import order_hash
from schema.identity import strategy_tag
from schema.ledger import Holding, Ledger, decimals
from schema.lifecycle import State
from schema.orders import InstrumentHalted, OrderSubmitted
from schema.units import floor_scale, to_text
from services.engine.core import Engine
from services.engine.state import State as EngineState
from services.gateway.core import Gateway
from services.risk.core import Risk
from services.venue.account import EXP
from tests.sim.exchange import OPENING
from tests.sim.stand import NAMES, Stand
from tests.sim.walk import FACTS, SYMBOL

QTY_EXP = FACTS.qty_exp


def check_step(stand: Stand) -> None:
    """Assert what holds at any moment."""
    stand.hear_orders()
    for message in stand.said:
        if isinstance(message, OrderSubmitted):
            verdict = message.verdict
            assert verdict.approved, message
            assert verdict.order_hash == order_hash(message.intent), message
        assert not isinstance(message, InstrumentHalted), message
    stand.said.clear()
    _check_sells(stand)
    for life in stand.lives.values():
        if isinstance(life.core, Engine | Risk):
            _check_holdings(life.core.state.books.ledger)


def _check_sells(stand: Stand) -> None:
    held = stand.exchange.desk.records.account.balances["BTC"]
    bought = held.free + held.locked - OPENING["BTC"]
    selling = sum(
        order.left * 10 ** (EXP - QTY_EXP)
        for order in stand.exchange.desk.records.all_open()
        if not order.buys
    )
    if stand.flips:  # Out of what the account had before.
        assert selling <= held.free + held.locked, f"selling {selling} of {held}"
        return
    assert bought >= 0, f"more was sold than bought: {bought}"
    assert selling <= bought, f"selling {selling} of {bought}"


def check_rest(stand: Stand) -> None:
    """Assert that nothing is lost, left over or different, once everything has settled."""
    assert sorted(stand.lives) == sorted(NAMES)
    for name, life in stand.lives.items():
        pulse = life.runner.pulse
        assert pulse.state == "READY", f"{name} is {pulse.state}: {pulse.reason}"
    engine, risk, gateway = _cores(stand)
    books = gateway.state.books
    unsure = [o for o in books.open.values() if o.place.state is not State.ACCEPTED]
    assert not unsure, unsure
    assert not gateway.state.windows.intents, gateway.state.windows.intents
    assert not gateway.state.windows.verdicts, gateway.state.windows.verdicts
    assert not books.differences or all(d.n == 0 for d in books.differences.values())
    assert risk.state.books.orders.keys() == books.open.keys()
    at_venue = {order.client_id for order in stand.exchange.desk.records.all_open()}
    assert at_venue == set(books.open)
    of_engine = engine.state.books.orders.items()
    assert {key for key, o in of_engine if not o.place.terminal} == set(books.open)
    _check_money(stand, engine, risk, gateway)
    _check_sums(risk)
    _check_slots(engine.state)


def _cores(stand: Stand) -> tuple[Engine, Risk, Gateway]:
    engine, risk, gateway = (stand.lives[name].core for name in NAMES)
    assert isinstance(engine, Engine)
    assert isinstance(risk, Risk)
    assert isinstance(gateway, Gateway)
    return engine, risk, gateway


def _check_money(stand: Stand, engine: Engine, risk: Risk, gateway: Gateway) -> None:
    balances = stand.exchange.desk.records.account.balances
    venue = {key: _plain(to_text(b.free + b.locked, EXP)) for key, b in balances.items()}
    for ledger in (engine.state.books.ledger, risk.state.books.ledger):
        assert {key: _plain(text) for key, text in decimals(ledger).items()} == venue
    assets = gateway.state.books.assets.items()
    assert {key: _plain(to_text(a.n, a.exp)) for key, a in assets} == venue
    _check_holdings(engine.state.books.ledger)


def _check_holdings(ledger: Ledger) -> None:
    """Assert that the books of all strategies together are the account's, and none is short."""
    parts = {key: h for key, h in ledger.holdings.items() if key.startswith(f"{SYMBOL} ")}
    whole = ledger.holding(SYMBOL)
    if whole is None:
        return
    exp = max(h.qty_exp for h in (whole, *parts.values()))
    total = sum(h.qty * 10 ** (exp - h.qty_exp) for h in parts.values())
    assert total == whole.qty * 10 ** (exp - whole.qty_exp), (whole, parts)
    for tag in map(strategy_tag, ("threshold", "pulse")):
        holding = ledger.holding(SYMBOL, tag)
        assert holding is None or holding.qty >= 0, (tag, holding)


def _check_sums(risk: Risk) -> None:
    books = risk.state.books
    assert books.held == sum(order.cost for order in books.orders.values())
    for line in books.lines.values():
        sells = [o for o in books.orders.values() if o.side == "sell" and not o.waits]
        stops = [o for o in books.orders.values() if o.side == "sell" and o.waits]
        buys = [o for o in books.orders.values() if o.side == "buy"]
        for money, orders in ((line.sells, sells), (line.stops, stops), (line.buys, buys)):
            assert money.amount == sum(order.leaves for order in orders), (line, books.orders)


def _check_slots(state: EngineState) -> None:
    """Assert that what a strategy holds with a stop is protected, to the last lot."""
    for slot in state.books.slots.values():
        holding = state.books.ledger.holding(slot.symbol, strategy_tag(slot.strategy))
        if not slot.stop_px or holding is None:
            continue
        lots = _lots(state.books.ledger, holding)
        stops = [
            order.left
            for order in state.books.orders.values()
            if order.intent.strategy == slot.strategy and order.intent.leg == "stop"
        ]
        assert sum(stops) == abs(lots), (slot, holding, state.books.orders)


def _lots(ledger: Ledger, holding: Holding) -> int:
    """Return how much of a holding the account has, too: another may be on its other side."""
    whole, sign = ledger.holding(SYMBOL), 1 if holding.qty > 0 else -1
    assert whole is not None
    own = floor_scale(holding.qty, holding.qty_exp, QTY_EXP)
    most = floor_scale(max(0, whole.qty * sign), whole.qty_exp, QTY_EXP)
    return min(abs(own), most) * sign


def _plain(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
